/* A thread parks: it describes itself, and stands still in its signal handler, on a seat, until the gate
 * opens; in a restarted process it comes back there. */
#include "park.h"

#include "freeze.h"

/* All threads that could compete are in here, with every signal blocked: nobody is interrupted holding it. */
static void take_turn(struct checkpoint *c) {
  while (__atomic_exchange_n(&c->lock, 1, __ATOMIC_ACQUIRE))
    sys(SYS_(sched_yield));
}

static void end_turn(struct checkpoint *c) {
  __atomic_store_n(&c->lock, 0, __ATOMIC_RELEASE);
}

static void describe(struct parked *p, const ucontext_t *frame, const struct context *context) {
  p->error = thread_describe(&p->note, frame, context);
  if (p->error < 0 || !pending_signals())
    return;
  take_turn(p->c);
  p->error = describe_pending(p->c, p->tid, p->tid == p->c->process.pid);
  end_turn(p->c);
}

static void wait_for_thaw(uint32_t epoch) {
  while (__atomic_load_n(&ckpt_state.epoch, __ATOMIC_ACQUIRE) == epoch)
    futex_wait(&ckpt_state.epoch, epoch, NULL);
}

void ckpt_park(struct parked *p, ucontext_t *frame) {
  struct leaving leaving;
  struct context context;
  uint32_t epoch = __atomic_load_n(&ckpt_state.epoch, __ATOMIC_ACQUIRE);
  if (__atomic_exchange_n(&p->claim, CLAIM_THREAD, __ATOMIC_ACQ_REL) == CLAIM_LEADER) {
    thread_pass_by(frame, &p->call);
    return;
  }
  thread_enter(&leaving, frame, &p->call);
  if (ckpt_context_save(&context) == 0) {
    describe(p, frame, &context);
    __atomic_store_n(&p->arrived, 1, __ATOMIC_RELEASE);
    futex_wake(&p->arrived);
  } else {
    __atomic_fetch_add(&ckpt_state.returned, 1, __ATOMIC_ACQ_REL);
    futex_wake(&ckpt_state.returned);
  }
  wait_for_thaw(epoch);
  thread_leave(&leaving);
}

/* ---- Going on -------------------------------------------------------------------------------------- */

void open_gate(void) {
  __atomic_fetch_add(&ckpt_state.epoch, 1, __ATOMIC_RELEASE);
  futex_wake(&ckpt_state.epoch);
}

void wait_for_returned(void) {
  for (uint32_t now; (now = __atomic_load_n(&ckpt_state.returned, __ATOMIC_ACQUIRE)) < ckpt_state.parked;)
    futex_wait(&ckpt_state.returned, now, NULL);
}

/* The kernel's own wakeup is not private. */
void wait_for_main_thread(void) {
  uint32_t *lives = &ckpt_state.resume.main_lives;
  while (__atomic_load_n(lives, __ATOMIC_ACQUIRE))
    sys(SYS_(futex), lives, FUTEX_WAIT, 1, NULL, NULL, 0);
}
