/* The process id: what getpid, /proc/self and ps say, and that children can be made and waited for. */
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static void check_status(pid_t pid) {
  FILE *status = fopen("/proc/self/status", "re");
  CHECK(status);
  char line[256];
  bool found = false;
  while (fgets(line, sizeof line, status)) {
    int value;
    if (sscanf(line, "Pid: %d", &value) == 1) {
      CHECK(value == pid);
      found = true;
    }
  }
  CHECK(found && fclose(status) == 0);
}

static void check_ps(pid_t pid) {
  char command[64], answer[64] = "";
  snprintf(command, sizeof command, "ps -o pid= -p %d", pid);
  FILE *ps = popen(command, "re");
  CHECK(ps);
  CHECK(fgets(answer, sizeof answer, ps));
  CHECK(pclose(ps) == 0);
  CHECK(atoi(answer) == pid);
}

int main(void) {
  pid_t pid = getpid();
  ready();
  wait_for_go();
  CHECK(getpid() == pid && syscall(SYS_gettid) == pid);
  char link[32], expected[32];
  ssize_t length = readlink("/proc/self", link, sizeof link - 1);
  CHECK(length > 0);
  link[length] = 0;
  snprintf(expected, sizeof expected, "%d", pid);
  CHECK(strcmp(link, expected) == 0);
  check_status(pid);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    _exit(getppid() == pid ? 5 : 6);
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
  check_ps(pid);
  CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
  success();
}
