/* Members whose parent has ended: daemons. The kernel gives such a process to the nearest ancestor that takes
 * orphans (PR_SET_CHILD_SUBREAPER), or to the first process of the pid namespace. So they are among the
 * children of those who are ancestors of the job's root, too.
 *
 * There, what is the job's has to be told from what is not. Who started the job has put an id into its
 * environment, which is inherited by fork and exec. A restarted program's orphans come to `restart`, or to
 * the first process of the namespace that it has made: all who are there are the job's. Once `restart` has
 * been killed they have gone where it was, and the id tells again. Only the root looks: a process in the
 * middle of a job leads its descendants alone. */
#include <errno.h>
#include <sys/stat.h>

#include "core/proc.h"
#include "core/sys.h"
#include "members.h"

/* As a process of this namespace sees it; 0: there is none, or it is outside. */
static int32_t parent_of(int32_t pid) {
  char stat[1024];
  return proc_read(pid, "stat", stat, sizeof stat) > 0 ? (int32_t)proc_stat_field(stat, 4) : 0;
}

/* By `restart`, which takes the job's orphans and nobody else's. */
static bool is_looked_after(void) {
  int32_t parent = (int32_t)sys(SYS_(getppid)), reaper = ckpt_state.resume.reaper;
  return reaper && reaper == (parent ? parent : 1);
}

/* A restarted one that is the first of its namespace takes its orphans itself. */
bool job_may_have_orphans(const struct checkpoint *c) {
  const struct ckpt_resume *resume = &ckpt_state.resume;
  return resume->root == c->process.pid && resume->reaper != c->process.pid &&
         (is_looked_after() || ckpt_state.job[0]);
}

long job_add_orphans(struct checkpoint *c) {
  if (!job_may_have_orphans(c))
    return 0;
  if (is_looked_after())
    return job_add_children(c, ckpt_state.resume.reaper, ADD_ORPHANS);
  int32_t pid = (int32_t)sys(SYS_(getppid)), last = 0;
  long result = 0;
  for (; pid > 0 && result == 0; pid = parent_of(pid))
    result = job_add_children(c, last = pid, ADD_ORPHANS_WITH_ID);
  /* Who came into the namespace from outside has no ancestor in it. */
  return result == 0 && last != 1 ? job_add_children(c, 1, ADD_ORPHANS_WITH_ID) : result;
}

/* Once all stand still nobody's parent changes any more. */
void job_settle_parents(struct checkpoint *c) {
  struct member *members = c->job->members.entries;
  for (size_t i = 0; i < c->job->members.count; i++) {
    int32_t parent = members[i].stage == STAGE_ENDED ? 0 : parent_of(members[i].pid);
    bool known = parent == c->process.pid;
    for (size_t j = 0; j < c->job->members.count && !known; j++)
      known = members[j].pid == parent && members[j].stage != STAGE_ENDED;
    members[i].parent = known ? parent : 0;
  }
}
