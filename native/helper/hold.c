/* Holding a stopped process while it is saved, as the leader of a job holds its members (core/held.h). Who
 * has asked may be killed meanwhile: nobody but us would let the process leave the handler then, before
 * SIGCONT. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/held.h"
#include "helper/helper.h"
#include "helper/request.h"

enum { MOST_THREADS = 1 << 16, NAP_NS = 50000 };

struct holding {
  struct target target;
  pid_t parent; /* who has asked: this process, until that has ended */
  int32_t listener;
  int32_t *words;
  struct held *threads;
  size_t count;
};

static int32_t state_of(const struct holding *h) {
  return __atomic_load_n(&h->words[0], __ATOMIC_ACQUIRE);
}

static void let_leave(struct holding *h) {
  if (held_begin_leaving(h->threads, h->count))
    held_wait_until_left(h->threads, h->count);
}

static bool is_alone(const struct holding *h) {
  return getppid() != h->parent;
}

/* The image is written all the same, for as long as that takes. */
static void let_leave_alone(struct holding *h) {
  while (held_begin_leaving(h->threads, h->count))
    held_wait_until_left(h->threads, h->count);
}

/* 0: it is held, and has a handler. */
static int32_t take_hold(struct holding *h) {
  int signal;
  long count = held_list(h->target.pid, h->threads, MOST_THREADS);
  if (count <= 0)
    return count < 0 ? (int32_t)count : -EAGAIN;
  h->count = (size_t)count;
  long result = held_seize(h->threads, h->count, &signal);
  if (result <= 0)
    return result < 0 ? (int32_t)result : -EAGAIN;
  h->words[1] = signal;
  let_leave(h);
  return held_load(h->threads, h->count) ? 0 : -EAGAIN;
}

/* Until it is told to end, or nothing more can come, or nobody is left to tell. */
static int32_t look_after(const struct holding *h) {
  const struct timespec nap = {.tv_nsec = NAP_NS};
  while (state_of(h) != HOLD_ENDS && !is_alone(h)) {
    held_look(h->threads, h->count, state_of(h) == HOLD_BEGINS);
    if (state_of(h) == HOLD_BEGINS && held_all_stand(h->threads, h->count))
      return -EBUSY;
    nanosleep(&nap, NULL);
  }
  return 0;
}

static int hold(void *argument) {
  struct holding *h = argument;
  int32_t result = take_hold(h);
  if (result == 0)
    result = target_queue(&h->target);
  if (result == 0)
    result = look_after(h);
  shutdown(h->listener, SHUT_RDWR);
  held_interrupt(h->threads, h->count);
  if ((state_of(h) == HOLD_ENDS || is_alone(h)) && h->words[2] >= 0)
    shutdown(h->words[2], SHUT_RDWR);
  if (is_alone(h))
    let_leave_alone(h);
  else
    let_leave(h);
  held_let_go(h->threads, h->count, 0);
  h->target.result = result;
  return 0;
}

int32_t ckpt_helper_hold(int32_t pid, int32_t listener, uint64_t cookie, int32_t *words) {
  struct holding h = {.parent = getpid(), .listener = listener, .words = words};
  h.target = (struct target){.pid = pid, .tid = target_choose_thread(pid), .cookie = cookie};
  h.threads = calloc(MOST_THREADS, sizeof *h.threads);
  if (!h.threads)
    return -ENOMEM;
  int32_t result = h.target.tid ? target_run(&h.target, hold, &h) : -EAGAIN;
  free(h.threads);
  return result;
}
