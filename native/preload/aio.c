/* Queues of asynchronous I/O (io_setup), whose rings lie in memory as "/[aio]".
 *
 * What is under way in a queue the kernel shows to nobody. But whoever ends a queue waits for that: so it is
 * ended, and a new one made in its place, with all events that nobody has taken. What comes last is seen
 * through a pipe, which keeps the pages of the ring when the mapping goes. This comes before anything is
 * described, here or in another process: what ends may be counted by an eventfd (IOCB_FLAG_RESFD), or make a
 * file longer. */
#include "core/aio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "core/sys.h"
#include "core/text.h"
#include "regions.h"

enum { RING_MOST = 1 << 20 /* what a pipe takes */ };

static long open_null(void) {
  return sys(SYS_(openat), AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
}

/* A queue of this process: a child has the ring of its parent's, and nothing behind it. */
static bool is_queue(uint64_t ring) {
  static const struct timespec none;
  return sys(SYS_(io_getevents), ring, 0, 0, NULL, &none) >= 0;
}

/* The pages of the ring, kept in a pipe: its reading end. */
static long keep_pages(uint64_t ring, uint64_t size) {
  struct iovec pages = {(void *)ring, size};
  int ends[2];
  long result = sys(SYS_(pipe2), ends, O_CLOEXEC);
  if (result < 0)
    return result;
  result = sys(SYS_(fcntl), ends[1], F_SETPIPE_SZ, size);
  if (result >= 0)
    result = sys(SYS_(vmsplice), ends[1], &pages, 1, SPLICE_F_NONBLOCK);
  sys(SYS_(close), ends[1]);
  if (result == (long)size)
    return ends[0];
  sys(SYS_(close), ends[0]);
  return result < 0 ? result : -EIO;
}

struct polls {
  uint64_t *requests;
  uint32_t count;
};

/* Takes back one that an eventfd has counted, whether it is a semaphore or not. */
static void uncount(int fd) {
  char path[64], name[32];
  struct text text = text_in(path, sizeof path);
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  uint64_t count = 0;
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)fd);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, name, sizeof name - 1);
  name[n > 0 ? n : 0] = 0;
  if (!text_equal(name, "anon_inode:[eventfd]") || sys(SYS_(poll), &poller, 1, 0) != 1 ||
      sys(SYS_(read), fd, &count, sizeof count) != sizeof count || count-- == 1)
    return;
  sys(SYS_(write), fd, &count, sizeof count);
}

/* Polls do not end by themselves: they have been cancelled, which looks as if they had found nothing. */
static void take_polls(struct aio_ring *ring, uint32_t known, struct polls *polls) {
  uint32_t kept = known;
  for (uint32_t i = known; i != ring->tail; i = (i + 1) % ring->nr) {
    struct io_event event = ring->events[i];
    struct iocb request;
    struct iovec to = {&request, sizeof request}, from = {(void *)event.obj, sizeof request};
    long n = event.res == 0 ? sys(SYS_(process_vm_readv), sys(SYS_(getpid)), &to, 1, &from, 1, 0) : 0;
    if (n == sizeof request && request.aio_lio_opcode == IOCB_CMD_POLL) {
      polls->requests[polls->count++] = event.obj;
      if (request.aio_flags & IOCB_FLAG_RESFD)
        uncount((int)request.aio_resfd);
      continue;
    }
    ring->events[kept] = event;
    kept = (kept + 1) % ring->nr;
  }
  ring->tail = kept;
}

/* Ends the queue and puts the new one in its place, with its events. */
static long replace(uint64_t queue, uint64_t size, uint64_t made, int kept, struct aio_ring *copy,
                    struct polls *polls) {
  long null = open_null();
  uint32_t known = ((const volatile struct aio_ring *)queue)->tail;
  long result = null < 0 ? null : sys(SYS_(io_destroy), queue);
  if (result >= 0)
    result = sys_read_full(kept, copy, size) == (long)size ? aio_waiting(copy, size) : -EIO;
  if (result >= 0)
    take_polls(copy, known % copy->nr, polls);
  if (result >= 0)
    result = aio_fill((struct aio_ring *)made, copy, size, (int)null);
  if (result >= 0)
    result = sys(SYS_(mremap), made, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, queue);
  if (result < 0)
    sys(SYS_(io_destroy), made);
  if (null >= 0)
    sys(SYS_(close), null);
  return result < 0 ? result : 0;
}

static long make_anew(struct reading *r, uint64_t queue, uint64_t size, struct polls *polls) {
  const struct aio_ring *ring = (const struct aio_ring *)queue;
  struct aio_ring *copy = arena_take(&r->c->arena, size);
  polls->requests = arena_take(&r->c->arena, ring->nr * sizeof *polls->requests);
  if (!copy || !polls->requests)
    return -ENOMEM;
  long kept = keep_pages(queue, size);
  long made = kept < 0 ? kept : aio_setup(ring);
  long result = made < 0 ? made : replace(queue, size, (uint64_t)made, (int)kept, copy, polls);
  if (kept >= 0)
    sys(SYS_(close), kept);
  return result;
}

static long settle(struct reading *r) {
  uint64_t queue = r->map.start, size = r->map.end - queue;
  struct polls polls = {0};
  if (!is_queue(queue))
    return 0;
  if (size > RING_MOST || aio_waiting((const struct aio_ring *)queue, size) < 0)
    return refuse_region(r, "a queue of asynchronous I/O (io_setup) that is too large");
  long result = make_anew(r, queue, size, &polls);
  if (result < 0)
    return fail(r->c, result, "the queue of asynchronous I/O (io_setup) at %x cannot be looked into: %s",
                queue, text_errno(result));
  for (uint32_t i = 0; i < polls.count; i++)
    sys(SYS_(io_submit), queue, 1, &polls.requests[i]);
  return polls.count ? refuse_region(r, "a queue of asynchronous I/O (io_setup) with polls under way") : 0;
}

static bool is_ring(const char *name) {
  return text_starts(name, "/[aio]");
}

long settle_queues(struct checkpoint *c) {
  enum { BUFFER = 64 << 10 };
  struct proc_lines lines;
  struct reading *r = arena_take(&c->arena, sizeof *r);
  char *buffer = arena_take(&c->arena, BUFFER);
  if (!r || !buffer)
    return -ENOMEM;
  r->c = c;
  long result = proc_lines_open(&lines, "/proc/thread-self/maps", buffer, BUFFER);
  if (result < 0)
    return fail(c, result, "/proc/self/maps: %s", text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));) {
    if (!proc_parse_map(line, &r->map) || !is_ring(r->map.name))
      continue;
    text_copy(r->name, sizeof r->name, r->map.name);
    result = settle(r);
  }
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result < 0 ? fail(c, result, "/proc/self/maps: %s", text_errno(result)) : 0;
}

long add_queue(struct reading *r, struct ckpt_region *region) {
  if (!is_queue(region->start))
    return add_anonymous(r, region, SOURCE_EXISTING);
  region->kind = CKPT_REGION_AIO;
  region->flags = 0;
  return add_region(r, region, SOURCE_WHOLE);
}
