/* The control signal on its way to a process (format/control.h), which must be ready for it: a program that
 * has just called execve() has the signal's default action for a moment, and would die of it.
 *
 * So the thread is stopped by ptrace, asked while it stands still, and let go. That is done by a process of
 * its own, which shares our memory as that of vfork() does, is waited for by nobody else and sends no
 * SIGCHLD: no wait() of this process ever sees the stopped program. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/carrier.h"
#include "core/proc.h"
#include "core/sys.h"
#include "format/control.h"
#include "helper/helper.h"
#include "helper/request.h"

enum {
  STACK = 64 << 10,
  WAITS = 5000, /* of some 70 us for a thread to stand still */
  STEPS = 4096, /* from call to call, until a new program is ready */
  REFUSALS = 10,
  LOADS = 100,     /* of some 100 us for it to be so by itself */
  EVENT_STOP = 128 /* PTRACE_EVENT_STOP */
};

static int has_ended(int pidfd) {
  struct pollfd wait = {.fd = pidfd, .events = POLLIN};
  int ready;
  do
    ready = poll(&wait, 1, 0);
  while (ready < 0 && errno == EINTR);
  return ready < 0 ? -errno : ready;
}

/* ---- What /proc says of a thread -------------------------------------------------------------------- */

/* False when it has ended. */
static bool read_status(pid_t pid, pid_t tid, char *status, size_t size) {
  char path[64], state;
  snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
  if (sys_read_file(path, status, size) <= 0)
    return false;
  const char *at = strstr(status, "\nState:");
  return at && sscanf(at, "\nState: %c", &state) == 1 && state != 'Z' && state != 'X';
}

static bool has_control_signal(const char *status, const char *set) {
  uint64_t signals = 0;
  return proc_field(status, set, 16, &signals) && (signals >> (CKPT_CONTROL_SIGNAL - 1) & 1);
}

/* libc's own thread for timers takes the control signal with sigtimedwait. */
static bool waits_for_signals(pid_t pid, pid_t tid) {
  char path[64], call[16];
  snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
  return sys_read_file(path, call, sizeof call) > 0 && strtol(call, NULL, 10) == SYS_rt_sigtimedwait;
}

pid_t target_choose_thread(pid_t pid) {
  char path[32], status[4096];
  pid_t chosen = 0;
  if (read_status(pid, pid, status, sizeof status))
    return pid;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = opendir(path);
  if (!threads)
    return 0;
  for (struct dirent *entry; !chosen && (entry = readdir(threads));) {
    pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (tid > 0 && read_status(pid, tid, status, sizeof status) && !has_control_signal(status, "SigBlk") &&
        !waits_for_signals(pid, tid))
      chosen = tid;
  }
  closedir(threads);
  return chosen;
}

/* 1: it can be asked, 0: it has been, but has not got round to it; else a negative errno. */
static int32_t look(const struct target *target) {
  char status[4096];
  if (!read_status(target->pid, target->tid, status, sizeof status))
    return -EAGAIN;
  if (has_control_signal(status, "SigPnd"))
    return 0;
  return has_control_signal(status, "SigCgt") ? 1 : -EAGAIN;
}

/* ---- Asking ----------------------------------------------------------------------------------------- */

static siginfo_t request_info(const struct target *target, int signal) {
  siginfo_t info = {.si_signo = signal, .si_code = CKPT_CONTROL_CODE};
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = (void *)(uintptr_t)target->cookie; // NOLINT: a number in pointer's clothes
  return info;
}

static int32_t queue(const struct target *target, int signal) {
  siginfo_t info = request_info(target, signal);
  /* A process that has not been reaped keeps its id, so since has_ended() only its parent's wait() could let
   * the id go: pidfd_send_signal would close that gap too, but it cannot name a thread before Linux 6.9. */
  return syscall(SYS_rt_tgsigqueueinfo, target->pid, target->tid, signal, &info) ? -errno : 0;
}

