/* fd_mqueue [messages|removed|child|kept]: two openings of a message queue that is empty, or holds messages,
 * or has no name any more. With "child" a child has an opening of its own. With "kept" something else is in
 * it in the end, and a second line may say "leave". */
#include <fcntl.h>
#include <mqueue.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static const struct {
  const char *text;
  unsigned priority;
} sent[] = {{"low", 1}, {"high", 9}, {"higher", 9}, {"", 4}},
  got[] = {{"high", 9}, {"higher", 9}, {"", 4}, {"low", 1}};

enum { MESSAGES = sizeof sent / sizeof *sent };

static void take(mqd_t queue, const char *text, unsigned priority) {
  char bytes[16] = "";
  unsigned of;
  CHECK(mq_receive(queue, bytes, 16, &of) == (ssize_t)strlen(text) && of == priority);
  CHECK(memcmp(bytes, text, strlen(text)) == 0);
}

/* Sends when it is told to: what tells it to is the end of a pipe. */
static int start_child(const char *name) {
  int ends[2];
  char byte;
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    mqd_t queue = mq_open(name, O_RDWR);
    CHECK(queue >= 0 && close(ends[1]) == 0 && read(ends[0], &byte, 1) == 0);
    CHECK(mq_send(queue, "new", 3, 5) == 0);
    _exit(0);
  }
  CHECK(close(ends[0]) == 0);
  return ends[1];
}

int main(int argc, char **argv) {
  const char *kind = argc == 2 ? argv[1] : "";
  bool messages = *kind, removed = strcmp(kind, "removed") == 0;
  struct mq_attr attributes = {.mq_maxmsg = 5, .mq_msgsize = 16};
  char name[64];
  snprintf(name, sizeof name, "/ckpt-test-%d", getpid());
  mqd_t takes = mq_open(name, O_RDONLY | O_NONBLOCK | O_CREAT | O_EXCL | O_CLOEXEC, 0640, &attributes);
  mqd_t gives = mq_open(name, O_WRONLY | O_CLOEXEC);
  CHECK(takes >= 0 && gives >= 0 && fcntl(gives, F_SETFD, 0) == 0);
  for (int i = 0; messages && i < MESSAGES; i++)
    CHECK(mq_send(gives, sent[i].text, strlen(sent[i].text), sent[i].priority) == 0);
  int child = strcmp(kind, "child") == 0 ? start_child(name) : -1, status;
  CHECK(!removed || mq_unlink(name) == 0);

  ready();
  wait_for_go();

  struct stat st;
  CHECK(fcntl(takes, F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(gives, F_GETFD) == 0);
  CHECK(mq_getattr(takes, &attributes) == 0 && attributes.mq_flags == O_NONBLOCK);
  CHECK(attributes.mq_maxmsg == 5 && attributes.mq_msgsize == 16 && fstat(gives, &st) == 0);
  CHECK((st.st_mode & 0777) == 0640 && st.st_nlink == !removed);
  CHECK(attributes.mq_curmsgs == (messages ? MESSAGES : 0));
  CHECK(mq_getattr(gives, &attributes) == 0 && attributes.mq_flags == 0);
  if (child >= 0)
    CHECK(close(child) == 0 && wait(&status) > 0 && status == 0);
  else
    CHECK(mq_send(gives, "new", 3, 5) == 0);
  for (int i = 0; i < MESSAGES; i++) {
    if (messages)
      take(takes, got[i].text, got[i].priority);
    if (i == (messages ? 1 : 0))
      take(takes, "new", 5);
  }
  char bytes[16];
  CHECK(mq_receive(takes, bytes, 16, NULL) == -1 && errno == EAGAIN);
  char line[16] = "";
  if (strcmp(kind, "kept") == 0) {
    CHECK(mq_send(gives, "later", 5, 3) == 0);
    read_line(line, sizeof line);
  }
  CHECK(removed || strcmp(line, "leave") == 0 || mq_unlink(name) == 0);
  success();
}
