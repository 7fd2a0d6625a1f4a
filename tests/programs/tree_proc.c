/* Entries of processes in /proc: a child's own, its parent's that it has inherited, and those of a process
 * that has ended, which say so. */
#include <fcntl.h>
#include <sys/wait.h>

#include "check.h"

static int own_status, gone_stat, gone_directory, gone_task;

static int open_entry(pid_t pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d%s", pid, name);
  int fd = open(path, flags);
  CHECK(fd >= 0);
  return fd;
}

/* Its second line. */
static void check_name(int fd, pid_t pid) {
  char text[4096], wanted[64];
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  ssize_t length = read(fd, text, sizeof text - 1);
  CHECK(length > 0);
  text[length] = 0;
  snprintf(wanted, sizeof wanted, "\nPid:\t%d\n", pid);
  CHECK(strstr(text, wanted));
}

static void check_gone(void) {
  char byte;
  CHECK(read(gone_stat, &byte, 1) == -1 && errno == ESRCH);
  CHECK(read(gone_task, &byte, 1) == -1 && errno == ESRCH);
  CHECK(openat(gone_directory, "stat", O_RDONLY) == -1 && (errno == ENOENT || errno == ESRCH));
}

static void open_those_of_gone(void) {
  int end[2];
  CHECK(pipe(end) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    char byte;
    close(end[1]);
    _exit(read(end[0], &byte, 1) != 0);
  }
  char task[64];
  snprintf(task, sizeof task, "/task/%d/stat", pid);
  gone_stat = open_entry(pid, "/stat", O_RDONLY);
  gone_task = open_entry(pid, task, O_RDONLY);
  gone_directory = open_entry(pid, "", O_PATH | O_DIRECTORY);
  CHECK(close(end[0]) == 0 && close(end[1]) == 0 && waitpid(pid, NULL, 0) == pid);
  check_gone();
}

int main(void) {
  int go[2], status, theirs = -1;
  open_those_of_gone();
  own_status = open_entry(getpid(), "/status", O_RDONLY);
  CHECK(pipe(go) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    pid_t parent = getppid();
    int mine = open("/proc/self/status", O_RDONLY), directory = open_entry(parent, "", O_PATH | O_DIRECTORY);
    CHECK(mine >= 0 && close(go[1]) == 0);
    check_name(mine, getpid());
    CHECK(read(go[0], &byte, 1) == 1);
    check_name(mine, getpid());
    check_name(own_status, parent);
    check_name(openat(directory, "status", O_RDONLY), parent);
    check_gone();
    _exit(0);
  }
  theirs = open_entry(child, "/status", O_RDONLY);
  check_name(theirs, child);
  ready();
  wait_for_go();
  check_name(own_status, getpid());
  check_name(theirs, child);
  check_gone();
  CHECK(write(go[1], "", 1) == 1 && waitpid(child, &status, 0) == child && status == 0);
  success();
}
