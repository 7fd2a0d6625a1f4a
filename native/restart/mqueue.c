/* POSIX message queues: those of the same names. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptors.h"
#include "say.h"

int queue_make(const struct child *child, const struct ckpt_description *d) {
  const char *name = image_string(child->image, d->name);
  int how = (int)(d->flags & O_ACCMODE) | O_CLOEXEC;
  mode_t mode = (mode_t)(d->b >> 32);
  struct mq_attr attributes = {.mq_maxmsg = (long)d->a, .mq_msgsize = (long)(d->b & INT32_MAX)};
  int fd = (int)syscall(SYS_mq_open, name + 1, how, 0, NULL);
  if (fd >= 0 || errno != ENOENT)
    return descriptor_lift(child, fd, name);
  if (d->pos > 0)
    return say_problem("the message queue %s is gone, with the %llu messages that waited in it", name,
                       (unsigned long long)d->pos);
  fd = descriptor_lift(child, (int)syscall(SYS_mq_open, name + 1, how | O_CREAT | O_EXCL, mode, &attributes),
                       name);
  if (fd >= 0 && fchmod(fd, mode) < 0)
    return say_problem("cannot give the message queue %s its rights: %s", name, strerror(errno));
  return fd;
}
