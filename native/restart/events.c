/* What counts and waits without a file behind it: eventfd, timerfd, signalfd. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/sys.h"
#include "descriptors.h"
#include "say.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

int eventfd_make(const struct child *child, const struct ckpt_description *d) {
  int flags = EFD_CLOEXEC | EFD_NONBLOCK | (d->b ? EFD_SEMAPHORE : 0);
  int fd = descriptor_lift(child, eventfd(0, flags), "an eventfd");
  if (fd < 0 || (d->a && sys_write_full(fd, &d->a, sizeof d->a) < 0))
    return fd < 0 ? -1 : say_problem("cannot fill an eventfd: %s", strerror(errno));
  return fcntl(fd, F_SETFL, 0) < 0 ? say_problem("cannot set up an eventfd: %s", strerror(errno)) : fd;
}

static struct timespec in_seconds(int64_t ns) {
  return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* A timer runs on with what remained; one that was set to a time of day keeps that time. */
int timerfd_make(const struct child *child, const struct ckpt_description *d) {
  const struct ckpt_timerfd *timer = &child->image->timerfds[d->a];
  const char *name = image_string(child->image, d->name);
  bool of_day = timer->clock == CLOCK_REALTIME && timer->flags & TFD_TIMER_ABSTIME;
  struct itimerspec times = {.it_interval = in_seconds(timer->interval_ns),
                             .it_value = in_seconds(timer->value_ns)};
  int fd = descriptor_lift(child, timerfd_create(timer->clock, TFD_CLOEXEC), name);
  if (fd < 0)
    return -1;
  if (timerfd_settime(fd, of_day ? (int)timer->flags : 0, &times, NULL) < 0)
    return say_problem("cannot start a timerfd: %s", strerror(errno));
  if (timer->ticks == 0 || ioctl(fd, TFD_IOC_SET_TICKS, &timer->ticks) == 0)
    return fd;
  /* A kernel without checkpoint support: at least one expiration, now. */
  times.it_value = in_seconds(1);
  if (timerfd_settime(fd, 0, &times, NULL) < 0)
    return say_problem("cannot start a timerfd: %s", strerror(errno));
  return fd;
}

int signalfd_make(const struct child *child, const struct ckpt_description *d) {
  long fd = sys(SYS_(signalfd4), -1, &d->a, sizeof d->a, O_CLOEXEC);
  errno = fd < 0 ? (int)-fd : 0;
  return descriptor_lift(child, (int)fd, "a signalfd");
}

/* Of a process that has ended: one is made for it. It sends no signal when it ends. */
static long pidfd_of_the_dead(void) {
  int fd;
  long pid = sys(SYS_(clone), CLONE_PIDFD, 0, &fd, 0, 0);
  if (pid == 0)
    sys(SYS_(exit_group), 0);
  if (pid < 0)
    return pid;
  while (waitpid((pid_t)pid, NULL, __WALL) < 0)
    if (errno != EINTR)
      return -errno;
  return fd;
}

int pidfd_make(const struct child *child, const struct ckpt_description *d, pid_t pid) {
  long fd = d->a ? pidfd_of_the_dead() : sys(SYS_(pidfd_open), pid, 0);
  errno = fd < 0 ? (int)-fd : 0;
  return descriptor_lift(child, (int)fd, "a pidfd");
}
