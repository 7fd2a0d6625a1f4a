/* The birth of a job's processes, each by its parent, with their ids, sessions and process groups. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "job.h"
#include "pids.h"
#include "ptys.h"
#include "restorer/plan.h"
#include "say.h"
#include "terminal.h"

static const struct ckpt_process *process_of(const struct child *child) {
  return &child->image->process;
}

static bool is_root(const struct child *child) {
  return child == &child->job->children[0];
}

static bool leads_session(const struct child *child) {
  return is_root(child) ? child->leads_session : process_of(child)->sid == process_of(child)->pid;
}

/* ---- Sessions ----------------------------------------------------------------------------------------- */

/* The new process goes on from here. */
static int bear(struct child *child, uint64_t flags) {
  bool anew = child->options->pids == PID_NEW;
  pid_t pid = process_of(child)->pid, self = getpid();
  pid_t born = clone_as(anew ? 0 : pid, flags);
  if (born < 0)
    return say_problem("cannot make process %d: %s", pid, strerror(errno));
  if (born > 0) {
    child->born = born;
    return 0;
  }
  say_through(child->report_fd);
  child->parent = !(flags & CLONE_PARENT) ? self : anew ? 0 : process_of(child)->ppid;
  family_grow(child->job, child);
  say_send_problems();
  _exit(1);
}

pid_t clone_apart(const struct child *parent) {
  enum { LEAST = 300, TRIES = 65536 };
  const struct job *job = parent->job;
  pid_t pid = LEAST - 1;
  if (parent->options->pids == PID_NEW)
    return clone_as(0, 0);
  for (int i = 0; i < TRIES; i++) {
    if (job_has_id(job, ++pid))
      continue;
    pid_t born = clone_as(pid, 0);
    if (born >= 0 || errno != EEXIST)
      return born;
  }
  return -1;
}

/* Whoever cancels the restart kills the parent alone. */
void stay_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
    _exit(1);
  for (;;)
    pause();
}

