#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "say.h"

bool has_capability(int capability) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &head, data) < 0)
    return false;
  return data[capability / 32].effective >> (capability % 32) & 1;
}

static int write_word(const char *path, const char *word) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  /* In one piece: the kernel takes these files in a single write only. */
  ssize_t n = write(fd, word, strlen(word));
  int error = n < 0 ? -errno : 0;
  close(fd);
  return error;
}

/* Ids stay what they are. */
static int map_ids(uid_t uid, gid_t gid) {
  char map[64];
  int error = write_word("/proc/self/setgroups", "deny");
  if (error < 0 && error != -ENOENT)
    return error;
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  error = write_word("/proc/self/uid_map", map);
  if (error < 0)
    return error;
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  return write_word("/proc/self/gid_map", map);
}

void namespace_settle(pid_t last_pid) {
  char word[32];
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
    say_warning(
        "cannot mount /proc in the program's pid namespace (%s): it sees the outer one, with other ids",
        strerror(errno));
  snprintf(word, sizeof word, "%d", last_pid);
  int error = last_pid > 0 ? write_word("/proc/sys/kernel/ns_last_pid", word) : 0;
  /* Above the highest id of this machine they begin anew. */
  if (error < 0 && error != -EINVAL)
    say_warning("new processes may get ids of such as the program remembers: ns_last_pid: %s",
                strerror(-error));
}

/* ---- The namespace's first process -------------------------------------------------------------------- */

/* Until the program, which is not our child, is gone; then until the last of those that it has left to us is.
 * Whoever hears a byte on `leaving` need not wait for that. */
static void outlive(pid_t pid, int leaving) {
  int program = (int)syscall(SYS_pidfd_open, pid, 0);
  if (program < 0 && waitpid(-1, NULL, WNOHANG) < 0)
    return;
  (void)send(leaving, "", 1, MSG_NOSIGNAL);
  struct pollfd wait = {.fd = program, .events = POLLIN};
  while (program >= 0 && poll(&wait, 1, -1) < 0 && errno == EINTR)
    ;
  while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
    ;
}

__attribute__((noreturn)) static void be_init(int ready, int alive, pid_t pid, pid_t last_pid) {
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  char byte = 0;
  namespace_settle(last_pid);
  /* No signal of the terminal is meant for it, and no directory stays busy because of it. */
  setsid();
  if (sigaction(SIGCHLD, &ignore, NULL) < 0 || chdir("/") < 0 || sys_write_full(ready, &byte, 1) < 0)
    _exit(1);
  int low = dup2(alive, 0);
  if (low < 0 || close_range(1, ~0u, 0) < 0)
    _exit(1);
  /* Nothing is ever written: this ends when restart does, or leaves. */
  (void)sys_read_full(0, &byte, 1);
  outlive(pid, 0);
  _exit(0);
}

static struct {
  pid_t owner, pid;
  int alive;
} init;

/* The first process is restart's child: reaped here, unless it stays for what the program has left behind. */
static void leave(void) {
  char stays;
  if (getpid() != init.owner || shutdown(init.alive, SHUT_WR) < 0)
    return;
  if (sys_read_full(init.alive, &stays, 1) == 0)
    while (waitpid(init.pid, NULL, 0) < 0 && errno == EINTR)
      ;
}

int namespace_start_init(pid_t pid, pid_t last_pid) {
  int ready[2], alive[2];
  char byte;
  if (pipe2(ready, O_CLOEXEC) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, alive) < 0)
    return say_problem("cannot make a pipe: %s", strerror(errno));
  pid_t first = fork();
  if (first < 0)
    return say_problem("cannot start the first process of a pid namespace: %s", strerror(errno));
  if (first == 0) {
    close(alive[1]);
    be_init(ready[1], alive[0], pid, last_pid);
  }
  close(ready[1]);
  close(alive[0]);
  init.owner = getpid();
  init.pid = first;
  init.alive = alive[1];
  if (atexit(leave) != 0)
    return say_problem("cannot provide for the end of the pid namespace's first process");
  long n = sys_read_full(ready[0], &byte, 1);
  close(ready[0]);
  return n == 1 ? 0 : say_problem("the first process of the pid namespace has ended early");
}

/* ---- Making it ---------------------------------------------------------------------------------------- */

int namespace_enter(bool *own_user) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  *own_user = !has_capability(CAP_SYS_ADMIN);
  int flags = CLONE_NEWPID | CLONE_NEWNS | (*own_user ? CLONE_NEWUSER : 0);
  if (unshare(flags) < 0)
    return say_problem("cannot make a %spid namespace: %s", *own_user ? "user and " : "", strerror(errno));
  int error = *own_user ? map_ids(uid, gid) : 0;
  if (error < 0)
    return say_problem("cannot keep its user in a user namespace: %s", strerror(-error));
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return say_problem("cannot make the mounts of a namespace private: %s", strerror(errno));
  return 0;
}
