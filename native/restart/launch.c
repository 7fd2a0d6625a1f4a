#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "core/sys.h"
#include "core/text.h"
#include "detach.h"
#include "follow.h"
#include "running.h"
#include "say.h"

static int find_place(struct place *place, const struct options *options, pid_t pid) {
  char name[NAME_MAX + 1];
  snprintf(name, sizeof name, "%s-%d", text_base(options->program[0]), pid);
  int length =
      snprintf(place->job, sizeof place->job, "%s/%s", options->launch, options->name ? options->name : name);
  return length < (int)sizeof place->job ? 0 : say_problem("%s: its path is too long", options->launch);
}

/* What its daemons are known by (native/preload/orphans.c). */
static int name_job(void) {
  char id[64];
  pid_t keeper = getppid();
  snprintf(id, sizeof id, "%d-%llu", keeper, (unsigned long long)running_starttime(AT_FDCWD, keeper));
  return setenv("CKPT_JOB", id, 1) < 0 ? say_problem("not enough memory") : 0;
}

/* The new process: the program, or words for why not. */
__attribute__((noreturn)) static void begin(const struct options *options, const sigset_t *signals,
                                            int words) {
  struct place place = {0};
  setsid();
  if (find_place(&place, options, getpid()) == 0 && name_job() == 0 && detach_open(&place) == 0) {
    detach_streams();
    sigprocmask(SIG_SETMASK, signals, NULL);
    execv(options->program[0], options->program);
    say_problem("%s: %s", options->program[0], strerror(errno));
  }
  detach_undo(&place);
  (void)sys_write_full(words, say_problems(), strlen(say_problems()));
  _exit(1);
}

static pid_t start(const struct options *options) {
  char words[4096] = "";
  sigset_t signals;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return say_problem("cannot make a pipe: %s", strerror(errno));
  sigprocmask(SIG_BLOCK, NULL, &signals);
  follow_block_signals();
  pid_t pid = fork();
  if (pid < 0)
    return say_problem("cannot start a process: %s", strerror(errno));
  if (pid == 0)
    begin(options, &signals, ends[1]);
  close(ends[1]);
  long n = sys_read_full(ends[0], words, sizeof words - 1);
  close(ends[0]);
  if (n == 0)
    return pid;
  follow_kill(pid);
  return say_problem("%s", n < 0 ? strerror((int)-n) : words);
}

int launch(const struct options *options) {
  struct place place = {0};
  struct terminal terminal = {0};
  struct held held = {0};
  pid_t pid = start(options);
  if (pid < 0)
    return -1;
  struct running running = {.pid = pid, .keeper = getpid()};
  running.starttime = running_starttime(AT_FDCWD, pid);
  running.keeper_starttime = running_starttime(AT_FDCWD, running.keeper);
  int error = running_boot_id(running.boot_id);
  if (find_place(&place, options, pid) < 0 || error < 0 || (error = running_write(place.job, &running)) < 0) {
    follow_kill(pid);
    return say_problem("cannot note in %s that the program runs: %s", place.job,
                       error < 0 ? strerror(-error) : "no such path");
  }
  control_done(pid, 0, 0, place.job);
  detach_done(pid);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; null >= 0 && fd <= 2; fd++)
    dup2(null, fd);
  (void)close_range(3, ~0u, 0);
  int status = follow_to_end(pid, FOLLOW_ALONE, &terminal, &held);
  detach_ended(&place, &running, status);
  running_remove(place.job, &running);
  return status;
}
