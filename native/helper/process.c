/* Processes that are not our children: finding, signalling and waiting for them without ever meeting a
 * later one that got the same id. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/control.h"
#include "helper/helper.h"

int32_t ckpt_helper_open_process(int32_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : (int32_t)fd;
}

int32_t ckpt_helper_kill(int32_t pidfd, int32_t signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) ? -errno : 0;
}

int32_t ckpt_helper_wait(int32_t pidfd, int32_t event) {
  struct pollfd wait[] = {{.fd = pidfd, .events = POLLIN}, {.fd = event, .events = POLLIN}};
  int ready;
  do
    ready = poll(wait, 2, -1);
  while (ready < 0 && errno == EINTR);
  if (ready < 0)
    return -errno;
  return wait[0].revents != 0;
}

int32_t ckpt_helper_event(void) {
  int fd = eventfd(0, EFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int32_t ckpt_helper_signal_event(int32_t event) {
  return eventfd_write(event, 1) ? -errno : 0;
}
