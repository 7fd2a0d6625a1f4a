/* file_ledger PATH INPUT: a ledger of eight numbers that is changed in place, one more with every line
 * "more"; "go" looks whether it holds what the program has written, and whether INPUT reads on. */
#include <fcntl.h>

#include "check.h"

enum { NUMBERS = 8 };

int main(int argc, char **argv) {
  CHECK(argc == 3);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0640);
  int input = open(argv[2], O_RDONLY);
  unsigned long state = 1, written[NUMBERS] = {0}, found[NUMBERS];
  char bytes[8], line[64];
  CHECK(fd >= 0 && input >= 0);
  CHECK(read(input, bytes, 5) == 5);
  CHECK(write(fd, written, sizeof written) == sizeof written);
  ready();
  for (;;) {
    read_line(line, sizeof line);
    if (strcmp(line, "go") == 0)
      break;
    CHECK(strcmp(line, "more") == 0);
    unsigned long number = next_number(&state), place = number % NUMBERS;
    written[place] = number;
    CHECK(pwrite(fd, &number, sizeof number, (off_t)(place * sizeof number)) == sizeof number);
    snprintf(line, sizeof line, "changed %lu\n", place);
    say(line);
  }
  CHECK(pread(fd, found, sizeof found, 0) == sizeof found);
  CHECK(memcmp(found, written, sizeof found) == 0);
  CHECK(lseek(fd, 0, SEEK_CUR) == sizeof written);
  CHECK(read(input, bytes, 5) == 5);
  CHECK(memcmp(bytes, "56789", 5) == 0);
  success();
}
