#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"
#include "job.h"
#include "namespace.h"
#include "plan.h"
#include "say.h"
#include "sysv.h"

/* A program that was the first process of its namespace is so again, and nobody else is there to do this. */
static void settle_as_first(const struct child *child) {
  if (child->birth.in_namespace && child->image->process.pid == 1)
    namespace_settle(child->image->info.last_pid);
}

static void restore_priority(const struct image *image) {
  const struct ckpt_process *p = &image->process;
  const struct ckpt_thread *thread = &image->threads[0];
  struct sched_param param = {.sched_priority = thread->priority};
  int policy = (int)(thread->policy & ~(uint32_t)SCHED_RESET_ON_FORK);
  if ((policy != sched_getscheduler(0) || param.sched_priority) &&
      sched_setscheduler(0, (int)thread->policy, &param) < 0)
    say_warning("cannot give the program its scheduling policy %d back: %s", policy, strerror(errno));
  errno = 0;
  int now = getpriority(PRIO_PROCESS, 0);
  if (now != p->nice && setpriority(PRIO_PROCESS, 0, p->nice) < 0)
    say_warning("cannot give the program its nice value %d back (it is %d): %s", p->nice, now,
                strerror(errno));
}

static void restore_oom_score(int32_t wanted) {
  int now = 0;
  FILE *file = fopen("/proc/self/oom_score_adj", "r+e");
  if (file && fscanf(file, "%d", &now) == 1 && now != wanted) {
    rewind(file);
    if (fprintf(file, "%d", wanted) < 0 || fflush(file) != 0)
      say_warning("cannot give the program its oom_score_adj %d back (it is %d): %s", wanted, now,
                  strerror(errno));
  }
  if (file)
    fclose(file);
}

static void restore_dump_filter(uint32_t one_more) {
  FILE *file = one_more ? fopen("/proc/self/coredump_filter", "we") : NULL;
  bool written = file && fprintf(file, "%u", one_more - 1) > 0 && fflush(file) == 0;
  if (one_more && !written)
    say_warning("cannot give the program its coredump_filter back: %s", strerror(errno));
  if (file)
    fclose(file);
}

/* What is above our hard limits and may not be raised becomes as much as there is. */
static void clamp_limits(struct image *image) {
  for (uint32_t i = 0; i < image->rlimits_count; i++) {
    struct ckpt_rlimit *wanted = &image->rlimits[i];
    struct rlimit now, raised;
    if (getrlimit((int)wanted->resource, &now) < 0 || wanted->hard <= now.rlim_max)
      continue;
    raised = (struct rlimit){.rlim_cur = now.rlim_cur, .rlim_max = wanted->hard};
    if (setrlimit((int)wanted->resource, &raised) == 0)
      continue;
    say_warning("resource limit %u was %llu and cannot be more than %llu here: see ulimit -H",
                wanted->resource, (unsigned long long)wanted->hard, (unsigned long long)now.rlim_max);
    wanted->hard = now.rlim_max;
    if (wanted->soft > wanted->hard)
      wanted->soft = wanted->hard;
  }
}

int child_change_directory(struct child *child) {
  const struct ckpt_process *p = &child->image->process;
  const char *cwd = image_string(child->image, p->cwd);
  if (p->cwd_file && file_make(child, p->cwd_file - 1) < 0)
    return -1;
  if ((p->cwd_file ? fchdir(child->files_write[p->cwd_file - 1]) : chdir(cwd)) < 0)
    return say_problem("cannot go to its working directory %s: %s", cwd, strerror(errno));
  return 0;
}

int child_become(struct child *child) {
  clamp_limits(child->image);
  if (place_descriptors(child) < 0 || child_change_directory(child) < 0)
    return -1;
  umask((mode_t)child->image->process.umask);
  restore_priority(child->image);
  restore_oom_score(child->image->process.oom_score_adj);
  restore_dump_filter(child->image->process.dump_filter);
  return sysv_adjust(child) < 0 ? -1 : plan_jump(child);
}

void child_run(struct job *job) {
  struct child *root = &job->children[0];
  say_through(root->report_fd);
  settle_as_first(root);
  if (make_descriptors(job) == 0 && segments_make(job) == 0 && sysv_make(job) == 0 && nest_place(job) == 0)
    family_grow(job, root);
  say_send_problems();
  _exit(1);
}
