/* fd_flags DIRECTORY: flags that few use, a file that never had a name, and a pidfd of a process that is
 * gone. */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { BLOCK = 4096 };

static int pidfd_of_the_dead(void) {
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  int fd = (int)syscall(SYS_pidfd_open, child, 0);
  CHECK(child > 0 && waitpid(child, NULL, 0) == child);
  return fd;
}

int main(int argc, char **argv) {
  static _Alignas(BLOCK) char block[BLOCK], got[BLOCK];
  CHECK(argc == 2 && mkdir(argv[1], 0700) == 0 && chdir(argv[1]) == 0);
  memset(block, 'b', BLOCK);
  int direct = open("direct", O_RDWR | O_CREAT | O_DIRECT | O_SYNC, 0600);
  int quiet = open("direct", O_RDONLY | O_NOATIME | O_NOFOLLOW);
  int nameless = open(".", O_TMPFILE | O_RDWR | O_APPEND, 0600);
  int dead = pidfd_of_the_dead();
  CHECK(direct >= 0 && quiet >= 0 && nameless >= 0 && dead >= 0);
  CHECK(write(direct, block, BLOCK) == BLOCK && write(nameless, "abc", 3) == 3);
  CHECK(lseek(nameless, 1, SEEK_SET) == 1);

  ready();
  wait_for_go();

  struct stat st;
  struct pollfd ended = {.fd = dead, .events = POLLIN};
  CHECK((fcntl(direct, F_GETFL) & (O_DIRECT | O_SYNC | O_ACCMODE)) == (O_DIRECT | O_SYNC | O_RDWR));
  CHECK(fcntl(quiet, F_GETFL) & O_NOATIME);
  CHECK(pread(direct, got, BLOCK, 0) == BLOCK && memcmp(got, block, BLOCK) == 0);
  CHECK(lseek(direct, 0, SEEK_CUR) == BLOCK && write(direct, block, BLOCK) == BLOCK);
  CHECK(fstat(nameless, &st) == 0 && st.st_nlink == 0 && st.st_size == 3);
  CHECK(write(nameless, "d", 1) == 1 && pread(nameless, got, 8, 0) == 4 && memcmp(got, "abcd", 4) == 0);
  CHECK(poll(&ended, 1, 0) == 1 && syscall(SYS_pidfd_send_signal, dead, 0, NULL, 0) == -1 && errno == ESRCH);
  success();
}
