/* Epoll sets. A set remembers the number of what it watches, so all of it waits for the program's descriptors
 * to be in place; sets inside sets need no order, since all are there by then. What another process has, or
 * the program under another number, gets its number for that moment. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "descriptors.h"
#include "say.h"

enum { ALWAYS = EPOLLERR | EPOLLHUP, HOW = EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE | EPOLLWAKEUP };

int epoll_make(const struct child *child) {
  return descriptor_lift(child, epoll_create1(EPOLL_CLOEXEC), "an epoll set");
}

static bool has_fired(const struct ckpt_watch *watch) {
  return watch->events & EPOLLONESHOT && !(watch->events & ~(uint32_t)HOW);
}

static int watch_one(const struct child *child, const struct ckpt_watch *watch, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = watch->data};
  if (epoll_ctl(child->descriptions[watch->set], EPOLL_CTL_ADD, watch->fd, &event) == 0)
    return 0;
  /* What leads outside may be a file now, which is always ready and cannot be watched. */
  if (errno != EPERM)
    return say_problem("descriptor %d cannot be watched by an epoll set again: %s", watch->fd,
                       strerror(errno));
  say_warning("descriptor %d is now a file, which epoll cannot watch: the program may not see its input",
              watch->fd);
  return 0;
}

/* A one-shot watch that has fired is silent, even about errors, but what is added never is: it has to fire
 * again. What is not ready for anything has nothing to say either. */
static int watch_fired(const struct child *child, const struct ckpt_watch *watch) {
  struct epoll_event event = {.events = watch->events, .data.u64 = watch->data};
  int set = child->descriptions[watch->set];
  if (watch_one(child, watch, watch->events | EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP) < 0)
    return -1;
  struct epoll_event fired;
  int count = epoll_wait(set, &fired, 1, 0);
  if (count < 0 || (count == 0 && epoll_ctl(set, EPOLL_CTL_MOD, watch->fd, &event) < 0 && errno != ENOENT))
    return say_problem("an epoll set cannot watch descriptor %d again: %s", watch->fd, strerror(errno));
  return 0;
}

/* Under its number there may be something else by now, or nothing, which is so again afterwards: a set goes
 * on to watch a file whose number is closed while others have it. */
static int lend_number(const struct child *child, const struct ckpt_watch *watch, int target, int *kept) {
  *kept = fcntl(watch->fd, F_DUPFD_CLOEXEC, child->base);
  if ((*kept < 0 && errno != EBADF) || dup3(target, watch->fd, O_CLOEXEC) < 0)
    return say_problem("number %d cannot be lent to what an epoll set watches: %s", watch->fd,
                       strerror(errno));
  return 0;
}

static int take_number_back(const struct ckpt_watch *watch, int flags, int kept) {
  if (kept < 0)
    return close(watch->fd);
  if (dup3(kept, watch->fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
    return say_problem("descriptor %d cannot be put back: %s", watch->fd, strerror(errno));
  return close(kept);
}

static int watch_again(const struct child *child, uint32_t index) {
  const struct ckpt_watch *watch = &child->image->watches[index];
  if (child->image->descriptions[watch->set].kind != CKPT_DESC_EPOLL) /* --fd gave it another file */
    return 0;
  int target = watch->pid ? child->watched[index] : (int)watch->target;
  if (!watch->pid && target)
    target = child->descriptions[target - 1];
  int flags = fcntl(watch->fd, F_GETFD), kept = -1;
  bool lent = watch->pid || watch->target;
  if (lent && lend_number(child, watch, target, &kept) < 0)
    return -1;
  int result = has_fired(watch) ? watch_fired(child, watch) : watch_one(child, watch, watch->events);
  return lent && take_number_back(watch, flags, kept) < 0 ? -1 : result;
}

int epoll_fill(const struct child *child) {
  const struct image *image = child->image;
  for (int fired = 1; fired >= 0; fired--)
    for (uint32_t i = 0; i < image->watches_count; i++)
      if (has_fired(&image->watches[i]) == (bool)fired && watch_again(child, i) < 0)
        return -1;
  return 0;
}
