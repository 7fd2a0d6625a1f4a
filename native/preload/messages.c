/* Messages between the members of a job, with descriptors when some go along. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "messages.h"

union control {
  struct cmsghdr head;
  char room[CMSG_SPACE(sizeof(struct passed))];
};

long message_send(int socket, const void *packet, size_t size, struct passed passed) {
  struct iovec piece = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  union control control;
  size_t count = 0;
  while (count < MESSAGE_FDS && passed.fds[count] >= 0)
    count++;
  if (count) {
    memset(&control, 0, sizeof control);
    control.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), passed.fds, count * sizeof(int));
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  }
  long n;
  do
    n = sys(SYS_(sendmsg), socket, &message, MSG_NOSIGNAL);
  while (n == -EINTR);
  return n < 0 ? n : n == (long)size ? 0 : -EMSGSIZE;
}

/* When there is no room for them all, those that fit have come: CMSG_SPACE would have room for one more. */
long message_receive(int socket, void *packet, size_t size, struct passed *passed) {
  struct iovec piece = {.iov_base = packet, .iov_len = size};
  union control control;
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_LEN(sizeof *passed)};
  long n;
  do
    n = sys(SYS_(recvmsg), socket, &message, MSG_CMSG_CLOEXEC);
  while (n == -EINTR);
  *passed = NOTHING_PASSED;
  if (n >= 0 && message.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS)
    memcpy(passed->fds, CMSG_DATA(&control.head), control.head.cmsg_len - CMSG_LEN(0));
  return n;
}

void passed_close(const struct passed *passed) {
  for (int i = 0; i < MESSAGE_FDS; i++)
    if (passed->fds[i] >= 0)
      sys(SYS_(close), passed->fds[i]);
}
