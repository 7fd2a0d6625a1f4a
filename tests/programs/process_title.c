/* Writes a title over its arguments and environment, as servers do: /proc shows none of its variables any
 * more. */
#include "check.h"

extern char **environ;

int main(int argc, char **argv) {
  CHECK(argc == 1 && *environ);
  char **last = environ;
  while (last[1])
    last++;
  char *end = *last + strlen(*last) + 1;
  static char *none[] = {NULL};
  environ = none;
  memset(argv[0], 0, (size_t)(end - argv[0]));
  memcpy(argv[0], "titled", sizeof "titled");
  ready();
  wait_for_go();
  CHECK(strcmp(argv[0], "titled") == 0);
  say("EXIT-SUCCESS\n");
  return 0;
}
