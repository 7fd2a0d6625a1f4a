/* Messages between the members of a job, with a descriptor when one goes along. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "job.h"

union control {
  struct cmsghdr head;
  char room[CMSG_SPACE(sizeof(int))];
};

long message_send(int socket, const void *packet, size_t size, int fd) {
  struct iovec piece = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  union control control;
  if (fd >= 0) {
    memset(&control, 0, sizeof control);
    control.head =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  long n;
  do
    n = sys(SYS_(sendmsg), socket, &message, MSG_NOSIGNAL);
  while (n == -EINTR);
  return n < 0 ? n : n == (long)size ? 0 : -EMSGSIZE;
}

long message_receive(int socket, void *packet, size_t size, int *fd) {
  struct iovec piece = {.iov_base = packet, .iov_len = size};
  union control control;
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  long n;
  do
    n = sys(SYS_(recvmsg), socket, &message, MSG_CMSG_CLOEXEC);
  while (n == -EINTR);
  *fd = -1;
  if (n >= 0 && message.msg_controllen >= CMSG_LEN(sizeof *fd) && control.head.cmsg_type == SCM_RIGHTS)
    memcpy(fd, CMSG_DATA(&control.head), sizeof *fd);
  return n;
}
