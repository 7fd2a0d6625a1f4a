/* Pipes with both ends in the program, and what was in them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/sys.h"
#include "descriptors.h"
#include "say.h"

/* Each by one write, which is a packet again. */
static long write_packets(const struct child *child, const struct ckpt_description *d, int write_end) {
  const uint8_t *at = child->image->blob + d->data, *end = at + d->data_size;
  long error = fcntl(write_end, F_SETFL, O_NONBLOCK | O_DIRECT) < 0 ? -errno : 0;
  while (at < end && error == 0) {
    struct ckpt_packet head;
    memcpy(&head, at, sizeof head);
    at += sizeof head + head.rights * sizeof(uint32_t) + head.address_size;
    error = sys_write_full(write_end, at, head.size);
    at += head.size;
  }
  return error;
}

static int fill_pipe(struct child *child, const struct ckpt_description *d, int write_end) {
  uint64_t capacity = d->b & ~CKPT_PIPE_PACKETS;
  if (capacity && fcntl(write_end, F_GETPIPE_SZ) != (int)capacity &&
      fcntl(write_end, F_SETPIPE_SZ, (int)capacity) < 0)
    say_warning("cannot give %s its capacity of %llu bytes: %s", image_string(child->image, d->name),
                (unsigned long long)capacity, strerror(errno));
  if (d->data_size == 0)
    return 0;
  int waiting = 0;
  if (d->file && (ioctl(write_end, FIONREAD, &waiting) < 0 || waiting > 0)) {
    say_warning("something waits in %s already: what did when it was saved is not added",
                image_string(child->image, d->name));
    return 0;
  }
  if (fcntl(write_end, F_SETFL, O_NONBLOCK) < 0)
    return say_problem("cannot set up a pipe: %s", strerror(errno));
  long error = d->b & CKPT_PIPE_PACKETS
                   ? write_packets(child, d, write_end)
                   : sys_write_full(write_end, child->image->blob + d->data, d->data_size);
  if (error < 0)
    return say_problem("cannot put %llu bytes back into %s: %s", (unsigned long long)d->data_size,
                       image_string(child->image, d->name), strerror((int)-error));
  return fcntl(write_end, F_SETFL, 0) < 0 ? say_problem("cannot set up a pipe: %s", strerror(errno)) : 0;
}

/* Another opening of the same end. */
static int open_end(const struct child *child, int end, uint32_t flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", end);
  return descriptor_lift(child, open(path, (int)(flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC), "a pipe");
}

static bool is_same(const struct ckpt_description *a, const struct ckpt_description *b) {
  return a->kind == CKPT_DESC_PIPE && a->a == b->a && a->file == b->file;
}

/* Does the program write to it, or is there something to put into it? */
static bool needs_writer(const struct image *image, const struct ckpt_description *pipe) {
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    if (is_same(d, pipe) && ((d->flags & O_ACCMODE) != O_RDONLY || d->data_size))
      return true;
  }
  return false;
}

/* Both ends. Opening a named one for both waits for nobody, and lets the others be opened likewise; but
 * whoever only reads would see a writer go (POLLHUP). */
static int make_ends(struct child *child, const struct ckpt_description *d, int ends[2]) {
  if (d->file) {
    uint32_t mode = needs_writer(child->image, d) ? O_RDWR : O_RDONLY;
    ends[0] = ends[1] = file_open(child, d->file - 1, mode | O_NONBLOCK);
    return ends[0] < 0 ? -1 : 0;
  }
  if (pipe2(ends, O_CLOEXEC) < 0)
    return say_problem("cannot make a pipe: %s", strerror(errno));
  ends[0] = descriptor_lift(child, ends[0], "a pipe");
  ends[1] = ends[0] < 0 ? -1 : descriptor_lift(child, ends[1], "a pipe");
  return ends[1] < 0 ? -1 : 0;
}

/* All ends of the pipe that description `first` is the first of. */
int pipe_make(struct child *child, uint32_t first) {
  const struct ckpt_description *all = child->image->descriptions;
  bool named = all[first].file != 0, used[2] = {false, named};
  int ends[2];
  if (make_ends(child, &all[first], ends) < 0)
    return -1;
  for (uint32_t i = first; i < child->image->descriptions_count; i++) {
    if (!is_same(&all[i], &all[first]))
      continue;
    uint32_t mode = all[i].flags & O_ACCMODE;
    if (mode != O_WRONLY && fill_pipe(child, &all[i], ends[1]) < 0)
      return -1;
    int end = mode == O_RDONLY ? 0 : 1;
    bool again = named || used[end] || mode == O_RDWR;
    child->descriptions[i] = again ? open_end(child, ends[end], all[i].flags) : ends[end];
    if (child->descriptions[i] < 0)
      return -1;
    used[end] |= !again;
  }
  for (int i = 0; i < 2; i++)
    if (!used[i])
      close(ends[i]);
  return 0;
}
