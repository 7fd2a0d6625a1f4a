/* Inotify instances: their watches under the numbers that they had. What happened to the files from the
 * checkpoint on nobody has seen, and what waited to be read could only have been looked at by taking it: the
 * program is told so by the event that the kernel has for that, IN_Q_OVERFLOW. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdio.h>

#include "descriptors.h"
#include "say.h"

int inotify_make(const struct child *child) {
  return descriptor_lift(child, inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "an inotify instance");
}

/* Numbers are given in order and, until there are 2^31 of them, only once. */
static int watch_again(const struct child *child, const struct ckpt_inotify *watch) {
  int instance = child->descriptions[watch->instance], number;
  const char *path = image_string(child->image, child->image->files[watch->file - 1].path);
  for (;;) {
    number = inotify_add_watch(instance, path, watch->mask | IN_DONT_FOLLOW);
    if (number < 0)
      return say_problem("cannot watch %s again: %s", path, strerror(errno));
    if (number == watch->number)
      return 0;
    if (number > watch->number)
      return say_problem("cannot watch %s again as number %d: it has become %d", path, watch->number, number);
    inotify_rm_watch(instance, number);
  }
}

static int waiting_bytes(int instance) {
  int count = 0;
  return ioctl(instance, FIONREAD, &count) < 0 ? -1 : count;
}

/* Two events on a file of our own, in turn: equal ones in a row are kept as one. More and more until no more
 * fit: then the last one is that of the overflow. */
static int overflow(int instance, int file) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  int number = inotify_add_watch(instance, path, IN_MODIFY | IN_ATTRIB);
  int before, after = waiting_bytes(instance);
  if (number < 0 || after < 0)
    return -1;
  do {
    before = after;
    if (ftruncate(file, 0) < 0 || fchmod(file, 0600) < 0)
      return -1;
    after = waiting_bytes(instance);
  } while (after > before);
  inotify_rm_watch(instance, number);
  return after;
}

/* Leaves that one event alone. */
static int read_all_but_last(int instance, int waiting) {
  static char events[1 << 16];
  size_t left = (size_t)waiting - sizeof(struct inotify_event);
  while (left) {
    ssize_t n = read(instance, events, left < sizeof events ? left : sizeof events);
    if (n <= 0)
      return -1;
    left -= (size_t)n;
  }
  return 0;
}

static int tell_of_loss(int instance) {
  int file = memfd_create("overflow", MFD_CLOEXEC);
  int waiting = file < 0 ? -1 : overflow(instance, file);
  int result = waiting < 0 ? -1 : read_all_but_last(instance, waiting);
  if (result < 0)
    say_problem("cannot tell an inotify instance that events have been lost: %s", strerror(errno));
  if (file >= 0)
    close(file);
  return result;
}

static int compare(const void *a, const void *b) {
  const struct ckpt_inotify *x = a, *y = b;
  if (x->instance != y->instance)
    return x->instance < y->instance ? -1 : 1;
  return x->number - y->number;
}

int inotify_fill(const struct child *child) {
  struct image *image = child->image;
  qsort(image->inotify, image->inotify_count, sizeof *image->inotify, compare);
  for (uint32_t i = 0; i < image->inotify_count; i++) {
    const struct ckpt_inotify *watch = &image->inotify[i];
    if (image->descriptions[watch->instance].kind != CKPT_DESC_INOTIFY) /* --fd gave it another file */
      continue;
    if (watch_again(child, watch) < 0)
      return -1;
    bool last = i + 1 == image->inotify_count || image->inotify[i + 1].instance != watch->instance;
    if (last && tell_of_loss(child->descriptions[watch->instance]) < 0)
      return -1;
  }
  return 0;
}
