/* One descriptor through a unix socket, with the byte "f". */
#ifndef TESTS_RIGHTS_H
#define TESTS_RIGHTS_H

#include <sys/socket.h>

#include "check.h"

static inline void send_descriptor(int through, int fd) {
  char control[CMSG_SPACE(sizeof fd)] __attribute__((aligned(8))) = {0};
  struct iovec piece = {.iov_base = "f", .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head =
      (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  CHECK(sendmsg(through, &message, MSG_NOSIGNAL) == 1);
}

/* Open nowhere here from then on. */
static inline void send_away(int through, int fd) {
  send_descriptor(through, fd);
  CHECK(close(fd) == 0);
}

static inline int receive_descriptor(int through) {
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))), byte;
  struct iovec piece = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int fd;
  CHECK(recvmsg(through, &message, 0) == 1 && byte == 'f' && CMSG_FIRSTHDR(&message));
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

#endif
