/* fd_directory DIRECTORY: a directory in the middle of being read goes on with the entries that are left. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

#define FILES 500

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK(mkdir(argv[1], 0700) == 0 || errno == EEXIST);
  CHECK(chdir(argv[1]) == 0);
  static int seen[FILES];
  for (int i = 0; i < FILES; i++) {
    char name[32];
    snprintf(name, sizeof name, "a-rather-long-name-%d", i);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
  }
  DIR *directory = opendir(".");
  CHECK(directory);
  int fd = dirfd(directory), count = 0;
  struct dirent *entry;
  while (count < FILES / 10 && (entry = readdir(directory))) {
    int number;
    if (sscanf(entry->d_name, "a-rather-long-name-%d", &number) == 1) {
      seen[number]++;
      count++;
    }
  }

  ready();
  wait_for_go();

  CHECK(dirfd(directory) == fd);
  while ((errno = 0, entry = readdir(directory))) {
    int number;
    if (sscanf(entry->d_name, "a-rather-long-name-%d", &number) == 1)
      seen[number]++;
  }
  CHECK(errno == 0);
  for (int i = 0; i < FILES; i++)
    if (seen[i] != 1)
      FAIL("entry %d was seen %d times", i, seen[i]);
  CHECK(faccessat(fd, "a-rather-long-name-7", F_OK, 0) == 0);
  success();
}
