/* fd_locks PATH: locks of all three kinds are held again after a restart. */
#include <fcntl.h>
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

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int posix = open_named(argv[1], "posix"), whole = open_named(argv[1], "flock");
  int shared = open_named(argv[1], "shared"), ofd = open_named(argv[1], "ofd");
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
  CHECK(fcntl(posix, F_SETLK, &range) == 0);
  CHECK(flock(whole, LOCK_EX) == 0 && flock(shared, LOCK_SH) == 0);
  CHECK(fcntl(ofd, F_OFD_SETLK, &range) == 0);
  check_held(argv[1]);
  ready();
  wait_for_go();
  check_held(argv[1]);
  success();
}
