/* fd_deleted PATH: a file that is open but has no name any more comes back with its contents, also when it is
 * open as a path only (O_PATH); and so does a directory that has been removed, in which nothing can be made.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

#define SIZE (3 << 20)

static void expect_path(int path, const unsigned char *bytes) {
  char name[64];
  unsigned char now[64];
  struct stat st;
  snprintf(name, sizeof name, "/proc/self/fd/%d", path);
  int fd = open(name, O_RDONLY);
  CHECK(fcntl(path, F_GETFL) & O_PATH && fstat(path, &st) == 0 && st.st_nlink == 0 && st.st_size == SIZE);
  CHECK(fd >= 0 && read(fd, now, sizeof now) == sizeof now && memcmp(now, bytes, sizeof now) == 0);
}

static void expect_removed(int directory) {
  struct stat st;
  CHECK(fstat(directory, &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink == 0 && (st.st_mode & 0777) == 0700);
  CHECK(openat(directory, "new", O_WRONLY | O_CREAT, 0600) == -1 && errno == ENOENT);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  unsigned char *bytes = malloc(SIZE), *now = malloc(SIZE);
  CHECK(bytes && now);
  unsigned long seed = 5;
  for (int i = 0; i < SIZE; i++)
    bytes[i] = (unsigned char)next_number(&seed);
  CHECK(write(fd, bytes, SIZE) == SIZE);
  CHECK(lseek(fd, 1000, SEEK_SET) == 1000);
  int path = open(argv[1], O_PATH | O_CLOEXEC);
  CHECK(path >= 0 && unlink(argv[1]) == 0);
  CHECK(mkdir(argv[1], 0700) == 0);
  int directory = open(argv[1], O_RDONLY | O_DIRECTORY), directory_path = open(argv[1], O_PATH);
  CHECK(directory >= 0 && directory_path >= 0 && rmdir(argv[1]) == 0);

  ready();
  wait_for_go();

  CHECK(lseek(fd, 0, SEEK_CUR) == 1000);
  CHECK(pread(fd, now, SIZE, 0) == SIZE && memcmp(now, bytes, SIZE) == 0);
  struct stat stat;
  CHECK(fstat(fd, &stat) == 0 && stat.st_size == SIZE && stat.st_nlink == 0);
  CHECK(access(argv[1], F_OK) == -1);
  expect_path(path, bytes);
  expect_removed(directory);
  expect_removed(directory_path);
  CHECK(fcntl(directory_path, F_GETFL) & O_PATH && !(fcntl(directory, F_GETFL) & O_PATH));
  CHECK(write(fd, "more", 4) == 4);
  success();
}
