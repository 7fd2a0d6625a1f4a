/* Message queues between processes: one waits for a message, one for room, two share an opening with its
 * flags, and what waits keeps its order. */
#include <fcntl.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "asleep.h"
#include "check.h"

enum { SIZE = 16 };

/* Is true once what is waited for may come. */
static volatile int *may_come;
static mqd_t empty, full, both;
static char names[3][64];

static mqd_t make(int which, long most) {
  struct mq_attr attributes = {.mq_maxmsg = most, .mq_msgsize = SIZE};
  snprintf(names[which], sizeof names[which], "/ckpt-tree-%d-%d", getpid(), which);
  mqd_t queue = mq_open(names[which], O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  CHECK(queue >= 0);
  return queue;
}

static void send(mqd_t queue, const char *text, unsigned priority) {
  CHECK(mq_send(queue, text, strlen(text), priority) == 0);
}

static void take(mqd_t queue, const char *text, unsigned priority) {
  char bytes[SIZE];
  unsigned of;
  CHECK(mq_receive(queue, bytes, SIZE, &of) == (ssize_t)strlen(text) && of == priority);
  CHECK(memcmp(bytes, text, strlen(text)) == 0);
}

/* By an opening of its own, as the next two. */
static void receive(int go) {
  (void)go;
  take(mq_open(names[0], O_RDONLY), "sent", 3);
  CHECK(may_come[0]);
}

static void wait_for_room(int go) {
  (void)go;
  send(mq_open(names[1], O_WRONLY), "third", 7);
  CHECK(may_come[1]);
}

static void send_to_receiver(int go) {
  char byte;
  mqd_t queue = mq_open(names[0], O_WRONLY);
  CHECK(queue >= 0 && read(go, &byte, 1) == 1);
  may_come[0] = 1;
  send(queue, "sent", 3);
}

/* By the opening that its parent has, too. */
static void use_shared(int go) {
  char byte;
  struct mq_attr flags = {.mq_flags = O_NONBLOCK}, before;
  CHECK(read(go, &byte, 1) == 1);
  take(both, "high", 9);
  CHECK(mq_setattr(both, &flags, &before) == 0 && before.mq_flags == 0);
}

static pid_t start(void (*act)(int), int go[2]) {
  CHECK(pipe(go) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(300); /* should the others be gone without a word */
    CHECK(close(go[1]) == 0);
    act(go[0]);
    _exit(0);
  }
  CHECK(close(go[0]) == 0);
  return pid;
}

static void finish(pid_t pid) {
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void) {
  int unused[2], go[2], shared[2];
  struct mq_attr now;
  char bytes[SIZE];
  may_come = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(may_come != MAP_FAILED);
  empty = make(0, 4);
  full = make(1, 2);
  both = make(2, 5);
  send(full, "first", 7);
  send(full, "second", 7);
  send(both, "low", 1);
  send(both, "high", 9);
  send(both, "middle", 4);
  pid_t receiver = start(receive, unused), writer = start(wait_for_room, unused);
  pid_t sender = start(send_to_receiver, go), user = start(use_shared, shared);
  wait_until_asleep(receiver);
  wait_until_asleep(writer);

  ready();
  wait_for_go();

  CHECK(mq_getattr(empty, &now) == 0 && now.mq_curmsgs == 0);
  CHECK(write(go[1], "g", 1) == 1);
  finish(sender);
  finish(receiver);
  may_come[1] = 1;
  take(full, "first", 7);
  finish(writer);
  take(full, "second", 7);
  take(full, "third", 7);
  CHECK(write(shared[1], "g", 1) == 1);
  finish(user);
  take(both, "middle", 4);
  take(both, "low", 1);
  CHECK(mq_receive(both, bytes, SIZE, NULL) == -1 && errno == EAGAIN);
  for (int i = 0; i < 3; i++)
    CHECK(mq_unlink(names[i]) == 0);
  success();
}
