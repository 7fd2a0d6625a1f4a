/* Pipes: which ends the process has, and what waits in them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "job.h"
#include "open_files.h"
#include "sockets.h"

static int count_waiting(int fd) {
  int waiting = 0;
  return sys(SYS_(ioctl), fd, FIONREAD, &waiting) < 0 ? 0 : waiting;
}

/* Bytes that wait in a pipe, without consuming them: tee duplicates them into another pipe, whose reading end
 * this is; packets stay packets. */
static long duplicate(int fd, int waiting, uint64_t capacity) {
  int copy[2];
  long result = sys(SYS_(pipe2), copy, O_CLOEXEC | O_NONBLOCK);
  if (result < 0)
    return result;
  result = sys(SYS_(fcntl), copy[1], F_SETPIPE_SZ, capacity);
  if (result >= 0)
    result = sys(SYS_(tee), fd, copy[1], waiting, 2 /* SPLICE_F_NONBLOCK */);
  sys(SYS_(close), copy[1]);
  if (result == waiting)
    return copy[0];
  sys(SYS_(close), copy[0]);
  return result < 0 ? result : -EIO;
}

/* Are they packets? A read of less than all of one takes the rest of it along. One packet of one byte does
 * not differ from a byte but by an end that still writes packets. */
static long holds_packets(int fd, int waiting, uint64_t capacity, bool ends_say_so) {
  char first;
  long copy = ends_say_so ? 0 : duplicate(fd, waiting, capacity);
  if (copy < 0 || ends_say_so)
    return copy < 0 ? copy : 1;
  long n = sys(SYS_(read), copy, &first, 1);
  bool packets = n == 1 && count_waiting((int)copy) != waiting - 1;
  sys(SYS_(close), copy);
  return n < 0 ? n : packets;
}

static long keep_bytes(struct looking *l, struct ckpt_description *d, int copy, int waiting) {
  char *bytes = arena_take(&l->c->arena, (size_t)waiting);
  long n = bytes ? sys_read_full(copy, bytes, (size_t)waiting) : -ENOMEM;
  if (n < 0)
    return n;
  long offset = list_add_bytes(&l->c->arena, &l->c->blob, bytes, (size_t)n);
  d->data = (uint64_t)offset;
  d->data_size = (uint64_t)n;
  return offset < 0 ? offset : 0;
}

/* None is longer than a page. */
static long keep_as_packets(struct looking *l, struct ckpt_description *d, int copy) {
  struct list packets = {0};
  char bytes[CKPT_PAGE];
  long result = 0;
  while (result >= 0 && count_waiting(copy) > 0) {
    result = sys(SYS_(read), copy, bytes, sizeof bytes);
    struct ckpt_packet head = {.size = (uint32_t)result};
    if (result > 0)
      result = add_packet(l->c, &packets, &head, NULL, NULL, bytes);
  }
  d->b |= CKPT_PIPE_PACKETS;
  size_t index = (size_t)(d - (struct ckpt_description *)l->c->descriptions.entries);
  return result < 0 ? result : keep_packets(l->c, &packets, index);
}

static long peek_pipe(struct looking *l, struct ckpt_description *d, bool writes_packets) {
  uint64_t capacity = d->b;
  int waiting = count_waiting(l->fd);
  if (waiting == 0)
    return 0;
  long packets = holds_packets(l->fd, waiting, capacity, writes_packets);
  long copy = packets < 0 ? packets : duplicate(l->fd, waiting, capacity);
  if (copy < 0)
    return copy;
  long result = packets ? keep_as_packets(l, d, (int)copy) : keep_bytes(l, d, (int)copy, waiting);
  sys(SYS_(close), copy);
  return result;
}

long describe_fifo(struct looking *l, struct ckpt_description *d) {
  d->a = l->st.st_ino; /* describe_pipes decides when all ends are known */
  d->kind = CKPT_DESC_PIPE;
  bool named = !text_starts(l->name, "pipe:");
  if (named && leads_outside(l))
    return describe_outside(l, d);
  bool removed =
      named && !is_named(&l->st, l->name); /* nobody else can open it: a pipe like those without a name */
  long file = named && !removed ? add_file(l->c, &l->st, l->name, CKPT_FILE_OPEN) : 0;
  if (file < 0)
    return file;
  d->file = (uint32_t)file;
  long capacity = sys(SYS_(fcntl), l->fd, F_GETPIPE_SZ);
  d->b = capacity < 0 ? 0 : (uint64_t)capacity;
  return 0;
}

