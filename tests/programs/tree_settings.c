/* Each process of a tree has settings of its own: directory, umask, nice value, limits, no_new_privs, the
 * signal for its parent's end, whether orphans come to it, timer slack, name; and nobody has another's. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 4, MOST_NICE = 19 };

static int nice_before;

static void name_of(int number, char name[16]) {
  snprintf(name, 16, "settings-%d", number);
}

/* An ordinary user may only be nicer than it was started. */
static int nice_of(int number) {
  int value = nice_before + number + 1;
  return value > MOST_NICE ? MOST_NICE : value;
}

static void set(int number) {
  char name[16];
  struct rlimit limit;
  name_of(number, name);
  CHECK((mkdir(name, 0700) == 0 || errno == EEXIST) && chdir(name) == 0);
  umask((mode_t)(010 + number));
  CHECK(setpriority(PRIO_PROCESS, 0, nice_of(number)) == 0);
  CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
  limit.rlim_cur = 4096u * (unsigned)number;
  CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
  CHECK(number % 2 == 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_PDEATHSIG, number ? SIGUSR1 + number : 0) == 0);
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, number / 2) == 0);
  CHECK(prctl(PR_SET_TIMERSLACK, 100000 + number) == 0);
  CHECK(prctl(PR_SET_NAME, name) == 0);
}

static void look(int number) {
  char name[16], now[16], cwd[4096];
  struct rlimit limit;
  int value;
  name_of(number, name);
  CHECK(getcwd(cwd, sizeof cwd) && strcmp(strrchr(cwd, '/') + 1, name) == 0);
  CHECK(umask(0) == (mode_t)(010 + number));
  CHECK(getpriority(PRIO_PROCESS, 0) == nice_of(number));
  CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 4096u * (unsigned)number);
  CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == number % 2);
  CHECK(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == (number ? SIGUSR1 + number : 0));
  CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == number / 2);
  CHECK(prctl(PR_GET_TIMERSLACK) == 100000 + number);
  CHECK(prctl(PR_GET_NAME, now) == 0 && strcmp(now, name) == 0);
}

int main(void) {
  int go[2], status;
  pid_t pids[PROCESSES];
  char byte;
  nice_before = getpriority(PRIO_PROCESS, 0);
  CHECK(pipe(go) == 0);
  for (int i = 1; i < PROCESSES; i++) {
    int done[2];
    CHECK(pipe(done) == 0);
    pids[i] = fork();
    CHECK(pids[i] >= 0);
    if (pids[i] == 0) {
      alarm(300); /* should the others be gone without a word */
      close(go[1]);
      set(i);
      CHECK(write(done[1], "s", 1) == 1 && close(done[0]) == 0 && close(done[1]) == 0);
      CHECK(read(go[0], &byte, 1) == 0);
      look(i);
      _exit(0);
    }
    CHECK(read(done[0], &byte, 1) == 1 && close(done[0]) == 0 && close(done[1]) == 0);
  }
  CHECK(close(go[0]) == 0);
  set(0);

  ready();
  wait_for_go();

  look(0);
  CHECK(close(go[1]) == 0);
  for (int i = 1; i < PROCESSES; i++)
    CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
  success();
}
