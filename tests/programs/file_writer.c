/* file_writer PATH: one numbered line goes into the file for every line "more" on standard input; "go" ends
 * it. Lines are answered with their number. */
#include <fcntl.h>

#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0);
  ready();
  for (int number = 1;; number++) {
    char line[64];
    read_line(line, sizeof line);
    if (strcmp(line, "go") == 0)
      break;
    CHECK(strcmp(line, "more") == 0);
    snprintf(line, sizeof line, "line %d\n", number);
    CHECK(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
    say(line);
  }
  success();
}