/* What the other ends of this pipe tell: has the job both, and does one of them lead outside? */
struct ends {
  bool reads, writes;
  bool packets;  /* some end writes them: O_DIRECT */
  size_t reader; /* the first description that reads: contents go with it */
  int outside;   /* the number at the start of one with the same access that was there then, or -1 */
  bool leaders;  /* that is one of the leader's, which `restart` has */
};

static struct ends find_ends(struct looking *l, const struct inode *known, size_t which) {
  const struct ckpt_description *all = l->c->descriptions.entries;
  struct ends ends = {.outside = -1, .reader = SIZE_MAX};
  for (size_t i = 0; i < l->c->descriptions.count; i++) {
    if (known[i].ino != known[which].ino || known[i].dev != known[which].dev)
      continue;
    if (ends.reader == SIZE_MAX && all[i].kind == CKPT_DESC_PIPE && access_mode(all[i].flags) != O_WRONLY)
      ends.reader = i;
    ends.packets |= access_mode(all[i].flags) != O_RDONLY && all[i].flags & O_DIRECT;
    ends.reads |= access_mode(all[i].flags) != O_WRONLY;
    ends.writes |= access_mode(all[i].flags) != O_RDONLY;
    l->fd = known[i].fd;
    l->st.st_ino = known[i].ino;
    l->st.st_dev = known[i].dev;
    if (leads_outside(l) && access_mode(all[i].flags) == access_mode(all[which].flags))
      ends.outside = outside_number(l->fd, l->st.st_dev, l->st.st_ino);
  }
  l->fd = known[which].fd;
  const struct open_file *files = l->c->open_files.entries;
  for (size_t i = 0; i < l->c->open_files.count; i++) {
    if (files[i].ino != known[which].ino || files[i].dev != known[which].dev)
      continue;
    ends.packets |= access_mode(files[i].flags) != O_RDONLY && files[i].flags & O_DIRECT;
    ends.reads |= access_mode(files[i].flags) != O_WRONLY;
    ends.writes |= access_mode(files[i].flags) != O_RDONLY;
    if (files[i].process == 0 && files[i].outside &&
        access_mode(files[i].flags) == access_mode(all[which].flags))
      ends.outside = (int)files[i].outside - 1, ends.leaders = true;
  }
  return ends;
}

/* Nobody anywhere has the other end. */
static bool is_other_end_closed(int fd) {
  struct pollfd poller = {.fd = fd};
  return sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & (POLLHUP | POLLERR);
}

/* Or nobody but those that are left out. What the leader was started with leads to `restart`'s all the same.
 */
static bool is_given_up(struct checkpoint *c, const struct ends *ends, const struct inode *inode) {
  return !ends->leaders && ignored_has(c, inode, ends->reads ? O_WRONLY : O_RDONLY);
}

/* A pipe whose other end is not here leads outside: fine for 0, 1, 2, for what the program was started with,
 * for what it opened through them, and for one with a name. */
long describe_pipes(struct looking *l, const struct list *inodes) {
  struct checkpoint *c = l->c;
  struct ckpt_description *all = c->descriptions.entries;
  for (size_t i = 0; i < c->descriptions.count; i++) {
    struct ckpt_description *d = &all[i];
    if (d->kind != CKPT_DESC_PIPE)
      continue;
    struct ends ends = find_ends(l, inodes->entries, i);
    text_copy(l->name, sizeof l->name, string_at(c, d->name));
    const struct inode *inode = (const struct inode *)inodes->entries + i;
    if (!d->file && ends.reads != ends.writes && (is_other_end_closed(l->fd) || is_given_up(c, &ends, inode)))
      ends.reads = ends.writes = true;
    if (d->file || (ends.reads && ends.writes)) {
      bool carries = ends.reader == i && carries_inode(c, inode->dev, d->a);
      long result = carries ? peek_pipe(l, d, ends.packets) : 0;
      if (result < 0)
        return fail(c, result, "descriptor %d: the contents of the pipe cannot be copied: %s", (int64_t)l->fd,
                    text_errno(result));
    } else if (ends.outside >= 0) {
      d->kind = CKPT_DESC_OUTSIDE;
      d->a = (uint64_t)ends.outside;
    } else {
      return refuse(l, "one end of a pipe whose other end is outside");
    }
  }
  return 0;
}
