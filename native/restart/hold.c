/* A stop is to show the program as it was, not libckpt on its way out of the signal handler. So each thread
 * is traced until its rt_sigreturn is done: the kernel has put the program's registers in place by then, and
 * takes a signal before the first instruction. */
#include "hold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "say.h"

enum { SYSCALL_STOP = SIGTRAP | 0x80 };

/* ---- Who there is ------------------------------------------------------------------------------------- */

static int add_thread(struct held *held, pid_t tid) {
  struct held_thread *grown = realloc(held->threads, (held->thread_count + 1ul) * sizeof *grown);
  if (!grown)
    return say_problem("not enough memory");
  held->threads = grown;
  held->threads[held->thread_count++] = (struct held_thread){.tid = tid};
  return 0;
}

static int add_process(struct held *held, pid_t pid) {
  int *grown = realloc(held->processes, (held->process_count + 1ul) * sizeof *grown);
  if (!grown)
    return say_problem("not enough memory");
  held->processes = grown;
  held->processes[held->process_count] = (int)syscall(SYS_pidfd_open, pid, 0);
  if (held->processes[held->process_count] < 0)
    return say_problem("cannot open process %d: %s", pid, strerror(errno));
  held->process_count++;
  return 0;
}

/* What has ended meanwhile is no thread any more: children that wait to be waited for, and those who have
 * read the pages. */
static bool has_ended(int proc, pid_t pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "%d/stat", pid);
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  long n = fd < 0 ? -1 : sys_read_full(fd, text, sizeof text - 1);
  if (fd >= 0)
    close(fd);
  if (n <= 0)
    return true;
  text[n] = 0;
  const char *end = strrchr(text, ')');
  return !end || end[2] == 'Z' || end[2] == 'X';
}

static int seize(struct held *held, int proc, pid_t tid) {
  int status;
  if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
    return has_ended(proc, tid)
               ? 0
               : say_problem(
                     "--stopped: cannot trace process %d: %s (see /proc/sys/kernel/yama/ptrace_scope)", tid,
                     strerror(errno));
  if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
    return 0; /* it has just ended */
  while (waitpid(tid, &status, __WALL) < 0)
    if (errno != EINTR)
      return 0;
  return WIFSTOPPED(status) ? add_thread(held, tid) : 0;
}

static int take_process(struct held *held, int proc, pid_t pid);

static int take_children(struct held *held, int proc, pid_t pid, pid_t tid) {
  char path[64], *at;
  snprintf(path, sizeof path, "%d/task/%d/children", pid, tid);
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
  size_t size = 0;
  char *line = NULL;
  int result = 0;
  if (!file)
    return say_problem("--stopped: cannot read /proc/%s: %s", path, strerror(errno));
  if (getline(&line, &size, file) > 0)
    for (char *word = strtok_r(line, " \n", &at); word && result == 0; word = strtok_r(NULL, " \n", &at)) {
      pid_t child = (pid_t)atoi(word);
      if (!has_ended(proc, child) && (result = add_process(held, child)) == 0)
        result = take_process(held, proc, child);
    }
  free(line);
  fclose(file);
  return result;
}

/* A process, and then those that descend from it. */
static int take_process(struct held *held, int proc, pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "%d/task", pid);
  int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
  int result = 0;
  if (!tasks)
    return say_problem("--stopped: cannot read /proc/%s: %s", path, strerror(errno));
  for (struct dirent *entry; result == 0 && (entry = readdir(tasks));)
    if (entry->d_name[0] != '.')
      result = seize(held, proc, (pid_t)atoi(entry->d_name));
  rewinddir(tasks);
  for (struct dirent *entry; result == 0 && (entry = readdir(tasks));) {
    pid_t tid = (pid_t)atoi(entry->d_name);
    if (tid && !has_ended(proc, tid))
      result = take_children(held, proc, pid, tid);
  }
  closedir(tasks);
  return result;
}

int hold_begin(struct held *held, int proc, pid_t root) {
  *held = (struct held){.root = root};
  return take_process(held, proc, root);
}

/* ---- Where they come to ------------------------------------------------------------------------------- */

static struct held_thread *find(struct held *held, pid_t tid) {
  for (uint32_t i = 0; i < held->thread_count; i++)
    if (held->threads[i].tid == tid)
      return &held->threads[i];
  return NULL;
}

/* True when it need not be followed any more: it stands where the program goes on, or is about to end, as the
 * restorer lets a main thread do that had ended. */
static bool has_arrived(struct held_thread *t) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) < 0)
    return false;
  if (info.op == PTRACE_SYSCALL_INFO_EXIT)
    return t->returns;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
    return false;
  t->returns = info.entry.nr == SYS_rt_sigreturn;
  if (info.entry.nr != SYS_exit)
    return false;
  ptrace(PTRACE_DETACH, t->tid, 0, 0);
  t->tid = 0;
  return true;
}

void hold_follow(struct held *held) {
  uint32_t left = held->thread_count;
  for (uint32_t i = 0; i < held->thread_count; i++)
    ptrace(PTRACE_SYSCALL, held->threads[i].tid, 0, 0);
  while (left) {
    int status;
    pid_t tid = waitpid(-1, &status, __WALL);
    if (tid < 0 && errno != EINTR)
      return;
    struct held_thread *t = tid > 0 ? find(held, tid) : NULL;
    if (!t)
      continue;
    if (!WIFSTOPPED(status)) { /* what went wrong, the process has told */
      t->tid = 0;
      left--;
    } else if (WSTOPSIG(status) == SYSCALL_STOP && has_arrived(t)) {
      left--;
    } else {
      bool own = WSTOPSIG(status) == SYSCALL_STOP || status >> 16;
      ptrace(PTRACE_SYSCALL, tid, 0, own ? 0 : WSTOPSIG(status));
    }
  }
}

/* Descendants first. */
void hold_stop(struct held *held) {
  siginfo_t info;
  for (uint32_t i = held->thread_count; i-- > 0;)
    if (held->threads[i].tid)
      ptrace(PTRACE_DETACH, held->threads[i].tid, 0, SIGSTOP);
  while (waitid(P_PID, (id_t)held->root, &info, WSTOPPED | WEXITED | WNOWAIT) < 0 && errno == EINTR)
    ;
}

void hold_kill(struct held *held) {
  kill(held->root, SIGKILL);
  for (;;) {
    pid_t pid = waitpid(-1, NULL, __WALL);
    if (pid == held->root || (pid < 0 && errno != EINTR))
      return;
  }
}

void hold_release(struct held *held) {
  for (uint32_t i = 0; i < held->process_count; i++) {
    syscall(SYS_pidfd_send_signal, held->processes[i], SIGCONT, NULL, 0);
    close(held->processes[i]);
  }
  held->process_count = 0;
}
