/* restart: brings a checkpoint image back to life and stays as the program's parent. */
#include <errno.h>
#include <fcntl.h>
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
#include "descriptors.h"
#include "files.h"
#include "find.h"
#include "follow.h"
#include "moves.h"
#include "options.h"
#include "pids.h"
#include "redirect.h"
#include "running.h"
#include "say.h"
#include "segments.h"
#include "vdso.h"

struct restart {
  struct options options;
  struct place place;
  struct image image;
  struct changes changes;
  struct vdso vdso;
  struct birth birth;
  struct running running;
  int proc;   /* /proc as it is outside of any namespace we make */
  int socket; /* to the new process */
  bool leads_group;
  bool shares_group;
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
  check_owner(&r->image, &r->place, &r->options);
  if (!say_has_problem() && image_verify_memory(&r->image) < 0)
    say_problem("%s: %s", r->place.core, r->image.why);
  for (uint32_t i = 0; i < r->image.files_count && !say_has_problem(); i++)
    if (r->image.files[i].flags & CKPT_FILE_CARRIED)
      check_carried(&r->image, &r->place, &r->image.files[i]);
  if (say_has_problem())
    return fail();
  return printf("%s: whole\n", r->place.image) < 0 || fflush(stdout);
}

/* All that can be found wrong before anything is made. */
static bool checks_pass(struct restart *r) {
  if (moves_apply(&r->options.moves, &r->image) < 0)
    return false;
  redirects_apply(&r->options.redirects, &r->image);
  check_owner(&r->image, &r->place, &r->options);
  check_machine(&r->image, &r->options);
  check_rights(&r->image);
  check_surroundings(&r->image);
  check_unix_names(&r->image);
  check_connections(&r->image, &r->options);
  check_alive(&r->image, &r->place, &r->options);
  check_files(&r->image, &r->place, &r->options, &r->changes);
  check_segments(&r->image);
  vdso_prepare(&r->image, &r->vdso);
  return !say_has_problem();
}

/* A job of a shell stays in the group that the shell has made for restart; elsewhere it leads one, as it did.
 */
static void choose_group(struct restart *r) {
  const struct ckpt_process *p = &r->image.process;
  int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0)
    close(terminal);
  r->leads_group = p->pgid == p->pid && p->sid != p->pid && terminal < 0;
  r->shares_group = p->sid != p->pid && !r->leads_group;
}

__attribute__((noreturn)) static void be_child(struct restart *r, int socket) {
  struct child child = {
      .image = &r->image,
      .place = &r->place,
      .options = &r->options,
      .vdso = &r->vdso,
      .birth = r->birth,
      .leads_group = r->leads_group,
      .report_fd = socket,
  };
  child_run(&child);
}

static int give_birth_to(struct restart *r) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
    return say_problem("cannot make a socket: %s", strerror(errno));
  follow_block_signals();
  if (give_birth(&r->image, &r->options, &r->birth) < 0)
    return -1;
  if (r->birth.pid == 0)
    be_child(r, sockets[1]);
  if (!r->birth.own_clocks)
    clocks_compare(&r->image);
  close(sockets[1]);
  r->socket = sockets[0];
  return 0;
}

/* What changes the world outside, once the program is known to work: before it runs. */
static int commit(struct restart *r) {
  if (changes_commit(&r->changes, &r->image, &r->place) < 0)
    return -1;
  r->running.pid = r->birth.pid;
  r->running.starttime = running_starttime(r->proc, r->birth.pid);
  int error = running_boot_id(r->running.boot_id) < 0 ? -ENOENT : running_write(r->place.job, &r->running);
  if (error < 0)
    say_warning("cannot note in %s that the program runs: %s", r->place.job, strerror(-error));
  return 0;
}

/* restart only waits from here on: it holds nothing open that the program or its partners could notice. */
static void let_go(struct restart *r) {
  image_close(&r->image);
  close(r->socket);
  close(r->proc);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
  descriptors_close_inherited();
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int run(struct restart *r) {
  int signal = 0;
  choose_group(r);
  if (redirects_open(&r->options.redirects, &r->image) < 0 ||
      changes_begin(&r->changes, &r->image, &r->place) < 0 || give_birth_to(r) < 0) {
    changes_undo(&r->changes);
    return fail();
  }
  enum follow_result result = follow_until_ready(&r->image, r->socket, r->birth.pid, &signal);
  if (result == FOLLOW_ON && commit(r) < 0) {
    follow_kill(r->birth.pid);
    result = FOLLOW_FAILED;
  }
  if (result == FOLLOW_ON) {
    result = follow_start(&r->image, r->socket, r->birth.pid);
    if (result != FOLLOW_ON)
      running_remove(r->place.job, &r->running);
  }
  if (result != FOLLOW_ON)
    changes_undo(&r->changes);
  if (result == FOLLOW_CANCELLED)
    return 128 + signal;
  if (result == FOLLOW_FAILED)
    return fail();
  control_done(r->birth.pid, now_ns() - r->begin, r->image.prologue.file_size, r->place.image);
  let_go(r);
  int status = follow_to_end(r->birth.pid, r->shares_group);
  running_remove(r->place.job, &r->running);
  return status;
}

int main(int argc, char **argv) {
  static struct restart r;
  r.begin = now_ns();
  int status = options_parse(argc, argv, &r.options);
  if (status >= 0)
    return status;
  clocks_note();
  if (descriptors_note_inherited() < 0)
    return fail();
  if (r.options.has_control && control_connect(r.options.control) < 0)
    return fail();
  r.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (r.proc < 0) {
    say_problem("cannot open /proc: %s", strerror(errno));
    return fail();
  }
  if (find_image(r.options.image, r.options.name, &r.place, &r.image) < 0)
    return fail();
  if (r.options.check)
    return check_image(&r);
  return checks_pass(&r) ? run(&r) : fail();
}
