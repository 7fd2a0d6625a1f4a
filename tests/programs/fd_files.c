/* fd_files DIRECTORY: regular files with number, offset, flags, close-on-exec, and what dup shares. */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

static int open_in(const char *directory, const char *name, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  int fd = open(path, flags, 0640);
  CHECK(fd >= 0);
  return fd;
}

static int flags_of(int fd) {
  return fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK(mkdir(argv[1], 0700) == 0 || errno == EEXIST);
  int plain = open_in(argv[1], "plain", O_RDWR | O_CREAT | O_TRUNC);
  CHECK(write(plain, "0123456789", 10) == 10 && lseek(plain, 4, SEEK_SET) == 4);
  int shared = fcntl(plain, F_DUPFD, 100);
  CHECK(shared == 100);
  int apart = open_in(argv[1], "plain", O_RDONLY | O_CLOEXEC);
  CHECK(lseek(apart, 7, SEEK_SET) == 7);
  int append = open_in(argv[1], "append", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC);
  CHECK(write(append, "abc", 3) == 3);
  int past = open_in(argv[1], "past", O_RDWR | O_CREAT | O_TRUNC);
  CHECK(lseek(past, 1l << 33, SEEK_SET) == 1l << 33);
  CHECK(dup2(past, 200) == 200 && close(past) == 0);

  ready();
  wait_for_go();

  char text[16];
  CHECK(lseek(plain, 0, SEEK_CUR) == 4 && lseek(shared, 0, SEEK_CUR) == 4);
  CHECK(read(shared, text, 2) == 2 && memcmp(text, "45", 2) == 0 && lseek(plain, 0, SEEK_CUR) == 6);
  CHECK(read(apart, text, 16) == 3 && memcmp(text, "789", 3) == 0);
  CHECK(fcntl(plain, F_GETFD) == 0 && fcntl(shared, F_GETFD) == 0);
  CHECK(fcntl(apart, F_GETFD) == FD_CLOEXEC);
  CHECK(flags_of(plain) == O_RDWR && flags_of(apart) == O_RDONLY);
  CHECK(flags_of(append) == (O_WRONLY | O_APPEND | O_NONBLOCK | O_DSYNC));
  CHECK(lseek(append, 0, SEEK_SET) == 0 && write(append, "def", 3) == 3);
  struct stat now;
  CHECK(fstat(append, &now) == 0 && now.st_size == 6);
  CHECK(fcntl(past, F_GETFD) == -1 && errno == EBADF);
  CHECK(lseek(200, 0, SEEK_CUR) == 1l << 33);
  CHECK(fstat(200, &now) == 0 && now.st_size == 0);
  success();
}
