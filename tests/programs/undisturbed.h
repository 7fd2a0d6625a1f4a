/* What the programs of this family share. NAME main CALL | second | list: blocks in CALL in the main thread,
 * or in every call of the table at once, each in a thread of its own; or tells what is in the table. No
 * checkpoint may end a wait, shorten it, lengthen it by more than a new start, or leave a trace in errno or
 * in the floating point environment. Waits without an end of their own are ended after the line "go". */
#ifndef TESTS_UNDISTURBED_H
#define TESTS_UNDISTURBED_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "../../native/include/ckpt.h"
#include "check.h"

enum {
  MS = 2000,
  LATE_MS = 1500, /* what a busy machine may add to a wait */
  UNTOUCHED = 4711,
};

enum kind {
  UNTIL_WOKEN,
  TIMED,
  TIMED_AGAIN,  /* begins again with its full length */
  OF_DAY,       /* until a time of day, which goes on while a program is saved */
  OF_DAY_AGAIN, /* the same, made of waits that begin again */
};

struct row {
  const char *name;
  enum kind kind;
  bool outside; /* what it waits for is not in an image: it only carries on */
  void (*prepare)(void);
  void (*block)(void); /* leaves errno alone unless it says so */
  void (*wake)(void);
  pthread_t thread;
  bool woken, done;
};

static __thread struct row *current; /* in the thread that waits, and while its wake function runs */

static const struct timespec whole = {.tv_sec = MS / 1000, .tv_nsec = MS % 1000 * 1000000l};

/* When the last checkpoint let the program go on. */
static struct { long monotonic, of_day; } thawed;

