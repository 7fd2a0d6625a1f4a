/* Reading the pages: chunks of the core file, scattered to where they belong, and checked as they landed.
 *
 * Threads take the next chunk from a counter. There are two passes: chunks whose pages lie far apart come
 * first, with huge pages off, because a huge page under a lonely page would use up to 512 times its memory.
 */
#include "restorer/restorer.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/uio.h>

#include "core/checksum.h"

enum { CHUNK_PAGES = CKPT_CHUNK / CKPT_PAGE };

struct chunk {
  struct iovec pieces[CHUNK_PAGES];
  int count;
  uint64_t offset; /* in the data */
};

/* The run that holds this byte of the data. */
static uint32_t find_run(const struct plan *plan, uint64_t offset) {
  uint32_t low = 0, high = plan->run_count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (plan->runs[middle].offset <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static void gather(const struct plan *plan, uint64_t index, uint8_t *scratch, struct chunk *chunk) {
  uint64_t at = index * CKPT_CHUNK;
  uint64_t end = at + CKPT_CHUNK < plan->data_size ? at + CKPT_CHUNK : plan->data_size;
  chunk->offset = at;
  chunk->count = 0;
  for (uint32_t i = find_run(plan, at); at < end; i++) {
    const struct plan_run *run = &plan->runs[i];
    uint64_t inside = at - run->offset;
    uint64_t size = run->size - inside < end - at ? run->size - inside : end - at;
    uint8_t *to = run->address ? (uint8_t *)run->address + inside : scratch + (at - chunk->offset);
    chunk->pieces[chunk->count++] = (struct iovec){.iov_base = to, .iov_len = size};
    at += size;
  }
}

static void read_chunk(struct plan *plan, const struct chunk *chunk) {
  struct iovec left[CHUNK_PAGES];
  for (int i = 0; i < chunk->count; i++)
    left[i] = chunk->pieces[i];
  uint64_t offset = plan->data_offset + chunk->offset;
  for (int first = 0; first < chunk->count;) {
    long n = sys(SYS_(preadv), plan->core_fd, left + first, chunk->count - first, offset, 0);
    if (n == -EINTR)
      continue;
    if (n <= 0)
      restorer_fail(plan, PLAN_STEP_READ, n ? n : -ENODATA, (uint64_t)left[first].iov_base, offset);
    offset += (uint64_t)n;
    for (uint64_t done = (uint64_t)n; first < chunk->count && done >= left[first].iov_len; first++)
      done -= left[first].iov_len, n = (long)done;
    if (first < chunk->count && n > 0) {
      left[first].iov_base = (uint8_t *)left[first].iov_base + n;
      left[first].iov_len -= (uint64_t)n;
    }
  }
}

static void check_chunk(struct plan *plan, uint32_t index, const struct chunk *chunk) {
  uint32_t sum = CKPT_CHECKSUM_START;
  for (int i = 0; i < chunk->count; i++)
    sum = ckpt_checksum(sum, chunk->pieces[i].iov_base, chunk->pieces[i].iov_len);
  if (sum != plan->checksums[index])
    restorer_fail(plan, PLAN_STEP_CHECKSUM, -EBADMSG, (uint64_t)chunk->pieces[0].iov_base, index);
}

static void take_chunks(struct plan *plan, uint64_t worker) {
  struct chunk chunk;
  for (;;) {
    uint32_t index = __atomic_fetch_add(&plan->next_chunk, 1, __ATOMIC_RELAXED);
    if (index >= plan->chunk_count)
      return;
    if (plan->sparse[index] != plan->pass)
      continue;
    gather(plan, index, plan->scratch + worker * CKPT_CHUNK, &chunk);
    read_chunk(plan, &chunk);
    check_chunk(plan, index, &chunk);
  }
}

void restorer_worker(struct plan *plan, uint64_t number) {
  take_chunks(plan, number);
  for (;;)
    sys(SYS_(exit), 0);
}

static long start(struct plan *plan, uint32_t i) {
  uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                   CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  /* Set before the thread exists: it may be gone again before anyone looks. */
  plan->worker_tids[i] = -1;
  return restorer_start_worker(flags, plan->worker_stacks + (i + 2ull) * PLAN_STACK, &plan->worker_tids[i],
                               plan, i + 1);
}

/* Until the kernel knows nothing of it any more: the program must not find a second thread. */
static void join(struct plan *plan, uint32_t i, long tid) {
  for (;;) {
    int32_t now = __atomic_load_n(&plan->worker_tids[i], __ATOMIC_ACQUIRE);
    if (now == 0)
      break;
    long error = sys(SYS_(futex), &plan->worker_tids[i], FUTEX_WAIT, now, 0, 0, 0);
    if (error < 0 && error != -EAGAIN && error != -EINTR)
      restorer_fail(plan, PLAN_STEP_WORKER, error, i, 0);
  }
  while (sys(SYS_(tgkill), sys(SYS_(getpid)), tid, 0) == 0)
    sys(SYS_(sched_yield));
}

static void run_pass(struct plan *plan, uint32_t pass) {
  long tids[PLAN_WORKERS];
  uint32_t started = 0;
  plan->pass = pass;
  plan->next_chunk = 0;
  /* Fewer threads are only slower. */
  while (started < plan->worker_count && (tids[started] = start(plan, started)) > 0)
    started++;
  take_chunks(plan, 0);
  for (uint32_t i = 0; i < started; i++)
    join(plan, i, tids[i]);
}

static void disable_huge_pages(struct plan *plan, unsigned long disable) {
  long error = sys(SYS_(prctl), PR_SET_THP_DISABLE, disable, 0, 0, 0);
  if (error < 0)
    restorer_fail(plan, PLAN_STEP_PRCTL, error, PR_SET_THP_DISABLE, 0);
}

void restorer_read_pages(struct plan *plan) {
  bool sparse = false, dense = false;
  for (uint32_t i = 0; i < plan->chunk_count; i++) {
    sparse |= plan->sparse[i] == PLAN_CHUNK_SPARSE;
    dense |= plan->sparse[i] == PLAN_CHUNK_DENSE;
  }
  if (sparse) {
    disable_huge_pages(plan, 1);
    run_pass(plan, PLAN_CHUNK_SPARSE);
  }
  disable_huge_pages(plan, plan->process.thp_disable != 0);
  if (dense)
    run_pass(plan, PLAN_CHUNK_DENSE);
}
