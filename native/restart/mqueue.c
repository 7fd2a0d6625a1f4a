/* POSIX message queues: those of the same names, and those without one made again. */
#include "mqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptors.h"
#include "files.h"
#include "made.h"
#include "say.h"

/* A queue, of which any description that holds its messages tells them. */
struct queue {
  const char *name; /* with the slash */
  mode_t mode;
  struct mq_attr attributes;
  bool carried;
  const uint8_t *messages; /* struct ckpt_message after struct ckpt_message */
  uint64_t size;
};

static bool is_same(const struct image *image, uint32_t index, const struct ckpt_description *d) {
  return image->descriptions[index].kind == CKPT_DESC_QUEUE && image->descriptions[index].a == d->a;
}

static struct queue queue_of(const struct image *image, const struct ckpt_description *d) {
  size_t before = d->b & CKPT_QUEUE_NOTIFIES ? sizeof(struct ckpt_notification) : 0;
  bool carried = d->b & CKPT_QUEUE_CARRIED;
  return (struct queue){
      .name = image_string(image, d->name),
      .mode = (mode_t)(d->b >> 32 & 07777),
      .attributes = {.mq_maxmsg = (long)(d->a & UINT32_MAX), .mq_msgsize = (long)(d->b & UINT32_MAX)},
      .carried = carried,
      .messages = carried ? image->blob + d->data + before : NULL,
      .size = carried ? d->data_size - before : 0,
  };
}

static struct queue find_queue(const struct image *image, const struct ckpt_description *d) {
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (is_same(image, i, d) && image->descriptions[i].b & CKPT_QUEUE_CARRIED)
      return queue_of(image, &image->descriptions[i]);
  return queue_of(image, d);
}

static int open_by_name(const char *name, int flags, mode_t mode, struct mq_attr *attributes) {
  return (int)syscall(SYS_mq_open, name + 1, flags | O_CLOEXEC, mode, attributes);
}

static int open_again(int fd, uint32_t flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, (int)(flags & O_ACCMODE) | O_CLOEXEC);
}

/* ---- Messages ----------------------------------------------------------------------------------------- */

static int put_in(int fd, const uint8_t *messages, uint64_t size) {
  for (uint64_t at = 0; at < size;) {
    struct ckpt_message head;
    memcpy(&head, messages + at, sizeof head);
    if (mq_send(fd, (const char *)messages + at + sizeof head, head.size, (unsigned)head.type) < 0)
      return -errno;
    at += sizeof head + head.size;
  }
  return 0;
}

/* All of them, to be freed: null when there is no memory for that. */
static uint8_t *take_out(int fd, const struct mq_attr *now, uint64_t *size) {
  uint8_t *room = malloc((size_t)now->mq_maxmsg * (sizeof(struct ckpt_message) + (size_t)now->mq_msgsize));
  *size = 0;
  while (room) {
    struct ckpt_message head = {0};
    unsigned priority;
    uint8_t *at = room + *size;
    ssize_t n = mq_receive(fd, (char *)at + sizeof head, (size_t)now->mq_msgsize, &priority);
    if (n < 0)
      break;
    head.type = priority;
    head.size = (uint32_t)n;
    memcpy(at, &head, sizeof head);
    *size += sizeof head + head.size;
  }
  return room;
}

/* Priority and length in a line, then the message. */
static int keep_messages(const struct place *place, const struct queue *queue, const uint8_t *messages,
                         uint64_t size) {
  char path[PATH_MAX];
  int fd = kept_create(place, "old", queue->name + 1, path);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
  bool written = file != NULL;
  for (uint64_t at = 0; written && at < size;) {
    struct ckpt_message head;
    memcpy(&head, messages + at, sizeof head);
    at += sizeof head;
    written = fprintf(file, "%lld %u\n", (long long)head.type, head.size) > 0 &&
              fwrite(messages + at, 1, head.size, file) == head.size && fputc('\n', file) != EOF;
    at += head.size;
  }
  written = written && fflush(file) == 0 && fsync(fd) == 0;
  int error = errno;
  if (file)
    fclose(file);
  if (!written)
    return say_problem("cannot keep what is in the message queue %s now: %s; --files=keep leaves it as it is",
                       queue->name, strerror(fd < 0 ? -fd : error));
  say_warning("the message queue %s held other messages: it is as it was, what was there is in %s",
              queue->name, path);
  return 0;
}

static int change(const struct place *place, enum files_mode mode, const struct queue *queue, int fd,
                  const uint8_t *now, uint64_t size) {
  int result = 0;
  if (mode == FILES_STRICT)
    result = say_problem("the message queue %s holds other messages now: --files=rewind puts back those that "
                         "it held, --files=keep leaves it",
                         queue->name);
  else if (size)
    result = keep_messages(place, queue, now, size);
  if (result == 0)
    return put_in(fd, queue->messages, queue->size);
  int error = put_in(fd, now, size);
  return error < 0 ? error : result;
}

/* A lease for writing is given only to the one who has it alone; who does not own the queue cannot tell. */
static bool is_in_use(int fd) {
  return fcntl(fd, F_SETLEASE, F_WRLCK) < 0 || fcntl(fd, F_SETLEASE, F_UNLCK) < 0;
}