int32_t target_queue(const struct target *target) {
  return queue(target, CKPT_CONTROL_SIGNAL);
}

/* Until the thread stands still: the status that wait() gives, 0 when it does not. One that waits for a disk
 * cannot be stopped: it is let go when this process ends. */
static int wait_for_stop(pid_t tid) {
  const struct timespec nap = {.tv_nsec = 20000};
  for (int i = 0; i < WAITS; i++) {
    int status;
    pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid)
      return WIFSTOPPED(status) ? status : 0;
    if (got < 0 && errno != EINTR)
      return 0;
    nanosleep(&nap, NULL);
  }
  return 0;
}

/* The signal that a stop is for and that the thread has yet to get; most stops are for us. */
static long signal_of(int status) {
  bool ours = status >> 16 == EVENT_STOP || WSTOPSIG(status) == (SIGTRAP | 0x80);
  return ours ? 0 : WSTOPSIG(status);
}

/* Another program may have begun since somebody has looked where it lies. */
static bool is_library_at(pid_t pid, uint64_t address) {
  char path[64], line[1024];
  bool found = false;
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *maps = fopen(path, "re");
  while (maps && !found && fgets(line, sizeof line, maps))
    found = strtoull(line, NULL, 16) == address && strstr(line, "/libckpt.so");
  if (maps)
    fclose(maps);
  return found;
}

/* However long that takes on a busy machine: else the request is lost in libc's handler, which ignores it. */
static int wait_for_step(pid_t tid) {
  int status;
  pid_t got;
  do
    got = waitpid(tid, &status, __WALL);
  while (got < 0 && errno == EINTR);
  return got == tid && WIFSTOPPED(status) ? status : 0;
}

/* On to the first instruction of whatever handler gets the request, and from there to ckpt_retake() instead.
 */
static void step_into_handler(const struct target *target) {
  struct user_regs_struct regs;
  if (ptrace(PTRACE_SINGLESTEP, target->tid, NULL, (long)CKPT_CONTROL_SIGNAL) < 0)
    return;
  int status = wait_for_step(target->tid);
  if (!status)
    return;
  bool there = status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP;
  if (there && ptrace(PTRACE_GETREGS, target->tid, NULL, &regs) == 0) {
    regs.rip = target->retake;
    ptrace(PTRACE_SETREGS, target->tid, NULL, &regs);
  }
  ptrace(PTRACE_DETACH, target->tid, NULL, there ? 0 : signal_of(status));
}

static bool carries(const struct target *target, int carrier, int status) {
  siginfo_t info;
  return status >> 16 == 0 && WSTOPSIG(status) == carrier &&
         ptrace(PTRACE_GETSIGINFO, target->tid, NULL, &info) == 0 && info.si_code == CKPT_CONTROL_CODE &&
         (uintptr_t)info.si_value.sival_ptr == target->cookie;
}

/* A thread that blocks all of those cannot be asked in this way. One that blocks the control signal, too, is
 * in libc's pthread_create() for a moment. */
static int32_t ask_by_id(const struct target *target, int status) {
  char text[4096];
  if (!read_status(target->pid, target->tid, text, sizeof text) || !carrier_is_traced(text) ||
      has_control_signal(text, "SigBlk"))
    return -EAGAIN;
  int32_t result = target_queue(target);
  ptrace(PTRACE_DETACH, target->tid, NULL, signal_of(status));
  return result;
}

/* Lets the thread go with the request as the next that it sees: 0 or -EAGAIN, *status then being its last
 * stop. */