static inline long now_ms(clockid_t clock) {
  struct timespec now;
  CHECK(clock_gettime(clock, &now) == 0);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct timespec after(clockid_t clock) {
  long then = now_ms(clock) + MS + 1;
  return (struct timespec){.tv_sec = then / 1000, .tv_nsec = then % 1000 * 1000000};
}

static inline void send_signal(void) {
  CHECK(pthread_kill(current->thread, SIGUSR1) == 0);
}

static void on_thaw(void *unused) {
  (void)unused;
  __atomic_store_n(&thawed.monotonic, now_ms(CLOCK_MONOTONIC), __ATOMIC_RELEASE);
  __atomic_store_n(&thawed.of_day, now_ms(CLOCK_REALTIME), __ATOMIC_RELEASE);
}

static bool is_of_day(const struct row *row) {
  return row->kind == OF_DAY || row->kind == OF_DAY_AGAIN;
}

static void check_time(const struct row *row, long start, long end) {
  if (row->kind == UNTIL_WOKEN) {
    if (!__atomic_load_n(&row->woken, __ATOMIC_ACQUIRE))
      FAIL("%s ended by itself after %ld ms", row->name, end - start);
    return;
  }
  bool again = row->kind == TIMED_AGAIN || row->kind == OF_DAY_AGAIN;
  long thaw = __atomic_load_n(is_of_day(row) ? &thawed.of_day : &thawed.monotonic, __ATOMIC_ACQUIRE);
  long whole_from = again && thaw > start ? thaw : start;
  long latest = whole_from + MS > thaw ? whole_from + MS : thaw;
  if (end - start < MS - 1)
    FAIL("%s took only %ld ms", row->name, end - start);
  if (end > latest + LATE_MS)
    FAIL("%s took %ld ms, and the last checkpoint was over after %ld", row->name, end - start, thaw - start);
}

struct fpu {
  unsigned short x87_control, x87_status;
  unsigned mxcsr;
};

static inline struct fpu read_fpu(void) {
  struct fpu fpu;
  __asm__ volatile("stmxcsr %0" : "=m"(fpu.mxcsr));
  __asm__ volatile("fnstcw %0" : "=m"(fpu.x87_control));
  __asm__ volatile("fnstsw %0" : "=m"(fpu.x87_status));
  return fpu;
}

/* Rounding, precision, and an exception that has been raised: none is as it is by default. */
static inline struct fpu change_fpu(void) {
  const unsigned short control = 0x0e7f; /* round to zero, 53 bits */
  const unsigned mxcsr = 0x5fa0;         /* round up, precision raised */
  __asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldpi\n\tfdivrp\n\tfstp %%st(0)" : : "m"(control));
  __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
  struct fpu fpu = read_fpu();
  CHECK(fpu.x87_control == control && (fpu.x87_status & 0x20) && fpu.mxcsr == mxcsr);
  return fpu;
}

/* Blocks, and looks at all that a checkpoint might have changed. */
static void *run(void *argument) {
  struct row *row = current = argument;
  clockid_t clock = is_of_day(row) ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  struct fpu before = change_fpu();
  errno = UNTOUCHED;
  long start = now_ms(clock);
  row->block();
  long end = now_ms(clock);
  int left = errno;
  struct fpu now = read_fpu();
  if (left != UNTOUCHED)
    FAIL("%s: errno became %d", row->name, left);
  if (now.mxcsr != before.mxcsr || now.x87_control != before.x87_control ||
      now.x87_status != before.x87_status)
    FAIL("%s: mxcsr %x, x87 %x and %x", row->name, now.mxcsr, now.x87_control, now.x87_status);
  check_time(row, start, end);
  __atomic_store_n(&row->done, true, __ATOMIC_RELEASE);
  return NULL;
}

/* A signal is sent until it has arrived in the wait: what pause misses is lost. */
static void wake(struct row *row) {
  if (row->kind != UNTIL_WOKEN)
    return;
  current = row;
  __atomic_store_n(&row->woken, true, __ATOMIC_RELEASE);
  do
    row->wake();
  while (row->wake == send_signal && !__atomic_load_n(&row->done, __ATOMIC_ACQUIRE) && sched_yield() == 0);
}

static void *wake_main(void *row) {
  wait_for_go();
  wake(row);
  return NULL;
}

static void in_main_thread(struct row *row) {
  pthread_t waker;
  row->thread = pthread_self();
  CHECK(pthread_create(&waker, NULL, wake_main, row) == 0);
  ready();
  run(row);
  CHECK(pthread_join(waker, NULL) == 0);
}

static void in_second_threads(struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!rows[i].outside)
      CHECK(pthread_create(&rows[i].thread, NULL, run, &rows[i]) == 0);
  ready();
  wait_for_go();
  for (size_t i = 0; i < count; i++)
    if (!rows[i].outside)
      wake(&rows[i]);
  for (size_t i = 0; i < count; i++)
    if (!rows[i].outside)
      CHECK(pthread_join(rows[i].thread, NULL) == 0);
}

static void prepare(struct row *row) {
  if (row->prepare)
    row->prepare();
}

static _Noreturn void undisturbed(int argc, char **argv, struct row *rows, size_t count) {
  CHECK(argc >= 2);
  if (strcmp(argv[1], "list") == 0) {
    for (size_t i = 0; i < count; i++)
      printf("%s%s\n", rows[i].name, rows[i].outside ? " outside" : "");
    exit(0);
  }
  CHECK(ckpt_hook && ckpt_hook(NULL, on_thaw, on_thaw, NULL) > 0);
  bool all = strcmp(argv[1], "second") == 0;
  CHECK(all || argc == 3);
  for (size_t i = 0; i < count; i++)
    if (all && !rows[i].outside) {
      prepare(&rows[i]);
    } else if (!all && strcmp(argv[2], rows[i].name) == 0) {
      prepare(&rows[i]);
      in_main_thread(&rows[i]);
      success();
    }
  if (!all)
    FAIL("no such call: %s", argv[2]);
  in_second_threads(rows, count);
  success();
}

#define MAIN                                                                                                 \
  int main(int argc, char **argv) {                                                                          \
    undisturbed(argc, argv, rows, sizeof rows / sizeof rows[0]);                                             \
  }

#endif
