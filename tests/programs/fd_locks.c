/* fd_locks PATH: locks of all three kinds are held again after a restart, and leases. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "check.h"

static int open_named(const char *path, const char *suffix) {
  char name[4096];
  snprintf(name, sizeof name, "%s.%s", path, suffix);
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  return fd;
}

/* Another process with descriptions of its own is refused. */
static void check_held(const char *path) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5}, rest = range;
    CHECK(fcntl(open_named(path, "posix"), F_SETLK, &range) == -1 && (errno == EAGAIN || errno == EACCES));
    rest.l_start = 50;
    CHECK(fcntl(open_named(path, "posix"), F_SETLK, &rest) == 0);
    CHECK(flock(open_named(path, "flock"), LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK);
    CHECK(flock(open_named(path, "shared"), LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
    CHECK(flock(open_named(path, "shared"), LOCK_SH | LOCK_NB) == 0);
    CHECK(fcntl(open_named(path, "ofd"), F_OFD_SETLK, &range) == -1 && (errno == EAGAIN || errno == EACCES));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* Whoever opens the file is kept waiting, and the program is told by a signal. */
static void check_lease(const char *path, int lease) {
  char name[4096];
  snprintf(name, sizeof name, "%s.lease", path);
  CHECK(fcntl(lease, F_GETLEASE) == F_WRLCK);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(open(name, O_RDONLY | O_NONBLOCK) == -1 && errno == EWOULDBLOCK);
    _exit(0);
  }
  int status;
  siginfo_t info;
  sigset_t set;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 2) == 0);
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 2 && info.si_fd == lease);
  CHECK(fcntl(lease, F_SETLEASE, F_UNLCK) == 0 && open(name, O_RDONLY) >= 0);
}

static int under_a_lease(const char *path) {
  int fd = open_named(path, "lease");
  sigset_t set;
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 2) == 0 &&
        sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(fcntl(fd, F_SETSIG, SIGRTMIN + 2) == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
  return fd;
}

static int read_only_lease(const char *path) {
  char name[4096];
  snprintf(name, sizeof name, "%s.read", path);
  int fd = open(name, O_RDONLY | O_CREAT, 0600);
  CHECK(fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
  return fd;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int posix = open_named(argv[1], "posix"), whole = open_named(argv[1], "flock");
  int shared = open_named(argv[1], "shared"), ofd = open_named(argv[1], "ofd");
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
  CHECK(fcntl(posix, F_SETLK, &range) == 0);
  CHECK(flock(whole, LOCK_EX) == 0 && flock(shared, LOCK_SH) == 0);
  CHECK(fcntl(ofd, F_OFD_SETLK, &range) == 0);
  int lease = under_a_lease(argv[1]), read_lease = read_only_lease(argv[1]);
  uint64_t hint = RWH_WRITE_LIFE_LONG, hint_now = 0;
  CHECK(fcntl(whole, F_SET_RW_HINT, &hint) == 0);
  check_held(argv[1]);
  ready();
  wait_for_go();
  check_held(argv[1]);
  check_lease(argv[1], lease);
  CHECK(fcntl(read_lease, F_GETLEASE) == F_RDLCK);
  CHECK(fcntl(whole, F_GET_RW_HINT, &hint_now) == 0 && hint_now == hint);
  success();
}
