#include "pids.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clocks.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "namespace.h"
#include "running.h"
#include "say.h"

pid_t clone_as(pid_t pid, uint64_t flags) {
  struct clone_args args = {.flags = flags, .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD};
  if (pid) {
    args.set_tid = (uint64_t)(uintptr_t)&pid;
    args.set_tid_size = 1;
  }
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* Why this id is not to be had, in words. */
static void explain(pid_t pid, int error, char *words, size_t size) {
  char path[64], name[64];
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  long n = sys_read_file(path, name, sizeof name);
  pid_t parent = running_unwaited(pid);
  name[n > 1 ? n - 1 : 0] = 0;
  if (error == EEXIST && n > 1 && parent) {
    snprintf(words, size, "PID %d is taken by '%s', which has ended and which process %d has yet to wait for",
             pid, name, parent);
  } else if (error == EEXIST && n > 1) {
    snprintf(words, size, "PID %d is taken by '%s'", pid, name);
  } else if (error == EEXIST) {
    snprintf(words, size, "PID %d is taken", pid);
  } else if (error == EPERM) {
    snprintf(words, size, "choosing PID %d needs root or CAP_CHECKPOINT_RESTORE", pid);
  } else if (error == EINVAL) {
    snprintf(words, size, "PID %d is above what /proc/sys/kernel/pid_max allows", pid);
  } else {
    snprintf(words, size, "PID %d: %s", pid, strerror(error));
  }
}

/* Above all ids that there may be here, 0 when it is not known. A namespace may have higher ones, from
 * Linux 6.14 on. */
static pid_t ids_end(void) {
  char text[32];
  const char *at = text;
  return sys_read_file("/proc/sys/kernel/pid_max", text, sizeof text) > 0 ? (pid_t)text_take_decimal(&at) : 0;
}

/* Looking for ids that somebody has here. */
struct look {
  const struct job *job;
  pid_t end;    /* above all ids */
  bool patient; /* that of an orphan that has ended is waited for */
  int probe;    /* a descriptor, or -1 */
  char *words;  /* why one is not to be had */
  size_t size;
};

static bool is_known(const struct look *look, pid_t id) {
  return fcntl(look->probe, F_SETOWN, id) == 0 || errno != ESRCH;
}

static bool has_process_or_group(pid_t id) {
  return kill(id, 0) == 0 || errno != ESRCH || kill(-id, 0) == 0 || errno != ESRCH;
}

/* As the kernel looks for it: as that of a process or a thread, of a group or a session, which may have lost
 * its leader. It gives an id back only a moment after the last one who had it is gone for everybody. */
static bool stands_for_something(const struct look *look, pid_t id) {
  enum { MOMENT_MS = 10000 };
  if (look->probe < 0)
    return has_process_or_group(id);
  bool found = is_known(look, id);
  if (found && !has_process_or_group(id) && !running_has_session(id))
    for (int waited = 0; waited < MOMENT_MS && (found = is_known(look, id)); waited++)
      poll(NULL, 0, 1);
  return found;
}

/* Or too high. */
static bool is_taken(const struct look *look, pid_t id) {
  bool too_high = look->end && id >= look->end;
  if (look->patient && !too_high)
    running_leaves(id);
  if (!too_high && !stands_for_something(look, id))
    return false;
  explain(id, too_high ? EINVAL : EEXIST, look->words, look->size);
  return true;
}

/* Of a session or group: somebody is to make it once more, with that id. */
static bool leader_is_taken(const struct look *look, pid_t id, pid_t around) {
  return id && job_has_no_leader(look->job, id, around) && is_taken(look, id);
}

/* One of its threads, of a child that had ended, or of a leader. The root's own id is only known to be free
 * when it has it. */
static bool one_is_taken(const struct look *look, const struct image *image) {
  const struct ckpt_process *p = &image->process, *root = &look->job->images[0].process;
  for (uint32_t i = p == root; i < image->threads_count; i++)
    if (is_taken(look, image->threads[i].tid))
      return true;
  for (uint32_t i = 0; i < image->children_count; i++)
    if (is_taken(look, image->children[i].pid))
      return true;
  return leader_is_taken(look, p->sid, root->sid) || leader_is_taken(look, p->pgid, root->pgid);
}

static bool any_is_taken(struct look *look) {
  bool taken = false;
  pid_t root = look->job->images[0].process.pid;
  look->probe = eventfd(0, EFD_CLOEXEC);
  if (look->patient)
    running_leaves(root);
  (void)stands_for_something(look, root); /* waits for that moment: whether it is taken, its birth says */
  for (uint32_t i = 0; i < look->job->count && !taken; i++)
    taken = one_is_taken(look, &look->job->images[i]);
  if (look->probe >= 0)
    close(look->probe);
  return taken;
}

/* With its clocks, where that is allowed: by now, or not yet. */
static void go_on(const struct image *image, const struct options *options, struct birth *birth) {
  if (options->clocks == CLOCKS_CONTINUE && !birth->own_clocks)
    birth->own_clocks = clocks_continue(image);
}

static int born_in_namespace(const struct image *image, const struct options *options, struct birth *birth) {
  pid_t pid = image->process.pid;
  char why[256];
  if (namespace_enter(&birth->own_user) < 0)
    return -1;
  go_on(image, options, birth);
  if (pid != 1 && namespace_start_init(pid, image->info.last_pid) < 0)
    return -1;
  birth->in_namespace = true;
  birth->pid = clone_as(pid, 0);
  if (birth->pid >= 0)
    return 0;
  explain(pid, errno, why, sizeof why);
  return say_problem("%s, in a pid namespace of its own too: --pid=new starts it under another id", why);
}

static int born_anew(struct birth *birth, pid_t pid) {
  say_warning(
      "the program gets another process id than %d: locks, pid files and all else that remembers the old "
      "one may break",
      pid);
  birth->pid = clone_as(0, 0);
  return birth->pid < 0 ? say_problem("cannot start a process: %s", strerror(errno)) : 0;
}

int give_birth(const struct job *job, const struct options *options, struct birth *birth) {
  const struct image *image = &job->images[0];
  pid_t pid = image->process.pid;
  char why[256];
  /* Nothing but patience will do where it may have no namespace. */
  struct look look = {
      .job = job, .end = ids_end(), .patient = options->pids == PID_SAME, .words = why, .size = sizeof why};
  *birth = (struct birth){0};
  go_on(image, options, birth);
  if (options->pids == PID_NEW)
    return born_anew(birth, pid);
  if (options->pids == PID_NAMESPACE)
    return born_in_namespace(image, options, birth);
  if (!any_is_taken(&look)) {
    birth->pid = clone_as(pid, 0);
    if (birth->pid >= 0)
      return 0;
    explain(pid, errno, why, sizeof why);
  }
  if (options->pids == PID_SAME)
    return say_problem("%s: --pid=namespace gives it a namespace where it has that id", why);
  if (born_in_namespace(image, options, birth) == 0)
    return 0;
  return say_problem("(%s, and so it needs one; --pid=new starts it under another id)", why);
}