static int put_back(const struct place *place, enum files_mode mode, const struct queue *queue, int fd) {
  struct mq_attr now;
  if (mq_getattr(fd, &now) < 0)
    return -errno;
  if (now.mq_maxmsg != queue->attributes.mq_maxmsg || now.mq_msgsize != queue->attributes.mq_msgsize) {
    say_warning("the message queue %s is another one by now: it stays as it is", queue->name);
    return 0;
  }
  uint64_t size;
  uint8_t *messages = take_out(fd, &now, &size);
  if (!messages)
    return -ENOMEM;
  bool same = size == queue->size && memcmp(messages, queue->messages, size) == 0;
  int result = same ? put_in(fd, messages, size) : change(place, mode, queue, fd, messages, size);
  free(messages);
  return result;
}

/* One that is there: as it was, when nobody else has it. */
static int roll_back(const struct place *place, enum files_mode mode, const struct queue *queue) {
  int fd = open_by_name(queue->name, O_RDWR | O_NONBLOCK, 0, NULL), result = 0;
  if (fd < 0 && errno == ENOENT)
    return 0;
  if (fd >= 0 && !is_in_use(fd))
    result = put_back(place, mode, queue, fd);
  else
    say_warning("the message queue %s is in use by another process: its messages stay as they are",
                queue->name);
  if (fd >= 0)
    close(fd);
  return result < -1
             ? say_problem("the message queue %s cannot be put back: %s", queue->name, strerror(-result))
             : result;
}

int queues_roll_back(const struct job *job, const struct options *options) {
  for (uint32_t i = 0; i < job->count && options->files != FILES_KEEP; i++) {
    const struct image *image = &job->images[i];
    for (uint32_t j = 0; j < image->descriptions_count; j++) {
      const struct ckpt_description *d = &image->descriptions[j];
      struct queue queue;
      if (d->kind != CKPT_DESC_QUEUE || !(d->b & CKPT_QUEUE_CARRIED) || d->b & CKPT_QUEUE_REMOVED)
        continue;
      queue = queue_of(image, d);
      if (roll_back(job->children[i].place, options->files, &queue) < 0)
        return -1;
    }
  }
  return 0;
}

/* ---- Making them -------------------------------------------------------------------------------------- */

/* With its messages: open for reading and writing. */
static int make(struct queue *queue, const char *name) {
  int fd = open_by_name(name, O_RDWR | O_NONBLOCK | O_CREAT | O_EXCL, queue->mode | 0600, &queue->attributes);
  if (fd < 0)
    return -errno;
  made_note_queue(name);
  int error = put_in(fd, queue->messages, queue->size);
  if (error < 0)
    close(fd);
  return error < 0 ? error : fd;
}

/* Under a name of the moment, which no other copy of the program has. */
static int make_removed(struct queue *queue) {
  uint64_t number;
  char name[64];
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    return -EAGAIN;
  snprintf(name, sizeof name, "/ckpt-%016llx", (unsigned long long)number);
  int fd = make(queue, name);
  if (fd >= 0)
    syscall(SYS_mq_unlink, name + 1);
  return fd;
}

static int make_with_rights(const struct child *child, struct queue *queue,
                            const struct ckpt_description *d) {
  int all = d->b & CKPT_QUEUE_REMOVED ? make_removed(queue) : make(queue, queue->name);
  if (all < 0)
    return all;
  made_give(all, child->image, queue->name);
  int fd = open_again(all, d->flags);
  int error = fd < 0 ? -errno : fchmod(fd, queue->mode) < 0 ? -errno : 0;
  close(all);
  if (error < 0 && fd >= 0)
    close(fd);
  return error < 0 ? error : fd;
}

static int make_first(const struct child *child, const struct ckpt_description *d) {
  struct queue queue = find_queue(child->image, d);
  int fd = -ENOENT;
  if (!(d->b & CKPT_QUEUE_REMOVED)) {
    fd = open_by_name(queue.name, O_RDONLY, 0, NULL);
    if (fd >= 0)
      close(fd);
    bool there = fd >= 0 || errno != ENOENT;
    fd = there ? open_by_name(queue.name, (int)(d->flags & O_ACCMODE), 0, NULL) : -1;
    fd = fd < 0 ? -errno : fd;
  }
  if (fd == -ENOENT && !queue.carried && d->pos > 0)
    return say_problem("the message queue %s is gone, with the %llu messages that waited in it", queue.name,
                       (unsigned long long)d->pos);
  if (fd == -ENOENT)
    fd = make_with_rights(child, &queue, d);
  if (fd < 0)
    return say_problem("the message queue %s cannot be %s: %s", queue.name,
                       d->b & CKPT_QUEUE_REMOVED ? "made again" : "had again", strerror(-fd));
  return descriptor_lift(child, fd, queue.name);
}

int queue_make(const struct child *child, const struct ckpt_description *d) {
  const char *name = image_string(child->image, d->name);
  for (uint32_t i = 0; i < child->image->descriptions_count; i++)
    if (is_same(child->image, i, d) && child->descriptions[i] >= 0)
      return descriptor_lift(child, open_again(child->descriptions[i], d->flags), name);
  return make_first(child, d);
}
