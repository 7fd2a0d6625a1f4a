#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "say.h"

static int news = -1;
static int streams[3] = {-1, -1, -1};
static bool made_directory, made_output;

/* ---- Two processes ------------------------------------------------------------------------------------ */

/* The one in front: until the program runs, or the other has ended, with a problem said. */
__attribute__((noreturn)) static void wait_for_news(int from, pid_t other, bool silent) {
  int32_t pid = 0;
  int status = 0;
  if (sys_read_full(from, &pid, sizeof pid) == sizeof pid)
    _exit(silent ? 0 : printf("%d\n", pid) < 0 || fflush(stdout));
  while (waitpid(other, &status, 0) < 0 && errno == EINTR)
    ;
  _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

int detach_begin(bool silent) {
  int ends[2];
  pid_t front = getpid();
  if (pipe2(ends, O_CLOEXEC) < 0)
    return say_problem("cannot make a pipe: %s", strerror(errno));
  pid_t pid = fork();
  if (pid < 0)
    return say_problem("cannot start a process: %s", strerror(errno));
  if (pid > 0) {
    close(ends[1]);
    wait_for_news(ends[0], pid, silent);
  }
  close(ends[0]);
  news = ends[1];
  setsid();
  /* Until the program runs, whoever ends the one in front means both. */
  if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != front)
    _exit(1);
  return 0;
}

void detach_done(pid_t pid) {
  int32_t word = pid;
  prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  /* When nobody has waited for it, the program runs all the same. */
  (void)sys_write_full(news, &word, sizeof word);
  close(news);
  news = -1;
  if (chdir("/") < 0)
    say_warning("cannot leave the working directory: %s", strerror(errno));
}

/* ---- Input and output --------------------------------------------------------------------------------- */

static int path_in(const struct place *place, const char *name, char path[PATH_MAX]) {
  int n = snprintf(path, PATH_MAX, "%s/%s", place->job, name);
  return place->job[0] && n < PATH_MAX ? 0 : -1;
}

/* A bare core file has no directory that is its job's. */
static int open_output(const struct place *place) {
  char path[PATH_MAX];
  if (path_in(place, "output", path) < 0)
    return open("/dev/null", O_WRONLY | O_CLOEXEC);
  made_directory = mkdir(place->job, 0700) == 0;
  if (!made_directory && errno != EEXIST)
    return say_problem("cannot make %s: %s", place->job, strerror(errno));
  const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  int fd = open(path, flags | O_CREAT | O_EXCL, 0600);
  made_output = fd >= 0;
  if (fd < 0 && errno == EEXIST)
    fd = open(path, flags);
  return fd < 0 ? say_problem("cannot open %s, for what the program prints: %s", path, strerror(errno)) : fd;
}

int detach_open(const struct place *place) {
  int output = -1;
  if (isatty(0) && (streams[0] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
    return say_problem("cannot open /dev/null: %s", strerror(errno));
  for (int fd = 1; fd <= 2; fd++) {
    if (!isatty(fd))
      continue;
    if (output < 0 && (output = open_output(place)) < 0)
      return -1;
    streams[fd] = output;
  }
  return 0;
}

void detach_undo(const struct place *place) {
  char path[PATH_MAX];
  struct stat st;
  if (made_output && path_in(place, "output", path) == 0 && stat(path, &st) == 0 && st.st_size == 0)
    unlink(path);
  if (made_directory)
    rmdir(place->job);
}

void detach_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (streams[fd] >= 0)
      dup2(streams[fd], fd);
}

/* ---- The end ------------------------------------------------------------------------------------------ */

void detach_ended(const struct place *place, const struct running *running, int status) {
  char path[PATH_MAX], text[RUNNING_TEXT + 16];
  if (path_in(place, "ended", path) < 0)
    return;
  running_text(running, text);
  snprintf(text + strlen(text), 16, " %d\n", status);
  /* Its readers wait for this process's end, and there is nobody to be told of an error. */
  (void)running_write_text(path, text);
}
