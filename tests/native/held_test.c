#include "core/held.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/proc.h"
#include "core/sys.h"
#include "unit.h"

static uint64_t tracer_of(pid_t pid) {
  char path[64], status[4096];
  uint64_t tracer = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  return sys_read_file(path, status, sizeof status) > 0 && proc_field(status, "TracerPid", 10, &tracer)
             ? tracer
             : ~0ull;
}

static void wait_for_state(pid_t pid, char state) {
  while (proc_state(pid) != state)
    ;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* As if it had been continued after all of its threads have been listed. */
static void test_continued(void) {
  int signal = 0;
  pid_t pid = fork();
  if (pid == 0)
    for (;;)
      pause();
  wait_for_state(pid, 'S');
  struct held held = {.tid = pid, .state = LET_GO};
  double begin = seconds();
  EXPECT(held_seize(&held, 1, &signal) == 0);
  EXPECT(held_let_go(&held, 1, pid));
  EXPECT(seconds() - begin < 4);
  EXPECT(tracer_of(pid) == 0);
  wait_for_state(pid, 'S');
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

static void test_stopped(void) {
  int signal = 0, status;
  pid_t pid = fork();
  if (pid == 0)
    for (;;)
      pause();
  kill(pid, SIGSTOP);
  EXPECT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
  struct held held = {0};
  EXPECT(held_list(pid, &held, 1) == 1);
  EXPECT(held_seize(&held, 1, &signal) == 1 && signal == SIGSTOP);
  EXPECT(proc_state(pid) == 't' && tracer_of(pid) == (uint64_t)getpid());
  EXPECT(held_let_go(&held, 1, pid));
  EXPECT(tracer_of(pid) == 0);
  wait_for_state(pid, 'T');
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

int main(void) {
  unit_run("one that is stopped is held, and let go of as it was", test_stopped);
  unit_run("one that has been continued in this moment is let go of", test_continued);
  return unit_status();
}
