/* The requester's side of the control protocol (format/control.h). */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "format/control.h"
#include "helper/helper.h"

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Who connects sees the user that listened. A program in a user namespace of its own cannot tell root, who
 * has no id in there, from any other stranger; but root may listen as the program's own user. Only this
 * thread changes its user, by the system call itself, and a change would take away that this process can be
 * looked at. */
static int listen_as(int fd, uint32_t uid) {
  uid_t own = geteuid();
  int dumpable = prctl(PR_GET_DUMPABLE);
  bool changes = uid != own && syscall(SYS_setresuid, -1, uid, -1) == 0;
  int error = listen(fd, 8) ? errno : 0;
  if (changes && syscall(SYS_setresuid, -1, own, -1))
    abort(); /* it must not go on as another user */
  if (changes && dumpable == 1)
    prctl(PR_SET_DUMPABLE, 1);
  errno = error;
  return error ? -1 : 0;
}

int32_t ckpt_helper_listen(uint64_t *cookie, uint32_t uid) {
  /* 256 bytes or less come whole and without EINTR once the pool is ready. */
  if (getrandom(cookie, sizeof *cookie, 0) != sizeof *cookie)
    return errno ? -errno : -EIO;
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int length =
      snprintf(name.sun_path + 1, sizeof name.sun_path - 1, CKPT_CONTROL_NAME, (unsigned long long)*cookie);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  if (bind(fd, (struct sockaddr *)&name, size) || listen_as(fd, uid)) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

/* A connection that is waiting and comes from the right process, -EAGAIN when there is none. */
static int accept_from(int listener, int32_t pid, uint32_t uid) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED)
        continue;
      return -errno;
    }
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == pid && peer.uid == uid)
      return fd;
    close(fd);
  }
}

int32_t ckpt_helper_accept(int32_t listener, int32_t pidfd, int32_t pid, uint32_t uid, int32_t timeout_ms) {
  int64_t end = now_ms() + timeout_ms;
  for (;;) {
    struct pollfd wait[] = {{.fd = listener, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int64_t left = end - now_ms();
    int ready = poll(wait, 2, timeout_ms < 0 ? -1 : left < 0 ? 0 : (int)left);
    if (ready < 0 && errno != EINTR)
      return -errno;
    /* Also when the process has ended: it may have connected and said why before. */
    int fd = accept_from(listener, pid, uid);
    if (fd != -EAGAIN)
      return fd;
    if (ready > 0 && wait[1].revents)
      return -ESRCH;
    if (ready > 0 && wait[0].revents & POLLHUP)
      return -EINVAL;
    if (timeout_ms >= 0 && now_ms() >= end)
      return -ETIMEDOUT;
  }
}

int32_t ckpt_helper_send(int32_t connection, const void *message, uint32_t size) {
  ssize_t sent;
  do
    sent = send(connection, message, size, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return -errno;
  return sent == (ssize_t)size ? 0 : -EMSGSIZE;
}

int32_t ckpt_helper_receive(int32_t connection, void *message, uint32_t size, int32_t timeout_ms) {
  struct pollfd wait = {.fd = connection, .events = POLLIN};
  int64_t end = now_ms() + timeout_ms;
  int ready;
  do {
    int64_t left = end - now_ms();
    ready = poll(&wait, 1, timeout_ms < 0 ? -1 : left < 0 ? 0 : (int)left);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0)
    return ready < 0 ? -errno : -ETIMEDOUT;
  ssize_t got;
  do
    got = recv(connection, message, size, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return errno == ECONNRESET ? 0 : -errno;
  return (int32_t)got;
}

int32_t ckpt_helper_close(int32_t fd) {
  return close(fd) ? -errno : 0;
}
