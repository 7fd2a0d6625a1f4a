/* A memfd with seals, a directory opened with O_PATH, and a pidfd of the process itself. */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "check.h"

int main(void) {
  int memory = memfd_create("some memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  int path = open("/etc", O_PATH | O_DIRECTORY), self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  CHECK(memory >= 0 && path >= 0 && self >= 0);
  CHECK(write(memory, "contents", 8) == 8 && ftruncate(memory, 1 << 20) == 0);
  CHECK(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
  ready();
  wait_for_go();

  char text[64] = "";
  struct stat st;
  CHECK(readlink("/proc/self/fd/3", text, sizeof text - 1) > 0 && memory == 3);
  CHECK(strcmp(text, "/memfd:some memory (deleted)") == 0);
  CHECK(fcntl(memory, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW) && fcntl(memory, F_GETFD) == FD_CLOEXEC);
  CHECK(lseek(memory, 0, SEEK_CUR) == 8 && pread(memory, text, 9, 0) == 9 && strcmp(text, "contents") == 0);
  CHECK(fstat(memory, &st) == 0 && st.st_size == 1 << 20 && ftruncate(memory, 5) == -1 && errno == EPERM);
  CHECK(fcntl(path, F_GETFL) & O_PATH && faccessat(path, "passwd", F_OK, 0) == 0);
  CHECK(read(path, text, 1) == -1 && errno == EBADF);
  struct pollfd alive = {.fd = self, .events = POLLIN};
  CHECK(poll(&alive, 1, 0) == 0 && syscall(SYS_pidfd_send_signal, self, 0, NULL, 0) == 0);
  success();
}
