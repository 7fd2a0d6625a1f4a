/* restart: brings a checkpoint image back to life and stays as the program's parent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "clocks.h"
#include "control.h"
#include "copies.h"
#include "detach.h"
#include "files.h"
#include "find.h"
#include "follow.h"
#include "hold.h"
#include "job.h"
#include "launch.h"
#include "made.h"
#include "moves.h"
#include "mqueue.h"
#include "options.h"
#include "outside.h"
#include "pids.h"
#include "redirect.h"
#include "relay.h"
#include "restorer/plan.h"
#include "running.h"
#include "say.h"
#include "segments.h"
#include "sysv.h"
#include "tcp_repair.h"
#include "terminal.h"
#include "vdso.h"

struct restart {
  struct options options;
  struct place place;
  struct job job;
  struct changes changes;
  struct birth birth;
  struct running running;
  struct terminal terminal;
  struct following following;
  struct held held;
  int proc; /* /proc as it is outside of any namespace we make */
  bool leads_session;
  bool leads_group;
  bool lends; /* the terminal's foreground to that group */
  bool shares_group;
  int gate; /* of a copy, else -1 */
  uint64_t begin;
};

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A line for each problem, to whoever is waiting to hear it. */
static int fail(void) {
  char words[16384];
  snprintf(words, sizeof words, "%s", say_problems());
  if (control_failed(words))
    return 1;
  for (char *line = strtok(words, "\n"); line; line = strtok(NULL, "\n"))
    fprintf(stderr, "restart: %s\n", line);
  return 1;
}

static int check_image(struct restart *r) {
  for (uint32_t i = 0; i < r->job.count && !say_has_problem(); i++) {
    struct image *image = &r->job.images[i];
    check_owner(image, &r->place, &r->options);
    if (!say_has_problem() && image_verify_memory(image) < 0)
      say_problem("%s/%d.core: %s", r->place.image, image->process.pid, image->why);
    for (uint32_t j = 0; j < image->files_count && !say_has_problem(); j++)
      if (image->files[j].flags & CKPT_FILE_CARRIED)
        check_carried(image, &r->place, &image->files[j]);
  }
  if (say_has_problem())
    return fail();
  return printf("%s: whole\n", r->place.image) < 0 || fflush(stdout);
}

static bool is_beside_others(const struct options *options) {
  return options->clone || options->copy;
}

/* All that can be found wrong before anything is made. */
static bool checks_pass(struct restart *r) {
  job_share_flags(&r->job);
  if (job_share_copies(&r->job) < 0)
    return false;
  for (uint32_t i = 0; i < r->job.count; i++)
    if (moves_apply(&r->options.moves, &r->job.images[i]) < 0)
      return false;
  if (moves_change_directory(&r->options.moves, r->job.images, r->job.count) < 0)
    return false;
  if (redirects_part_standard(r->job.images, r->job.count) < 0)
    return false;
  redirects_apply(&r->options.redirects, r->job.images, r->job.count);
  /* First: what is about to end has names and files until then. */
  for (uint32_t i = 0; i < r->job.count; i++)
    check_alive(&r->job.images[i], &r->place, &r->options);
  for (uint32_t i = 0; i < r->job.count; i++) {
    struct image *image = &r->job.images[i];
    check_owner(image, &r->place, &r->options);
    if (r->options.stopped && image->process.stop_signal)
      say_problem("--stopped: process %d was stopped itself when it was saved", image->process.pid);
    check_machine(image, &r->options);
    check_rights(image);
    check_surroundings(image, &r->options);
    check_pidfds(&r->job, image, &r->options);
    check_watches(&r->job, image);
    check_unix_names(image);
    check_connections(image, &r->options);
    check_files(image, &r->place, &r->options, &r->changes);
    check_segments(image);
    if (is_beside_others(&r->options))
      check_copies(image, &r->options);
    vdso_prepare(image, &r->job.children[i].vdso);
  }
  check_repair(&r->job, &r->options);
  check_sysv(&r->job);
  if (is_beside_others(&r->options))
    check_copy_names(&r->place, r->options.clone);
  return !say_has_problem();
}

/* It leads a process group, as it did: in a terminal only if we can do for it what a shell does for its jobs.
 * A new session would have no terminal, and Ctrl-C and Ctrl-Z no effect: who had a terminal stays in ours.
 */
