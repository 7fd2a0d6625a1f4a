/* fd_mqueue [waiting]: two openings of a message queue that is empty, or holds messages. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "check.h"

int main(int argc, char **argv) {
  bool waiting = argc == 2 && strcmp(argv[1], "waiting") == 0;
  struct mq_attr attributes = {.mq_maxmsg = 3, .mq_msgsize = 16};
  char name[64], text[16];
  snprintf(name, sizeof name, "/ckpt-test-%d", getpid());
  mqd_t takes = mq_open(name, O_RDONLY | O_NONBLOCK | O_CREAT | O_EXCL | O_CLOEXEC, 0640, &attributes);
  mqd_t gives = mq_open(name, O_WRONLY | O_CLOEXEC);
  CHECK(takes >= 0 && gives >= 0 && fcntl(gives, F_SETFD, 0) == 0);
  if (waiting)
    CHECK(mq_send(gives, "low", 4, 1) == 0 && mq_send(gives, "high", 5, 9) == 0);

  ready();
  wait_for_go();

  struct stat st;
  unsigned priority;
  CHECK(fcntl(takes, F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(gives, F_GETFD) == 0);
  CHECK(mq_getattr(takes, &attributes) == 0 && attributes.mq_flags == O_NONBLOCK);
  CHECK(attributes.mq_maxmsg == 3 && attributes.mq_msgsize == 16 && fstat(gives, &st) == 0);
  CHECK((st.st_mode & 0777) == 0640 && attributes.mq_curmsgs == (waiting ? 2 : 0));
  CHECK(mq_getattr(gives, &attributes) == 0 && attributes.mq_flags == 0 && mq_send(gives, "new", 4, 5) == 0);
  if (waiting)
    CHECK(mq_receive(takes, text, 16, &priority) == 5 && priority == 9 && strcmp(text, "high") == 0);
  CHECK(mq_receive(takes, text, 16, &priority) == 4 && priority == 5 && strcmp(text, "new") == 0);
  if (waiting)
    CHECK(mq_receive(takes, text, 16, &priority) == 4 && priority == 1 && strcmp(text, "low") == 0);
  CHECK(mq_receive(takes, text, 16, &priority) == -1 && errno == EAGAIN && mq_unlink(name) == 0);
  success();
}
