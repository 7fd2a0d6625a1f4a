/* Reading pages into the nest, as the restorer reads those of other processes: by chunks, each checked as it
 * has landed, by several threads. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/sys.h"
#include "job.h"
#include "nest.h"
#include "plan.h"
#include "plan_parts.h"
#include "say.h"

enum { CHUNK_PAGES = CKPT_CHUNK / CKPT_PAGE };

struct reading {
  const struct child *child;
  uint8_t *sparse;
  uint8_t pass; /* 1: the chunks that are marked sparse; 0: the others */
  uint32_t next;
  uint32_t failed;       /* 1 once a thread has failed */
  struct plan_news news; /* then: how */
};

static void give_up(struct reading *r, enum plan_step step, long error, const struct iovec *first,
                    uint64_t b) {
  if (__atomic_exchange_n(&r->failed, 1, __ATOMIC_ACQ_REL) == 0)
    r->news = (struct plan_news){
        .kind = PLAN_NEWS_STEP, .step = step, .error = error, .a = (uint64_t)first->iov_base, .b = b};
}

/* The run that holds this byte of the data. */
static uint32_t find_run(const struct image *image, uint64_t offset) {
  uint32_t low = 0, high = image->runs_count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (image->runs[middle].offset <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* Where a run belongs: in the nest, or nowhere yet (null). */
static uint8_t *place_of(const struct child *child, const struct image_run *run) {
  const struct ckpt_region *region = image_region_at(child->image, run->address);
  uint64_t at = child->nest.regions[region - child->image->regions];
  return at ? (uint8_t *)(at + (run->address - region->start)) : NULL;
}

static int gather(const struct child *child, uint64_t start, uint64_t end, uint8_t *scratch,
                  struct iovec *pieces) {
  const struct image *image = child->image;
  int count = 0;
  uint64_t at = start;
  for (uint32_t i = find_run(image, at); at < end; i++) {
    const struct image_run *run = &image->runs[i];
    uint64_t inside = at - run->offset, size = run->size - inside < end - at ? run->size - inside : end - at;
    uint8_t *place = place_of(child, run);
    pieces[count++] = (struct iovec){place ? place + inside : scratch + (at - start), size};
    at += size;
  }
  return count;
}

static void read_chunk(struct reading *r, uint32_t index, uint8_t *scratch) {
  const struct image *image = r->child->image;
  uint64_t start = (uint64_t)index * CKPT_CHUNK, size = image->prologue.data_size - start;
  struct iovec pieces[CHUNK_PAGES];
  if (size > CKPT_CHUNK)
    size = CKPT_CHUNK;
  int count = gather(r->child, start, start + size, scratch, pieces);
  uint64_t offset = image->prologue.data_offset + start;
  uint32_t sum = CKPT_CHECKSUM_START;
  long n;
  do
    n = preadv(image->fd, pieces, count, (off_t)offset);
  while (n < 0 && errno == EINTR);
  long error = n < 0 ? -errno : 0;
  /* The rest behind a short read. */
  for (uint64_t i = 0, done = error ? 0 : (uint64_t)n; i < (uint64_t)count && error == 0; i++) {
    uint64_t skip = done < pieces[i].iov_len ? done : pieces[i].iov_len, rest = pieces[i].iov_len - skip;
    done -= skip;
    offset += skip;
    n = rest ? sys_pread_full(image->fd, (uint8_t *)pieces[i].iov_base + skip, rest, offset) : 0;
    error = n < 0 ? n : (uint64_t)n != rest ? -ENODATA : 0;
    offset += rest;
    sum = ckpt_checksum(sum, pieces[i].iov_base, pieces[i].iov_len);
  }
  if (error)
    give_up(r, PLAN_STEP_READ, error, pieces, offset);
  else if (sum != image->checksums[index])
    give_up(r, PLAN_STEP_CHECKSUM, -EBADMSG, pieces, index);
}

static void read_chunks(struct reading *r) {
  uint8_t *scratch = malloc(CKPT_CHUNK);
  const struct iovec nothing = {NULL, 0};
  if (!scratch)
    give_up(r, PLAN_STEP_READ, -ENOMEM, &nothing, 0);
  while (!__atomic_load_n(&r->failed, __ATOMIC_ACQUIRE)) {
    uint32_t index = __atomic_fetch_add(&r->next, 1, __ATOMIC_RELAXED);
    if (index >= r->child->image->checksums_count)
      break;
    if (r->sparse[index] == r->pass)
      read_chunk(r, index, scratch);
  }
  free(scratch);
}

struct worker {
  pthread_t thread;
  struct reading *reading;
  pid_t tid;
};

static void *work(void *argument) {
  struct worker *worker = argument;
  worker->tid = gettid();
  read_chunks(worker->reading);
  return NULL;
}

/* Its id may be one that is wanted: it is free when the kernel knows nothing of the thread any more. */
static void join(struct worker *worker) {
  pthread_join(worker->thread, NULL);
  while (sys(SYS_(tgkill), getpid(), worker->tid, 0) == 0)
    sched_yield();
}

static void run_pass(struct reading *r, uint8_t pass) {
  struct worker workers[PLAN_WORKERS];
  uint32_t started = 0, wanted = plan_count_workers(r->child->image);
  r->pass = pass;
  r->next = 0;
  for (; started < wanted; started++) {
    workers[started] = (struct worker){.reading = r};
    if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
      break;
  }
  read_chunks(r);
  while (started)
    join(&workers[--started]);
}

int nest_read(struct child *child) {
  const struct image *image = child->image;
  struct reading r = {.child = child, .sparse = calloc(image->checksums_count + 1ul, 1)};
  if (!r.sparse)
    return say_problem("not enough memory");
  mark_sparse_chunks(image, r.sparse);
  /* Where it cannot be turned off, huge pages waste some memory. */
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  if (memchr(r.sparse, 1, image->checksums_count))
    run_pass(&r, 1);
  prctl(PR_SET_THP_DISABLE, image->process.thp_disable != 0, 0, 0, 0);
  run_pass(&r, 0);
  free(r.sparse);
  child->nest.filled = true;
  if (!r.failed)
    return 0;
  plan_explain(image, &r.news);
  return -1;
}
