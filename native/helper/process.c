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

static int has_ended(int pidfd) {
  struct pollfd wait = {.fd = pidfd, .events = POLLIN};
  int ready;
  do
    ready = poll(&wait, 1, 0);
  while (ready < 0 && errno == EINTR);
  return ready < 0 ? -errno : ready;
}

int32_t ckpt_helper_request(int32_t pidfd, int32_t pid, uint64_t cookie) {
  siginfo_t info = {.si_signo = CKPT_CONTROL_SIGNAL, .si_code = SI_QUEUE};
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = (void *)(uintptr_t)cookie; // NOLINT: a number in pointer's clothes
  int ended = has_ended(pidfd);
  if (ended)
    return ended < 0 ? ended : -ESRCH;
  /* A process that has not been reaped keeps its id, so from here on only its parent's wait() could let
   * the id go: pidfd_send_signal would close that gap too, but it cannot name a thread before Linux 6.9. */
  return syscall(SYS_rt_tgsigqueueinfo, pid, pid, CKPT_CONTROL_SIGNAL, &info) ? -errno : 0;
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
