/* What the program was given as 0, 1 and 2 it has under other numbers alone, as a shell does for a loop that
 * reads a file: it is talked to through those. The last words go to standard error. */
#include <fcntl.h>

#include "check.h"

static void move(int from, int to) {
  CHECK(fcntl(from, F_DUPFD_CLOEXEC, to) == to);
  int other = open("moved", O_RDWR | O_CREAT, 0600);
  CHECK(other >= 0 && dup2(other, from) == from && close(other) == 0);
}

static void read_moved(char *line) {
  do
    CHECK(read(20, line, 1) == 1);
  while (*line++ != '\n');
  *line = 0;
}

int main(void) {
  move(0, 20);
  move(1, 30);
  move(2, 40);
  CHECK(write(30, "READY\n", 6) == 6);
  char line[16];
  for (read_moved(line); strcmp(line, "ping\n") == 0; read_moved(line))
    CHECK(write(30, "pong\n", 5) == 5);
  CHECK(strcmp(line, "go\n") == 0);
  CHECK(write(40, "through 40\n", 11) == 11);
  CHECK(write(30, "EXIT-SUCCESS\n", 13) == 13);
  return 0;
}