static int wait_for_helper(pid_t helper) {
  int status;
  while (waitpid(helper, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return status == 0 ? 0 : -1;
}

/* Its parent ends at once: it comes to whoever takes orphans here. */
static int bear_orphan(const struct child *parent, struct child *child) {
  pid_t helper = clone_apart(parent);
  if (helper == 0)
    _exit(bear(child, 0) < 0);
  return helper > 0 && wait_for_helper(helper) == 0
             ? 0
             : say_problem("cannot make process %d, whose parent had ended", process_of(child)->pid);
}

__attribute__((noreturn)) static void end_as(const struct ckpt_child *child) {
  const struct rlimit none = {0, 0};
  int status = (int)child->status;
  if (child->pgid == child->pid)
    setpgid(0, 0);
  else
    setpgid(0, child->pgid);
  if (WIFSIGNALED(status)) {
    sigset_t set;
    setrlimit(RLIMIT_CORE, &none);
    sigemptyset(&set);
    sigaddset(&set, WTERMSIG(status));
    signal(WTERMSIG(status), SIG_DFL);
    kill(getpid(), WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
  }
  _exit(WEXITSTATUS(status));
}

/* Has this child ended as it is to? */
static bool has_ended(const struct ckpt_child *ended) {
  siginfo_t info;
  int status = (int)ended->status;
  while (waitid(P_PID, (id_t)ended->pid, &info, WEXITED | WNOWAIT) < 0)
    if (errno != EINTR)
      return false;
  return info.si_status == (WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Those who are in a session as children of the parent's, or as orphans; we are who has made it. */
static bool bear_members(const struct child *parent, pid_t session) {
  const struct job *job = parent->job;
  for (uint32_t i = 1; i < job->count; i++) {
    const struct ckpt_process *p = &job->images[i].process;
    if (job_bearer(&job->children[i]) == parent && p->sid == session &&
        bear(&job->children[i], p->orphan ? 0 : CLONE_PARENT) < 0)
      return false;
  }
  return true;
}

/* The session's leader has ended since: somebody with its id makes it once more, bears those who are in it,
 * and is gone; or stays as the leader itself, where the parent has not waited for it: nobody else can have
 * the id while there is somebody in the session. */
static int bear_into_session(const struct child *parent, pid_t session) {
  bool anew = parent->options->pids == PID_NEW;
  const struct ckpt_child *ended = anew ? NULL : child_that_ended(parent->image, session);
  pid_t helper = clone_as(anew ? 0 : session, 0);
  if (helper < 0)
    return say_problem("cannot make session %d again: %s", session, strerror(errno));
  if (helper > 0)
    return (ended ? has_ended(ended) : wait_for_helper(helper) == 0)
               ? 0
               : say_problem("cannot make session %d again", session);
  if (setsid() < 0 || !bear_members(parent, session))
    _exit(ended && ended->status == 1 << 8 ? 2 : 1);
  if (ended)
    end_as(ended);
  _exit(0);
}

static bool comes_before(const struct child *parent, const struct ckpt_process *p) {
  return p->sid != process_of(parent)->sid && p->sid != p->pid;
}

/* Of the parent's children those who were born before it began its session, or the others. */
static int bear_children(struct child *parent, bool before) {
  const struct job *job = parent->job;
  for (uint32_t i = 1; i < job->count; i++) {
    const struct ckpt_process *p = &job->images[i].process;
    if (job_bearer(&job->children[i]) != parent || comes_before(parent, p) != before)
      continue;
    bool orphaned = before && job_has_no_leader(job, p->sid, job->images[0].process.sid);
    bool done = false; /* with an earlier one of the same session */
    for (uint32_t j = 1; orphaned && j < i; j++)
      done |= job_bearer(&job->children[j]) == parent && job->images[j].process.sid == p->sid;
    if (done)
      continue;
    int result = orphaned    ? bear_into_session(parent, p->sid)
                 : p->orphan ? bear_orphan(parent, &job->children[i])
                             : bear(&job->children[i], 0);
    if (result < 0)
      return -1;
  }
  return 0;
}

/* ---- Process groups ----------------------------------------------------------------------------------- */

/* Somebody with the id of a leader that has ended makes the group once more. */
static int make_group(const struct child *child, pid_t group) {
  pid_t parent = getpid(), helper = clone_as(group, 0);
  if (helper == 0) {
    setpgid(0, 0);
    stay_with(parent);
  }
  int error = helper < 0 ? -errno : 0;
  if (error == 0 && setpgid(helper, helper) < 0)
    error = -errno;
  if (error == 0 && setpgid(0, group) < 0)
    error = -errno;
  if (helper > 0) {
    kill(helper, SIGKILL);
    while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  return error == 0 ? 0
                    : say_problem("cannot make process group %d of process %d again: %s", group,
                                  process_of(child)->pid, strerror(-error));
}

/* One that has ended leads its group until its parent has waited for it. */
static bool leads_ended(const struct ckpt_child *ended) {
  return ended->pgid == ended->pid;
}

static bool has_ended_leader(const struct job *job, pid_t group) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].children_count; j++)
      if (job->images[i].children[j].pid == group && leads_ended(&job->images[i].children[j]))
        return true;
  return false;
}

static bool is_first_of_group(const struct child *child) {
  for (const struct child *other = child->job->children; other < child; other++)
    if (process_of(other)->pgid == process_of(child)->pgid)
      return false;
  return true;
}

/* All are born into the group around the job, which has no number in a pid namespace of their own; whoever
 * makes a group does so once its children are born, and before the others look for it. */
static int make_own_group(const struct child *child) {
  const struct ckpt_process *p = process_of(child), *root = process_of(child->job->children);
  if (leads_session(child) || (is_root(child) && !child->leads_group) || getpgrp() == p->pgid)
    return 0;
  if (p->pgid == p->pid)
    return setpgid(0, 0) == 0 ? 0
                              : say_problem("cannot make process %d the leader of a process group: %s",
                                            p->pid, strerror(errno));
  return child->options->pids != PID_NEW && job_has_no_leader(child->job, p->pgid, root->pgid) &&
                 !has_ended_leader(child->job, p->pgid) && is_first_of_group(child)
             ? make_group(child, p->pgid)
             : 0;
}

static int join_group(const struct child *child) {
  const struct ckpt_process *p = process_of(child);
  const struct child *leader = job_find(child->job, p->pgid);
  if (is_root(child) || p->pgid == p->pid || child->options->pids == PID_NEW)
    return 0;
  if (!leader && p->pgid == process_of(child->job->children)->pgid)
    return 0; /* the one around the job */
  if (getpgrp() == p->pgid || setpgid(0, p->pgid) == 0)
    return 0;
  return say_problem("cannot put process %d into its process group %d: %s", p->pid, p->pgid, strerror(errno));
}

/* ---- Children that have ended ------------------------------------------------------------------------- */

/* With those who are in its session. */
static bool has_been_born(const struct child *parent, const struct ckpt_child *ended) {
  siginfo_t info = {0};
  return parent->options->pids != PID_NEW &&
         waitid(P_PID, (id_t)ended->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == ended->pid;
}

/* Those that lead a group, or the others: they join theirs. */
static int bear_ended(const struct child *parent, bool leaders) {
  const struct image *image = parent->image;
  for (uint32_t i = 0; i < image->children_count; i++) {
    siginfo_t info;
    if (leads_ended(&image->children[i]) != leaders || has_been_born(parent, &image->children[i]))
      continue;
    pid_t pid = clone_as(parent->options->pids == PID_NEW ? 0 : image->children[i].pid, 0);
    if (pid < 0)
      return say_problem("cannot make process %d, which had ended: %s", image->children[i].pid,
                         strerror(errno));
    if (pid == 0)
      end_as(&image->children[i]);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
      ;
  }
  return 0;
}

/* ---- All of it ---------------------------------------------------------------------------------------- */

/* From now on each holds its own report alone: it is gone when the process is. */
static void close_other_reports(const struct child *child) {
  for (uint32_t i = 0; i < child->job->count; i++)
    if (&child->job->children[i] != child)
      close(child->job->children[i].report_fd);
}

static int wait_for_all(const struct child *child) {
  const struct plan_news news = {.kind = PLAN_NEWS_BORN};
  char go;
  if (sys_write_full(child->report_fd, &news, sizeof news) < 0 ||
      sys_read_full(child->report_fd, &go, 1) != 1)
    _exit(1);
  return 0;
}

int family_grow(const struct job *job, struct child *child) {
  const struct ckpt_process *p = process_of(child);
  if (nest_fill(child) < 0 || bear_children(child, true) < 0)
    return -1;
  if (leads_session(child) && setsid() < 0)
    return say_problem("cannot make process %d the leader of a session: %s", p->pid, strerror(errno));
  if (leads_session(child) && ptys_take_controlling(child) < 0)
    return -1;
  if (bear_children(child, false) < 0 || ptys_leave_controlling(child) < 0 || bear_ended(child, true) < 0 ||
      make_own_group(child) < 0)
    return -1;
  close_other_reports(child);
  continued_stand_still(child);
  continued_let_go_on(child);
  if (job->count > 1)
    wait_for_all(child);
  if (join_group(child) < 0 || bear_ended(child, false) < 0)
    return -1;
  if (leads_session(child))
    ptys_set_foreground(child);
  if (child->takes_terminal)
    terminal_take(child->image);
  return child_become(child);
}