static void choose_group(struct restart *r) {
  const struct ckpt_process *p = &r->job.images[0].process;
  int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0)
    close(terminal);
  bool controls = !r->options.no_tty && terminal_controls(&r->job.images[0]);
  r->leads_session = r->options.no_tty || (p->sid == p->pid && !controls);
  r->lends = p->pgid == p->pid && controls && terminal_is_ours();
  r->leads_group = p->pgid == p->pid && !r->leads_session && (terminal < 0 || r->lends);
  r->shares_group = !r->leads_session && !r->leads_group;
}

__attribute__((noreturn)) static void be_root(struct restart *r) {
  detach_streams();
  if (relay_streams(&r->job, &r->options) < 0) {
    say_through(r->job.children[0].report_fd);
    say_send_problems();
    _exit(1);
  }
  for (uint32_t i = 0; i < r->job.count; i++) {
    close(r->following.sockets[i]);
    r->job.children[i].options = &r->options;
    r->job.children[i].birth = r->birth;
    r->job.children[i].takes_terminal = r->lends;
  }
  r->job.children[0].leads_session = r->leads_session;
  r->job.children[0].leads_group = r->leads_group;
  child_run(&r->job);
}

static int make_sockets(struct restart *r) {
  uint32_t count = r->job.count;
  int *sockets = calloc(count, sizeof *sockets);
  r->following = (struct following){.images = r->job.images, .sockets = sockets, .count = count};
  if (!sockets)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < count; i++) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
      return say_problem("cannot make a socket: %s", strerror(errno));
    sockets[i] = ends[0];
    r->job.children[i].report_fd = ends[1];
  }
  return 0;
}

static int give_birth_to_root(struct restart *r) {
  if (make_sockets(r) < 0)
    return -1;
  /* Whose parent ends while the program runs comes to us, and is known as the program's by that: in a pid
   * namespace of its own to the first process there. */
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    return say_problem("cannot look after the program's orphans: %s", strerror(errno));
  if (give_birth(&r->job, &r->options, &r->birth) < 0)
    return -1;
  if (r->birth.pid == 0)
    be_root(r);
  if (!r->birth.own_clocks)
    clocks_compare(&r->job.images[0]);
  for (uint32_t i = 0; i < r->job.count; i++)
    close(r->job.children[i].report_fd);
  r->following.pid = r->birth.pid;
  r->terminal.lent_to = r->lends ? r->birth.pid : 0;
  return 0;
}

/* What changes the world outside, once the program is known to work: before it runs. */
static int commit(struct restart *r) {
  if (r->gate >= 0 && copy_wait(r->gate) < 0)
    return -1;
  if (r->options.copy && !control_ready(r->place.image))
    return -1;
  if (changes_commit(&r->changes, &r->place) < 0 || repair_let_go(&r->job) < 0)
    return -1;
  r->running.pid = r->birth.pid;
  r->running.starttime = running_starttime(r->proc, r->birth.pid);
  if (r->options.detach) {
    r->running.keeper = getpid();
    r->running.keeper_starttime = running_starttime(r->proc, r->running.keeper);
  }
  int error = running_boot_id(r->running.boot_id) < 0 ? -ENOENT : running_write(r->place.job, &r->running);
  if (error < 0)
    say_warning("cannot note in %s that the program runs: %s", r->place.job, strerror(-error));
  if (r->options.pty || (!r->options.no_tty && !is_beside_others(&r->options)))
    terminal_set(&r->job, &r->terminal);
  return 0;
}

