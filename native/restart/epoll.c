/* Epoll sets. A set remembers the number of what it watches, so all of it waits for the program's descriptors
 * to be in place; sets inside sets need no order, since all are there by then. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

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

int epoll_fill(const struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->watches_count; i++)
    if (has_fired(&image->watches[i]) && watch_fired(child, &image->watches[i]) < 0)
      return -1;
  for (uint32_t i = 0; i < image->watches_count; i++)
    if (!has_fired(&image->watches[i]) && watch_one(child, &image->watches[i], image->watches[i].events) < 0)
      return -1;
  return 0;
}