static int32_t hand_over(struct target *target, int *status) {
  int carrier = carrier_choose(target->tid);
  siginfo_t request = request_info(target, CKPT_CONTROL_SIGNAL);
  if (carrier == 0)
    return ask_by_id(target, *status);
  if (carrier < 0 || queue(target, carrier) < 0)
    return -EAGAIN;
  for (int stops = 0; stops < STEPS && *status && !carries(target, carrier, *status); stops++) {
    ptrace(PTRACE_CONT, target->tid, NULL, signal_of(*status));
    *status = wait_for_stop(target->tid);
  }
  if (*status && look(target) > 0 && ptrace(PTRACE_SETSIGINFO, target->tid, NULL, &request) == 0) {
    if (target->retake && is_library_at(target->pid, target->library))
      step_into_handler(target);
    else
      ptrace(PTRACE_DETACH, target->tid, NULL, (long)CKPT_CONTROL_SIGNAL);
    return 0;
  }
  if (*status)
    *status = EVENT_STOP << 16; /* the carrier goes nowhere */
  return -EAGAIN;
}

/* The thread that stands still is not ready when it has just called execve(): it goes on from call to call
 * until the new program's libckpt has set its handler. */
static void ask_until_ready(struct target *target, int status) {
  for (int step = 0; step < STEPS && status; step++) {
    target->result = look(target);
    if (target->result > 0) {
      target->result = hand_over(target, &status);
      if (target->result != -EAGAIN)
        return;
    }
    if (target->result != -EAGAIN)
      break;
    if (status) {
      ptrace(PTRACE_SYSCALL, target->tid, NULL, signal_of(status));
      status = wait_for_stop(target->tid);
    }
  }
  if (status)
    ptrace(PTRACE_DETACH, target->tid, NULL, signal_of(status));
}

/* -EPERM: it may not be stopped, or a debugger has it. */
static int ask_stopped(void *argument) {
  struct target *target = argument;
  if (ptrace(PTRACE_SEIZE, target->tid, NULL, PTRACE_O_TRACESYSGOOD))
    target->result = errno == ESRCH ? -EAGAIN : -EPERM;
  else if (ptrace(PTRACE_INTERRUPT, target->tid, NULL, NULL) == 0)
    ask_until_ready(target, wait_for_stop(target->tid));
  return 0;
}

int32_t target_run(struct target *target, int (*function)(void *), void *argument) {
  sigset_t all, before;
  char *stack = malloc(STACK);
  if (!stack)
    return -ENOMEM;
  target->result = -EAGAIN;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before); /* handlers would run in both */
  pid_t helper = clone(function, stack + STACK, CLONE_VM | CLONE_FILES | CLONE_VFORK, argument);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  while (helper > 0 && waitpid(helper, NULL, (int)__WCLONE) < 0 && errno == EINTR)
    ;
  free(stack);
  return helper < 0 ? -error : target->result;
}

/* As look(), with the patience that a program needs to load its libraries. */
static int32_t look_for_a_while(const struct target *target) {
  const struct timespec nap = {.tv_nsec = 50000};
  int32_t result = look(target);
  for (int i = 0; i < LOADS && result == -EAGAIN; i++) {
    nanosleep(&nap, NULL);
    result = look(target);
  }
  return result;
}

int32_t ckpt_helper_request(int32_t pidfd, int32_t pid, uint64_t cookie, uint64_t retake, uint64_t library) {
  int ended = has_ended(pidfd);
  if (ended)
    return ended < 0 ? ended : -ESRCH;
  struct target target = {
      .pid = pid, .tid = target_choose_thread(pid), .cookie = cookie, .retake = retake, .library = library};
  int32_t result = target.tid ? look_for_a_while(&target) : -EAGAIN;
  if (result <= 0)
    return result;
  /* A thread that another one's exec is just ending may not be stopped either. That other one has its id by
   * then, but no handler. */
  char status[4096];
  result = -EPERM;
  for (int i = 0; i < REFUSALS && result == -EPERM; i++) {
    nanosleep(&(struct timespec){.tv_nsec = i ? 200000 : 0}, NULL);
    result = target_run(&target, ask_stopped, &target);
    if (result == -EPERM && !read_status(pid, target.tid, status, sizeof status))
      return -EAGAIN;
  }
  if (result != -EPERM)
    return result;
  result = look(&target);
  return result > 0 ? target_queue(&target) : result;
}
