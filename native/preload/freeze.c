/* Freezing: every other thread of the process parks in its signal handler, on a stack of libckpt's own, until
 * the checkpoint is over; and comes back to the same place in a restarted process.
 *
 * The leader is the thread that was asked. It queues the control signal, which libc lets nobody block, to
 * each thread that /proc/self/task shows, until all stand still and no new one has appeared. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "freeze.h"
#include "park.h"

enum { LOOK_AGAIN_MS = 20 /* has a thread ended instead of parking? */ };

/* ---- Asking ------------------------------------------------------------------------------------------- */

static struct parked *find(const struct checkpoint *c, int32_t tid) {
  struct parked **all = c->parked.entries;
  for (size_t i = 0; i < c->parked.count; i++)
    if (all[i] && all[i]->tid == tid)
      return all[i];
  return NULL;
}

/* "/proc/self/task/TID/FILE" */
static long read_task(int32_t tid, const char *file, char *buffer, size_t size) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/self/task/%d/%s", (int64_t)tid, file);
  return sys_read_file(path, buffer, size);
}

/* A signal set of the program's, empty when it is gone meanwhile. */
static uint64_t read_set(uint64_t address) {
  uint64_t set;
  return sys_peek(address, &set, sizeof set) ? set : 0;
}

static void read_call(struct parked *p) {
  char line[256];
  if (read_task(p->tid, "syscall", line, sizeof line) > 0)
    known_call_parse(&p->call, line);
  if (p->call.known && p->call.number == __NR_rt_sigtimedwait)
    p->waits_for_signal = read_set(p->call.first) >> (CKPT_CONTROL_SIGNAL - 1) & 1;
}

/* -ESRCH: there is no such thread any more. */
static long ask(const struct checkpoint *c, struct parked *p) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = CKPT_CONTROL_SIGNAL;
  info.si_code = CKPT_CONTROL_CODE;
  info.si_pid = c->process.pid;
  info.si_value.sival_ptr = p;
  if (p->waits_for_signal || is_timer_thread(c, p->tid)) {
    info.si_signo = CKPT_OTHER_SIGNAL;
    ckpt_take_signal(CKPT_OTHER_SIGNAL);
  }
  return sys(SYS_(rt_tgsigqueueinfo), c->process.pid, p->tid, info.si_signo, &info);
}

/* Its seat is free for another thread, and so is its id. */
static void leave_list(struct parked **entry) {
  (*entry)->used = 0;
  *entry = NULL;
}

enum life { RUNS, ZOMBIE, GONE };

/* Has it ended instead of parking? A main thread that has ended stays as a zombie until the others end, too.
 */
static enum life look_at(const struct parked *p) {
  char stat[512];
  long n = read_task(p->tid, "stat", stat, sizeof stat);
  const char *state = stat + (n > 0 ? n : 0);
  while (state > stat && *state != ')')
    state--;
  if (n <= 0 || state[2] == 'X')
    return GONE;
  return state[2] == 'Z' ? ZOMBIE : RUNS;
}

/* Gives a thread a seat and asks it there: 1, or 0 when it has ended. */
static long invite(struct checkpoint *c, int32_t tid) {
  struct parked *p = take_seat(c, tid);
  if (!p)
    return fail(c, -EAGAIN, "its threads multiply faster than they can be stopped");
  struct parked **entry = list_add(&c->arena, &c->parked, sizeof *entry);
  if (!entry) {
    p->used = 0;
    return -ENOMEM;
  }
  *entry = p;
  p->ended = tid == c->process.pid && look_at(p) == ZOMBIE;
  if (p->ended)
    return 0;
  read_call(p);
  long result = ask(c, p);
  if (result >= 0)
    return 1;
  leave_list(entry);
  return result == -ESRCH ? 0 : result;
}

/* Asks every thread that has not been asked. How many those were, or a negative errno. */
static long ask_new(struct checkpoint *c, struct dir *dir) {
  uint64_t tid;
  long self = sys(SYS_(gettid)), asked = 0;
  bool seen_self = false;
  long result = dir_open(dir, AT_FDCWD, "/proc/self/task");
  if (result < 0)
    return fail(c, result, "/proc/self/task: %s", text_errno(result));
  for (const char *name; result == 0 && (name = dir_next(dir));) {
    if (!text_is_decimal(name, &tid) || find(c, (int32_t)tid))
      continue;
    if ((long)tid == self) {
      seen_self = true;
      continue;
    }
    result = invite(c, (int32_t)tid);
    if (result > 0) {
      asked++;
      result = 0;
    }
  }
  if (result == 0)
    result = dir->error;
  dir_close(dir);
  if (result == 0 && !seen_self)
    return fail(c, -EOPNOTSUPP, "/proc is of another pid namespace than the process");
  return result < 0 ? result : asked;
}

/* ---- Waiting ------------------------------------------------------------------------------------------ */

static void read_name(int32_t tid, char name[16]) {
  char line[32];
  long n = read_task(tid, "comm", line, sizeof line);
  line[n > 0 ? n - 1 : 0] = 0;
  text_copy(name, 16, line);
}

static uint32_t timeout_ms(const struct checkpoint *c) {
  return c->request.timeout_ms ? c->request.timeout_ms : ckpt_state.timeout_ms;
}

