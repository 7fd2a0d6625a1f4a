/* Pipes with both ends in the program, and what was in them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/sys.h"
#include "descriptors.h"
#include "say.h"

static int fill_pipe(struct child *child, const struct ckpt_description *d, int write_end) {
  uint64_t capacity = d->b;
  if (capacity && fcntl(write_end, F_GETPIPE_SZ) != (int)capacity &&
      fcntl(write_end, F_SETPIPE_SZ, (int)capacity) < 0)
    say_warning("cannot give %s its capacity of %llu bytes: %s", image_string(child->image, d->name),
                (unsigned long long)capacity, strerror(errno));
  if (d->data_size == 0)
    return 0;
  if (fcntl(write_end, F_SETFL, O_NONBLOCK) < 0)
    return say_problem("cannot set up a pipe: %s", strerror(errno));
  long error = sys_write_full(write_end, child->image->blob + d->data, d->data_size);
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

/* All ends of the pipe that description `first` is the first of. */
int pipe_make(struct child *child, uint32_t first) {
  const struct ckpt_description *all = child->image->descriptions;
  int ends[2];
  bool used[2] = {false, false};
  if (pipe2(ends, O_CLOEXEC) < 0)
    return say_problem("cannot make a pipe: %s", strerror(errno));
  if ((ends[0] = descriptor_lift(child, ends[0], "a pipe")) < 0 ||
      (ends[1] = descriptor_lift(child, ends[1], "a pipe")) < 0)
    return -1;
  for (uint32_t i = first; i < child->image->descriptions_count; i++) {
    if (all[i].kind != CKPT_DESC_PIPE || all[i].a != all[first].a)
      continue;
    if ((all[i].flags & O_ACCMODE) == O_RDONLY && fill_pipe(child, &all[i], ends[1]) < 0)
      return -1;
    uint32_t mode = all[i].flags & O_ACCMODE;
    int end = mode == O_RDONLY ? 0 : 1;
    child->descriptions[i] =
        used[end] || mode == O_RDWR ? open_end(child, ends[end], all[i].flags) : ends[end];
    if (child->descriptions[i] < 0)
      return -1;
    used[end] |= mode != O_RDWR;
  }
  for (int i = 0; i < 2; i++)
    if (!used[i])
      close(ends[i]);
  return 0;
}