/* restart only waits from here on: it holds nothing open that the program or its partners could notice. */
static void let_go(struct restart *r) {
  for (uint32_t i = 0; i < r->following.count; i++)
    close(r->following.sockets[i]);
  job_close(&r->job);
  close(r->proc);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
  outside_close_inherited();
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Where the program is not to run it is traced before anything outside is changed: that may be forbidden. */
static int hold_and_commit(struct restart *r) {
  bool holds = r->options.stopped;
  if ((!holds || hold_begin(&r->held, r->proc, r->birth.pid) == 0) && commit(r) == 0)
    return 0;
  if (holds)
    hold_kill(&r->held);
  else
    follow_kill(r->birth.pid);
  return -1;
}

/* Once the program runs, or stands where it would. */
static enum follow_result start(struct restart *r) {
  if (!r->options.stopped)
    return follow_start(&r->following);
  enum follow_result result = follow_go(&r->following);
  if (result == FOLLOW_ON) {
    hold_follow(&r->held);
    result = follow_started(&r->following);
  }
  if (result == FOLLOW_ON)
    hold_stop(&r->held);
  return result;
}

static int run(struct restart *r) {
  int signal = 0;
  choose_group(r);
  if ((r->options.detach && detach_open(&r->place) < 0) ||
      redirects_open(&r->options.redirects, r->job.images, r->job.count) < 0) {
    detach_undo(&r->place);
    return fail();
  }
  follow_block_signals(); /* whoever cancels is heard once there is a process to follow */
  if (changes_begin(&r->changes, &r->place) < 0 || repair_make_all(&r->job, &r->options) < 0 ||
      queues_roll_back(&r->job, &r->options) < 0 || made_begin(&r->job) < 0 || give_birth_to_root(r) < 0) {
    changes_undo(&r->changes);
    detach_undo(&r->place);
    return fail();
  }
  enum follow_result result =
      r->job.count > 1 ? follow_until(&r->following, PLAN_NEWS_BORN, &signal) : FOLLOW_ON;
  if (result == FOLLOW_ON && r->job.count > 1)
    result = follow_go(&r->following);
  if (result == FOLLOW_ON)
    result = follow_until(&r->following, PLAN_NEWS_READY, &signal);
  if (result == FOLLOW_ON && hold_and_commit(r) < 0)
    result = FOLLOW_FAILED;
  if (result == FOLLOW_ON) {
    result = start(r);
    if (result != FOLLOW_ON)
      running_remove(r->place.job, &r->running);
  }
  if (result != FOLLOW_ON) {
    terminal_take_back(&r->terminal);
    terminal_reset(&r->terminal);
    made_undo();
    changes_undo(&r->changes);
    detach_undo(&r->place);
  }
  if (result == FOLLOW_CANCELLED)
    return 128 + signal;
  if (result == FOLLOW_FAILED)
    return fail();
  control_done(r->birth.pid, now_ns() - r->begin, job_size(&r->job), r->place.image);
  /* It draws itself again: what the terminal shows, and its size, are others now. */
  if (r->terminal.set)
    kill(r->birth.pid, SIGWINCH);
  if (r->options.detach)
    detach_done(r->birth.pid);
  let_go(r);
  enum follow_place where = r->options.detach ? FOLLOW_ALONE : r->shares_group ? FOLLOW_NEAR : FOLLOW_APART;
  int status = follow_to_end(r->birth.pid, where, &r->terminal, &r->held);
  terminal_take_back(&r->terminal);
  terminal_reset(&r->terminal);
  if (r->options.detach)
    detach_ended(&r->place, &r->running, status);
  running_remove(r->place.job, &r->running);
  return status;
}

/* The files outside are changed once for all copies, while all of them wait to run. */
static int run_copies(struct restart *r) {
  static struct copies copies;
  follow_block_signals();
  if (changes_begin(&r->changes, &r->place) < 0) {
    changes_undo(&r->changes);
    return fail();
  }
  int copy = copies_fork(&copies, r->options.clone, &r->gate);
  if (copy > 0) {
    copy_name(&r->place, (uint32_t)copy);
    r->changes.count = 0;
    return run(r);
  }
  int status = copy < 0 ? 1 : copies_gather(&copies);
  if (status == 0 && changes_commit(&r->changes, &r->place) < 0)
    status = 1;
  if (status != 0) {
    copies_end(&copies);
    changes_undo(&r->changes);
    fail();
    return status;
  }
  copies_go(&copies);
  let_go(r);
  return copies_follow(&copies);
}

int main(int argc, char **argv) {
  static struct restart r;
  r.begin = now_ns();
  r.gate = -1;
  int status = options_parse(argc, argv, &r.options);
  if (status >= 0)
    return status;
  clocks_note();
  if (!r.options.launch && outside_note_inherited() < 0)
    return fail();
  if (r.options.has_control && control_connect(r.options.control) < 0)
    return fail();
  if (r.options.detach && detach_begin(r.options.has_control) < 0)
    return fail();
  if (r.options.launch) {
    status = launch(&r.options);
    return status < 0 ? fail() : status;
  }
  r.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (r.proc < 0) {
    say_problem("cannot open /proc: %s", strerror(errno));
    return fail();
  }
  struct image root;
  if (find_image(r.options.image, r.options.name, &r.place, &root) < 0 ||
      job_open(&r.job, &r.place, &root) < 0)
    return fail();
  if (r.options.check)
    return check_image(&r);
  if (!checks_pass(&r) || (r.options.pty && relay_begin(&r.job) < 0))
    return fail();
  relay_warn(&r.job, &r.options);
  if (r.options.copy)
    setsid();
  if (r.options.copy == COPY_FURTHER)
    r.changes.count = 0;
  return r.options.clone ? run_copies(&r) : run(&r);
}
