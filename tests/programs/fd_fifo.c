/* fd_fifo DIRECTORY: named pipes: both ends, one opening for both, one for reading whose other end nobody
 * has, one that has been removed. */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "check.h"

static int open_fifo(const char *name, int flags) {
  CHECK(mkfifo(name, 0600) == 0 || errno == EEXIST);
  int fd = open(name, flags);
  CHECK(fd >= 0);
  return fd;
}

static int waiting_in(int fd) {
  int waiting = -1;
  CHECK(ioctl(fd, FIONREAD, &waiting) == 0);
  return waiting;
}

int main(int argc, char **argv) {
  CHECK(argc == 2 && mkdir(argv[1], 0700) == 0 && chdir(argv[1]) == 0);
  int reads = open_fifo("both", O_RDONLY | O_NONBLOCK | O_CLOEXEC), writes = open_fifo("both", O_WRONLY);
  int again = open_fifo("both", O_RDONLY), shared = dup(writes);
  int whole = open_fifo("whole", O_RDWR);
  int alone = open_fifo("alone", O_RDONLY | O_NONBLOCK);
  int removed = open_fifo("removed", O_RDWR | O_CLOEXEC), removed_writes = open_fifo("removed", O_WRONLY);
  CHECK(unlink("removed") == 0 && write(removed_writes, "gone", 4) == 4);
  CHECK(fcntl(writes, F_SETPIPE_SZ, 1 << 18) == 1 << 18);
  CHECK(write(writes, "hello", 5) == 5 && write(whole, "itself", 6) == 6);

  ready();
  wait_for_go();

  char text[16];
  struct pollfd nobody = {.fd = alone, .events = POLLIN};
  CHECK(fcntl(reads, F_GETFL) == (O_RDONLY | O_NONBLOCK | 0100000) && fcntl(reads, F_GETFD) == FD_CLOEXEC);
  CHECK(!(fcntl(again, F_GETFL) & O_NONBLOCK) && (fcntl(whole, F_GETFL) & O_ACCMODE) == O_RDWR);
  CHECK(waiting_in(again) == 5 && read(reads, text, 2) == 2 && read(again, text + 2, 8) == 3);
  CHECK(memcmp(text, "hello", 5) == 0 && fcntl(reads, F_GETPIPE_SZ) == 1 << 18);
  CHECK(write(shared, "x", 1) == 1 && close(writes) == 0 && read(reads, text, 8) == 1 && text[0] == 'x');
  CHECK(read(reads, text, 8) == -1 && errno == EAGAIN && close(shared) == 0 && read(reads, text, 8) == 0);
  CHECK(read(whole, text, 16) == 6 && memcmp(text, "itself", 6) == 0);
  CHECK((fcntl(removed, F_GETFL) & O_ACCMODE) == O_RDWR && fcntl(removed, F_GETFD) == FD_CLOEXEC);
  CHECK(write(removed_writes, "!", 1) == 1 && read(removed, text, 16) == 5 && memcmp(text, "gone!", 5) == 0);
  CHECK(poll(&nobody, 1, 0) == 0 && read(alone, text, 1) == 0);
  int other = open_fifo("alone", O_WRONLY);
  CHECK(write(other, "news", 4) == 4 && read(alone, text, 16) == 4 && memcmp(text, "news", 4) == 0);
  success();
}
