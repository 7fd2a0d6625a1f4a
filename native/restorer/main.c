/* The order of the steps. Up to READY everything can fail and nothing outside of this process has changed;
 * after it the program is all but running. */
#include "restorer/restorer.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "format/control.h"
#include "restorer/offsets.h"

#define CHECK_OFFSET(name, value)                                                                            \
  _Static_assert(offsetof(struct ckpt_thread, name) == (value), "offsets.h is wrong about " #name)
CHECK_OFFSET(rip, OFFSET_RIP);
CHECK_OFFSET(rsp, OFFSET_RSP);
CHECK_OFFSET(rbx, OFFSET_RBX);
CHECK_OFFSET(rbp, OFFSET_RBP);
CHECK_OFFSET(r12, OFFSET_R12);
CHECK_OFFSET(r13, OFFSET_R13);
CHECK_OFFSET(r14, OFFSET_R14);
CHECK_OFFSET(r15, OFFSET_R15);

void restorer_fail(struct plan *plan, uint32_t step, long error, uint64_t a, uint64_t b) {
  struct plan_news news = {.kind = PLAN_NEWS_STEP, .step = step, .error = error, .a = a, .b = b};
  /* When even this fails, restart sees a process that ended early. */
  (void)sys_write_full(plan->report_fd, &news, sizeof news);
  for (;;)
    sys(SYS_(exit_group), 1);
}

/* restart may still have files to cut back, which it does only now that the rest is known to work. */
static void wait_for_go(struct plan *plan) {
  struct plan_news news = {.kind = PLAN_NEWS_READY};
  char go;
  if (sys_write_full(plan->report_fd, &news, sizeof news) < 0 || sys_read_full(plan->report_fd, &go, 1) != 1)
    for (;;)
      sys(SYS_(exit_group), 1);
}

/* Whoever runs could continue one that has yet to stop. */
static void wait_for_stops(struct plan *plan) {
  struct plan_news news = {.kind = PLAN_NEWS_STOPPED};
  siginfo_t info;
  char go;
  for (uint32_t i = 0; i < plan->stopped_count; i++)
    while (sys(SYS_(waitid), P_PID, plan->stopped[i].pid, &info,
               WSTOPPED | WEXITED | WCONTINUED | WNOWAIT | __WALL, NULL) == -EINTR)
      ;
  if (plan->supervises && (sys_write_full(plan->report_fd, &news, sizeof news) < 0 ||
                           (!plan->process.stop_signal && sys_read_full(plan->report_fd, &go, 1) != 1)))
    for (;;)
      sys(SYS_(exit_group), 1);
}

static void fill_resume(struct plan *plan) {
  struct ckpt_resume *resume = (struct ckpt_resume *)plan->process.resume;
  resume->hole_start = plan->hole_start;
  resume->hole_end = plan->hole_end;
  if (plan->job_dir_size)
    memcpy(resume->job_dir, plan->job_dir, plan->job_dir_size);
  if (resume->size >= offsetof(struct ckpt_resume, cpus) + sizeof resume->cpus &&
      sys(SYS_(sched_getaffinity), 0, sizeof resume->cpus, resume->cpus) < 0)
    memset(resume->cpus, 0, sizeof resume->cpus);
  if (resume->size >= offsetof(struct ckpt_resume, main_lives) + sizeof resume->main_lives)
    resume->main_lives = plan->threads[0].ended;
  if (resume->size >= offsetof(struct ckpt_resume, quiet) + sizeof resume->quiet) {
    resume->stop_signal = plan->process.stop_signal;
    resume->stopped = (uint64_t)plan->stopped;
    resume->stopped_count = plan->stopped_count;
    resume->quiet = plan->quiet;
  }
  if (resume->size >= offsetof(struct ckpt_resume, reaper) + sizeof resume->reaper) {
    int32_t parent = (int32_t)sys(SYS_(getppid));
    resume->root = plan->is_root ? (int32_t)sys(SYS_(getpid)) : 0;
    /* A parent outside of the pid namespace leaves them to the first process in it. */
    resume->reaper = plan->is_root ? (parent ? parent : 1) : 0;
  }
  resume->restarted = 1;
}

/* Those as well that libc does not let restart block: as in the handler in which the program goes on. */
static void block_signals(void) {
  const uint64_t all = ~0ull;
  sys(SYS_(rt_sigprocmask), 0 /* SIG_BLOCK */, &all, NULL, sizeof all);
}

void restorer_main(struct plan *plan) {
  block_signals();
  restorer_move_vdso_away(plan);
  restorer_unmap_rest(plan);
  restorer_place_vdso(plan);
  restorer_map_regions(plan);
  restorer_remove_segments(plan);
  restorer_seal_files(plan);
  restorer_read_pages(plan);
  restorer_patch_vdso(plan);
  fill_resume(plan);
  restorer_finish_regions(plan);
  restorer_restore_mm(plan);
  restorer_close_files(plan);
  restorer_take_locks(plan);
  restorer_restore_process(plan);
  restorer_start_threads(plan);
  restorer_limit_processes(plan);
  restorer_set_up_main_thread(plan);
  restorer_restore_credentials(plan);
  restorer_set_owners(plan);
  restorer_ask_for_notifications(plan);
  restorer_read_again(plan);
  wait_for_go(plan);
  wait_for_stops(plan);
  restorer_start_timers(plan); /* some take a signal: none is to be there before */
  restorer_queue_signals(plan);
  sys(SYS_(close), plan->report_fd);
  restorer_let_threads_go(plan);
  restorer_go_on(plan);
}
