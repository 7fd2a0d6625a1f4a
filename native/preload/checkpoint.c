/* The way of a checkpoint: the handler, the steps in order, and the two returns. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "core/sys.h"
#include "core/text.h"
#include "freeze.h"
#include "job.h"

void ckpt_run_on(void *stack_end, void (*function)(void *), void *argument);
void ckpt_on_signal(int signal, siginfo_t *info, ucontext_t *frame);
void ckpt_queue_again(const siginfo_t *info);
void ckpt_look_late(void);

extern uint32_t ckpt_late __attribute__((visibility("hidden")));

uint64_t now_ns(int clock) {
  struct timespec now;
  if (sys(SYS_(clock_gettime), clock, &now) < 0)
    return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A checkpoint opens a few files and writes a large one: the program's own soft limits must not apply, except
 * to its hooks. And while a process is not dumpable (0), its files in /proc belong to root. One that has
 * become so by gaining rights (2) is left alone: nobody could give it that back. */
static void raise_limits(struct checkpoint *c) {
  for (uint32_t resource = 0; resource < RLIM_NLIMITS; resource++) {
    struct ckpt_rlimit *limit = &c->limits[resource];
    limit->resource = resource;
    if (sys(SYS_(prlimit64), 0, resource, NULL, &limit->soft) < 0)
      limit->soft = limit->hard = RLIM_INFINITY;
    uint64_t raised[2] = {limit->hard, limit->hard};
    if ((resource == RLIMIT_NOFILE || resource == RLIMIT_FSIZE) && limit->soft != limit->hard)
      sys(SYS_(prlimit64), 0, resource, raised, NULL);
  }
  c->process.dumpable = (uint32_t)sys(SYS_(prctl), PR_GET_DUMPABLE, 0, 0, 0, 0);
  if (c->process.dumpable == 0)
    sys(SYS_(prctl), PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Once the other threads stand still: it is the whole process's. */
static long clear_umask(struct checkpoint *c) {
  c->umask = (uint32_t)sys(SYS_(umask), 0);
  c->umask_cleared = true;
  return 0;
}

static void restore_limits(const struct checkpoint *c) {
  if (c->process.dumpable == 0)
    sys(SYS_(prctl), PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (c->umask_cleared)
    sys(SYS_(umask), c->umask);
  for (uint32_t resource = 0; resource < RLIM_NLIMITS; resource++)
    if ((resource == RLIMIT_NOFILE || resource == RLIMIT_FSIZE) &&
        c->limits[resource].soft != c->limits[resource].hard)
      sys(SYS_(prlimit64), 0, resource, &c->limits[resource].soft, NULL);
}

/* From here on nobody can defer any more; and what has been asked by now is what will be done.
 * ckpt_checkpoint() itself counts as one that defers. */
static long refuse_deferred(struct checkpoint *c) {
  c->postponed = __atomic_load_n(&ckpt_state.part.deferred, __ATOMIC_SEQ_CST) > (c->local ? 1 : 0);
  if (!c->postponed)
    ckpt_late = 0;
  return c->postponed ? fail(c, -EAGAIN, "it has just called ckpt_defer(): try again") : 0;
}

static long make_image(struct checkpoint *c) {
  static long (*const steps[])(struct checkpoint *) = {
      freeze_threads,   close_strays,      refuse_deferred, clear_umask,          refuse_company,
      settle_queues,    owner_begin,       gather_job,      describe_process,     describe_signals,
      describe_timers,  describe_children, describe_sysv,   describe_descriptors, describe_keys,
      describe_regions, meet_described,    describe_clocks, repair_tcp,           store_begin,
      meet_store,       write_pages,       check_swap,      write_files,          write_notes,
      store_end,
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    long result = steps[i](c);
    if (result < 0)
      return fail(c, result, "%s", text_errno(result));
  }
  return 0;
}

/* On the arena's stack: the parking stack is part of the image and stands still from here on. */
static void make_image_on_arena(void *argument) {
  struct checkpoint *c = argument;
  uint64_t pending = pending_signals();
  if (ckpt_state.tcp_repair)
    c->request.flags |= CKPT_REQUEST_TCP_REPAIR;
  open_keys();
  c->mem = -1;
  c->job_fd = c->temp_fd = c->core_fd = c->parent.memory = c->parent.pagemap = -1;
  c->result = make_image(c);
  bool ends = c->result == 0 && c->request.flags & CKPT_REQUEST_KILL;
  if (c->result < 0)
    store_abandon(c);
  owner_end(c);
  if (ends)
    leave_addresses(c);
  else
    let_tcp_go(c);
  close_in_flight(c);
  take_locks_again(c);
  if (c->mem >= 0)
    sys(SYS_(close), c->mem);
  offers_close(&c->parent);
  restore_limits(c);
  drop_signal(SIGXFSZ, pending);
  if (ends) {
    job_end(c, ORDER_END);
    report_result(c);
    sys(SYS_(kill), sys(SYS_(getpid)), SIGKILL);
  }
}

static void restarted(void) {
  const struct ckpt_resume *resume = &ckpt_state.resume;
  wait_for_returned();
  wait_for_main_thread();
  wait_for_stopped_children();
  sys(SYS_(munmap), resume->hole_start, resume->hole_end - resume->hole_start);
  ckpt_state.restarts++;
  renew_inherited();
  ckpt_state.result = 1;
  /* Ids may be others now, and nobody waits for an answer any more. */
  ckpt_state.part.leader = (int32_t)sys(SYS_(gettid));
  self_info(&ckpt_state.late_info, SELF_SIGNAL);
  memset(&ckpt_state.part.waiting, 0, sizeof ckpt_state.part.waiting);
  stop_again();
  open_gate();
}

/* Whether the request has to wait after all. */
static bool carried_on(struct checkpoint *c) {
  bool postponed = c->postponed && c->requester < 0 && !c->local;
  if (c->local)
    ckpt_state.result = c->result;
  job_end(c, ORDER_CARRY_ON);
  /* Who holds a stopped process is to watch its threads leave. */
  bool held = c->request.stop_signal;
  if (held)
    report_result(c);
  thaw_threads(c);
  if (!held)
    report_result(c);
  struct arena arena = c->arena;
  arena_destroy(&arena);
  return postponed;
}

/* What the requester has seen of this thread. */
static struct known_call known_call(const struct checkpoint *c) {
  const struct ckpt_request *request = &c->request;
  return (struct known_call){.known = request->call_known && sys(SYS_(gettid)) == c->process.pid,
                             .number = request->call_number,
                             .rip = request->call_rip,
                             .rsp = request->call_rsp};
}

/* 0 in the process that carries on, 1 in a restarted one. Hooks run before anything is frozen and after all
 * has thawed; those of ckpt_checkpoint() outside of this handler. */
static int checkpoint(struct checkpoint *c) {
  struct leaving leaving;
  struct hooks hooks = {0};
  if (!c->local)
    hooks_copy(&hooks);
  hooks_before(&hooks);
  raise_limits(c);
  struct known_call call = known_call(c);
  thread_enter(&leaving, c->frame, &call);
  ckpt_state.resume.restarted = 0;
  int result = ckpt_context_save(&ckpt_state.context);
  if (result == 0) {
    ckpt_run_on(c->arena.stack_end, make_image_on_arena, c);
    bool postponed = carried_on(c);
    thread_register(&leaving);
    hooks_after(&hooks);
    if (postponed)
      wait_with_signal();
  } else {
    restarted();
    thread_register(&leaving);
    hooks_restarted(&hooks);
  }
  thread_leave(&leaving);
  return result;
}

static bool is_own(const siginfo_t *info, int value) {
  return info->si_pid == sys(SYS_(getpid)) && (uintptr_t)info->si_value.sival_ptr == (uintptr_t)value;
}

/* The one who looks for waiting requests looks again by itself. */
void ckpt_queue_again(const siginfo_t *info) {
  if (!is_own(info, SELF_LOOK) && ckpt_take_signal(CKPT_CONTROL_SIGNAL) == 0)
    sys(SYS_(rt_tgsigqueueinfo), sys(SYS_(getpid)), sys(SYS_(gettid)), CKPT_CONTROL_SIGNAL, info);
}

/* The first pthread_cancel may have taken the signal. Both run on the program's stack, of which they must
 * take little. */
void ckpt_look_late(void) {
  if (__atomic_exchange_n(&ckpt_late, 0, __ATOMIC_SEQ_CST) && ckpt_take_signal(CKPT_CONTROL_SIGNAL) == 0)
    sys(SYS_(rt_tgsigqueueinfo), sys(SYS_(getpid)), sys(SYS_(gettid)), CKPT_CONTROL_SIGNAL,
        &ckpt_state.late_info);
}

/* Why the handler runs; the frame is that of the thread that leads. */
struct cause {
  const siginfo_t *info;
  ucontext_t *frame;
  bool local;
};

/* The request, as far as it is known. A requester, whom a cookie tells, is asked for the rest, which takes a
 * descriptor. */
static long receive(struct checkpoint *c, const struct cause *cause, uint64_t cookie) {
  c->info = cause->info;
  c->frame = cause->frame;
  c->local = cause->local;
  c->requester = -1;
  c->process.pid = (int32_t)sys(SYS_(getpid));
  c->request.op = CKPT_REQUEST_CHECKPOINT;
  if (!cookie)
    return 0;
  raise_limits(c);
  long result = requester_connect(c, cookie);
  restore_limits(c);
  return result;
}

/* Nothing to work with but the parking stack: all that is left to do is to say so. */
static __attribute__((noinline)) void refuse_at_once(const struct cause *cause, uint64_t cookie, long error) {
  struct checkpoint c;
  memset(&c, 0, sizeof c);
  if (receive(&c, cause, cookie) == 0) {
    const char *limit = error == -EAGAIN ? "locked memory (see ulimit -l)" : "address space (see ulimit -v)";
    c.result = fail(&c, -ENOMEM, "not enough %s", limit);
    if (c.local)
      ckpt_state.result = c.result;
    report_result(&c);
  }
}

/* For the requester that a cookie tells, or for none: 0. Returns what checkpoint() does. */
static int lead(const struct cause *cause, uint64_t cookie) {
  uint64_t begin = now_ns(CLOCK_MONOTONIC);
  struct arena arena;
  long result = arena_create(&arena);
  if (result < 0) {
    refuse_at_once(cause, cookie, result);
    return 0;
  }
  struct checkpoint *c = arena_take(&arena, sizeof *c);
  c->arena = arena;
  c->begin_ns = begin;
  if (receive(c, cause, cookie) == 0)
    return checkpoint(c);
  arena_destroy(&arena);
  return 0;
}

static int lead_all(const struct cause *cause, const struct waiting *all) {
  int result = all->by_signal ? lead(cause, 0) : 0;
  for (uint32_t i = 0; i < all->cookie_count && result == 0; i++)
    result = lead(cause, all->cookies[i]);
  return result;
}

void ckpt_on_signal(int signal, siginfo_t *info, ucontext_t *frame) {
  struct cause cause = {info, frame, signal == CKPT_CONTROL_SIGNAL && is_own(info, SELF_CHECKPOINT)};
  struct waiting all;
  int result = 0;
  ckpt_state.born_in_freeze |= ckpt_state.part.leader != 0; /* a fork's copy of that */
  ckpt_state.part.leader = (int32_t)sys(SYS_(gettid));
  self_info(&ckpt_state.late_info, SELF_SIGNAL);
  if (cause.local)
    lead(&cause, 0);
  else if (signal != CKPT_CONTROL_SIGNAL || is_own(info, SELF_SIGNAL))
    wait_with_signal();
  else if (!is_own(info, SELF_LOOK))
    wait_with_cookie((uint64_t)info->si_value.sival_ptr);
  while (!cause.local && result == 0 && take_waiting(&all))
    result = lead_all(&cause, &all);
  ckpt_state.part.leader = 0;
  /* Where no checkpoint came of it, the wait that the signal has ended goes on all the same. */
  thread_pass_by(frame, NULL);
}
