/* Signal actions and pending signals. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "checkpoint.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "thread.h"

static uint64_t bit(int signal) {
  return 1ull << (signal - 1);
}

uint64_t pending_signals(void) {
  uint64_t set;
  return sys(SYS_(rt_sigpending), &set, sizeof set) < 0 ? 0 : set;
}

static long take_pending(uint64_t set, siginfo_t *info) {
  struct timespec none = {0, 0};
  long result;
  do
    result = sys(SYS_(rt_sigtimedwait), &set, info, &none, sizeof set);
  while (result == -EINTR);
  return result;
}

void drop_signal(int signal, uint64_t pending_before) {
  siginfo_t info;
  if (!(pending_before & bit(signal)) && (pending_signals() & bit(signal)))
    take_pending(bit(signal), &info);
}

static long describe_actions(struct checkpoint *c) {
  for (int signal = 1; signal <= 64; signal++) {
    struct kernel_sigaction action;
    if (sys(SYS_(rt_sigaction), signal, NULL, &action, sizeof action.mask) < 0)
      continue;
    if (action.handler == SIG_DFL && action.flags == 0 && action.mask == 0)
      continue;
    struct ckpt_sigaction *entry = list_add(&c->arena, &c->sigactions, sizeof *entry);
    if (!entry)
      return -ENOMEM;
    *entry = (struct ckpt_sigaction){
        .signal = (uint32_t)signal,
        .handler = (uint64_t)action.handler,
        .flags = action.flags,
        .restorer = (uint64_t)action.restorer,
        .mask = action.mask,
    };
  }
  return 0;
}

/* Signals that wait for this thread alone; the others that are pending wait for the process. */
uint64_t pending_for_thread(void) {
  char status[4096];
  uint64_t set = 0;
  if (sys_read_file("/proc/thread-self/status", status, sizeof status) > 0)
    proc_field(status, "SigPnd", 16, &set);
  return set;
}

/* What kill() has sent to the process only the main thread may queue as it was. When that has ended, the
 * program itself becomes the sender. */
static long requeue(const struct ckpt_signal *s, int32_t pid) {
  int number;
  memcpy(&number, s->info, sizeof number); /* si_signo */
  if (s->tid)
    return sys(SYS_(rt_tgsigqueueinfo), pid, s->tid, number, s->info);
  long result = sys(SYS_(rt_sigqueueinfo), pid, number, s->info);
  return result == -EPERM ? sys(SYS_(kill), pid, number) : result;
}

static struct ckpt_signal for_process(const siginfo_t *info) {
  struct ckpt_signal signal = {0};
  memcpy(signal.info, info, sizeof signal.info);
  return signal;
}

void queue_for_process(const siginfo_t *info) {
  const struct ckpt_signal signal = for_process(info);
  requeue(&signal, (int32_t)sys(SYS_(getpid)));
}

bool is_handled(const struct kernel_sigaction *action) {
  return action->handler != SIG_DFL && action->handler != SIG_IGN;
}

void set_child_action(const struct kernel_sigaction *action) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  bool taken = !is_handled(action) && take_pending(bit(SIGCHLD), &info) >= 0;
  sys(SYS_(rt_sigaction), SIGCHLD, action, NULL, sizeof action->mask);
  if (taken)
    queue_for_process(&info);
}

void drop_child_trap(void) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (take_pending(bit(SIGCHLD), &info) < 0)
    return;
  bool of_trap = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED || info.si_code == CLD_CONTINUED;
  /* That of a child which has ended since would have come in vain: one waits at the most. */
  if (of_trap) {
    memset(&info, 0, sizeof info);
    sys(SYS_(waitid), P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, NULL);
  }
  if (info.si_signo)
    queue_for_process(&info);
}

bool take_for_thread(int signal) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (take_pending(bit(signal), &info) < 0)
    return false;
  return sys(SYS_(rt_tgsigqueueinfo), sys(SYS_(getpid)), sys(SYS_(gettid)), signal, &info) == 0;
}

static bool is_ours(int signal) {
  struct kernel_sigaction action;
  return sys(SYS_(rt_sigaction), signal, NULL, &action, sizeof action.mask) == 0 &&
         action.handler == (void *)ckpt_signal_entry;
}

/* A request for a checkpoint that is still waiting is for this process, not for the one that is restarted. */
static void drop_requests(struct list *list) {
  struct ckpt_signal *signals = list->entries;
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++) {
    int number;
    memcpy(&number, signals[i].info, sizeof number);
    if (!is_ours(number))
      signals[kept++] = signals[i];
  }
  list->count = kept;
}

/* A timer's signal starts the timer again as it is taken: a fast one always has another. All of them are
 * counted in the first, which is one of those taken from `first` on. */
static bool is_counted(struct checkpoint *c, size_t first, const siginfo_t *info) {
  struct ckpt_signal *signals = c->signals.entries;
  bool from_timer = info->si_code == SI_TIMER && !is_ours(info->si_signo);
  for (size_t i = first; from_timer && i < c->signals.count; i++) {
    siginfo_t *earlier = (siginfo_t *)signals[i].info;
    if (earlier->si_signo == info->si_signo && earlier->si_code == SI_TIMER &&
        earlier->si_timerid == info->si_timerid) {
      earlier->si_overrun += 1 + info->si_overrun;
      return true;
    }
  }
  return false;
}

/* *fast: signals of timers that are faster than we are. */
static long add_pending(struct checkpoint *c, uint64_t set, int32_t tid, size_t first, uint64_t *fast) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  long signal = take_pending(set, &info);
  if (signal < 0)
    return signal == -EAGAIN ? 0 : signal;
  if (is_counted(c, first, &info)) {
    *fast |= bit((int)signal);
    return 0;
  }
  struct ckpt_signal *entry = list_add(&c->arena, &c->signals, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  entry->tid = tid;
  memcpy(entry->info, &info, sizeof entry->info);
  return 0;
}

/* There is no way to look at a queued siginfo without taking it, except through ptrace. All signals are
 * blocked, so taking everything and queueing it again in the same order changes nothing. The kernel hands out
 * the thread's own signals before those of the process. Those are the main thread's business: the kernel lets
 * no other queue a signal for the process that kill() has sent. */
long describe_pending(struct checkpoint *c, int32_t tid, bool process_too) {
  size_t first = c->signals.count;
  uint64_t fast = 0;
  long result = 0;
  while (result == 0 && (pending_signals() & ~fast)) {
    uint64_t own = pending_for_thread() & ~fast;
    if (!own && !process_too)
      break;
    result = add_pending(c, own ? own : ~fast, own ? tid : 0, first, &fast);
  }
  const struct ckpt_signal *signals = c->signals.entries;
  for (size_t i = first; i < c->signals.count; i++) {
    long queued = requeue(&signals[i], c->process.pid);
    if (queued < 0)
      result = queued;
  }
  return result;
}

long describe_signals(struct checkpoint *c) {
  long result = describe_actions(c);
  if (result < 0)
    return result;
  const struct thread_note *main_thread = c->threads.entries;
  int32_t tid = (int32_t)sys(SYS_(gettid));
  result = describe_pending(c, tid, tid == c->process.pid || main_thread->thread.ended);
  drop_requests(&c->signals);
  return result < 0 ? fail(c, result, "a pending signal could not be queued again: %s", text_errno(result))
                    : 0;
}
