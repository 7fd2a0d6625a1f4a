/* Waits for children. See undisturbed.h. */
#include <fcntl.h>
#include <sys/wait.h>

#include "undisturbed.h"

static struct child {
  pid_t pid;
  int end;
} by_pid, by_id;

static void start(struct child *child) {
  int link[2];
  CHECK(pipe2(link, O_CLOEXEC) == 0);
  child->pid = fork();
  CHECK(child->pid >= 0);
  if (child->pid == 0) {
    char byte;
    alarm(300); /* should the parent be gone without a word */
    _exit(read(link[0], &byte, 1) == 1 ? 5 : 1);
  }
  close(link[0]);
  child->end = link[1];
}

static void end(struct child *child) {
  CHECK(write(child->end, "e", 1) == 1 && close(child->end) == 0);
}

static void prepare_waitpid(void) {
  start(&by_pid);
}

static void block_waitpid(void) {
  int status;
  CHECK(waitpid(by_pid.pid, &status, 0) == by_pid.pid && WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static void wake_waitpid(void) {
  end(&by_pid);
}

static void prepare_waitid(void) {
  start(&by_id);
}

static void block_waitid(void) {
  siginfo_t info;
  CHECK(waitid(P_PID, (id_t)by_id.pid, &info, WEXITED | WSTOPPED) == 0);
  CHECK(info.si_pid == by_id.pid && info.si_code == CLD_EXITED && info.si_status == 5);
}

static void wake_waitid(void) {
  end(&by_id);
}

static struct row rows[] = {
    {.name = "waitpid", .prepare = prepare_waitpid, .block = block_waitpid, .wake = wake_waitpid},
    {.name = "waitid", .prepare = prepare_waitid, .block = block_waitid, .wake = wake_waitid},
};

MAIN