static long give_up(struct checkpoint *c, const struct parked *p) {
  char name[16], status[4096];
  uint64_t blocked = 0;
  read_name(p->tid, name);
  long n = read_task(p->tid, "status", status, sizeof status);
  bool blocks =
      n > 0 && proc_field(status, "SigBlk", 16, &blocked) && (blocked >> (CKPT_CONTROL_SIGNAL - 1) & 1);
  n = read_task(p->tid, "wchan", status, sizeof status);
  if (blocks)
    return fail(c, -ETIMEDOUT, "thread %d (\"%s\") does not stop: it blocks signal 32 by a raw system call",
                (int64_t)p->tid, name);
  return fail(c, -ETIMEDOUT,
              "thread %d (\"%s\") does not stop: it has been in the kernel without a break for %u ms, in %s",
              (int64_t)p->tid, name, (uint64_t)timeout_ms(c), n > 0 ? status : "an unknown place");
}

static long wait_for(struct checkpoint *c, struct parked **entry) {
  const struct timespec while_ = {.tv_nsec = LOOK_AGAIN_MS * 1000000};
  struct parked *p = *entry;
  long result = 0;
  while (result == 0 && !p->ended && !__atomic_load_n(&p->arrived, __ATOMIC_ACQUIRE)) {
    futex_wait(&p->arrived, 0, &while_);
    if (__atomic_load_n(&p->arrived, __ATOMIC_ACQUIRE))
      break;
    enum life life = look_at(p);
    if (life == GONE) {
      leave_list(entry);
      return 0;
    }
    p->ended = life == ZOMBIE;
    if (!p->ended && now_ns(CLOCK_MONOTONIC) > c->deadline_ns)
      result = give_up(c, p);
  }
  if (result == 0 && p->error < 0)
    result = fail(c, p->error, "thread %d cannot be described: %s", (int64_t)p->tid, text_errno(p->error));
  return result;
}

/* Threads that have not come by now need not come any more. */
static void cancel(struct checkpoint *c) {
  struct parked *const *all = c->parked.entries;
  for (size_t i = 0; i < c->parked.count; i++) {
    struct parked *p = all[i];
    if (p && p->ended)
      p->used = 0;
    if (!p || p->ended || __atomic_exchange_n(&p->claim, CLAIM_LEADER, __ATOMIC_ACQ_REL) != CLAIM_THREAD)
      continue;
    while (!__atomic_load_n(&p->arrived, __ATOMIC_ACQUIRE))
      futex_wait(&p->arrived, 0, NULL);
  }
}

static long stop_all(struct checkpoint *c, struct dir *dir) {
  size_t waited = 0;
  long asked, result = 0;
  while (result == 0 && (asked = ask_new(c, dir)) != 0) {
    struct parked **all = c->parked.entries;
    result = asked < 0 ? asked : 0;
    for (; waited < c->parked.count && result == 0; waited++)
      if (all[waited])
        result = wait_for(c, &all[waited]);
  }
  return result;
}

/* ---- Gathering ---------------------------------------------------------------------------------------- */

static long add_thread(struct checkpoint *c, const struct thread_note *note) {
  struct thread_note *entry = list_add(&c->arena, &c->threads, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  struct thread_note *first = c->threads.entries;
  *entry = *note;
  if (note->thread.tid == c->process.pid && entry != first) {
    *entry = *first;
    *first = *note;
  }
  return 0;
}

/* Of a main thread that has ended before the others, with pthread_exit, there are a name and what it ended
 * with. */
static long add_ended_main_thread(struct checkpoint *c, const struct thread_note *other) {
  char stat[1024];
  struct thread_note note = {.thread = {.tid = c->process.pid,
                                        .policy = other->thread.policy,
                                        .priority = other->thread.priority,
                                        .nice = other->thread.nice,
                                        .ended = 1}};
  long n = read_task(note.thread.tid, "stat", stat, sizeof stat);
  if (n <= 0)
    return n;
  note.thread.exit_code = (uint32_t)proc_stat_field(stat, 52);
  read_name(note.thread.tid, note.thread.name);
  return add_thread(c, &note);
}

static long gather(struct checkpoint *c) {
  struct thread_note own = {0};
  long result = thread_describe(&own, c->frame, &ckpt_state.context);
  if (result == 0)
    result = add_thread(c, &own);
  struct parked *const *all = c->parked.entries;
  ckpt_state.parked = 0;
  for (size_t i = 0; i < c->parked.count && result == 0; i++) {
    if (all[i] && all[i]->arrived) {
      ckpt_state.parked++;
      result = add_thread(c, &all[i]->note);
    } else if (all[i] && all[i]->tid == c->process.pid) {
      result = add_ended_main_thread(c, &own);
    }
  }
  return result;
}

/* ---- The steps ---------------------------------------------------------------------------------------- */

static uint64_t count_threads(void) {
  char status[4096];
  uint64_t threads = 1;
  if (sys_read_file("/proc/self/status", status, sizeof status) > 0)
    proc_field(status, "Threads", 10, &threads);
  return threads;
}

long freeze_threads(struct checkpoint *c) {
  uint64_t threads = count_threads();
  c->deadline_ns = now_ns(CLOCK_MONOTONIC) + timeout_ms(c) * 1000000ull;
  ckpt_state.returned = 0;
  if (threads == 1)
    return gather(c);
  /* The first pthread_cancel has taken it from us. */
  long result = ckpt_take_signal(CKPT_CONTROL_SIGNAL);
  if (result == 0)
    result = find_timer_threads(c);
  if (result == 0)
    result = make_seats(c, threads);
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  if (result == 0)
    result = dir ? stop_all(c, dir) : -ENOMEM;
  return result < 0 ? result : gather(c);
}

void thaw_threads(struct checkpoint *c) {
  if (c->parked.count == 0)
    return;
  cancel(c);
  open_gate();
}
