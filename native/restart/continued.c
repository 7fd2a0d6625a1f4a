/* That a child goes on after a stop, of which its parent has yet to hear (WCONTINUED), is nothing that could
 * be set: such a child is stopped and goes on once more, while it is ordinary code. What signals that leaves,
 * each of the two drops: the child at once, its parent with all others of its children (restorer/process.c).
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "job.h"
#include "say.h"

static bool goes_on_unheard(const struct child *child) {
  const struct child *parent = job_parent(child);
  pid_t pid = child->image->process.pid;
  for (uint32_t i = 0; parent && i < parent->image->stops_count; i++)
    if (parent->image->stops[i].pid == pid && parent->image->stops[i].continued)
      return !child->image->process.stop_signal;
  return false;
}

void continued_stand_still(const struct child *child) {
  const struct timespec none = {0, 0};
  sigset_t set;
  if (!goes_on_unheard(child))
    return;
  if (!child->parent) {
    say_warning("the parent of process %d does not hear that it goes on after a stop (WCONTINUED): with "
                "--pid=new it does not know it",
                child->image->process.pid);
    return;
  }
  /* Without a parent nobody would let it go on. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != child->parent)
    _exit(1);
  kill(getpid(), SIGSTOP);
  prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  sigemptyset(&set);
  sigaddset(&set, SIGCONT);
  sigtimedwait(&set, NULL, &none);
}

void continued_let_go_on(const struct child *parent) {
  const struct job *job = parent->job;
  for (uint32_t i = 1; i < job->count; i++) {
    const struct child *child = &job->children[i];
    pid_t pid = child_id(child);
    siginfo_t info = {0};
    if (job_parent(child) != parent || pid <= 0 || !goes_on_unheard(child))
      continue;
    while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0 && errno == EINTR)
      ;
    if (info.si_code == CLD_STOPPED)
      kill(pid, SIGCONT);
  }
}
