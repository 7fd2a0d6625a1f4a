/* What every test program does: prepare, say READY, wait for the line "go", then look whether everything is
 * still as it was, and end with EXIT-SUCCESS or with what is wrong. Whoever drives it may ask "ping" at any
 * time before "go" and gets "pong": the proof that the program runs and has nothing else to do. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAIL(...)                                                                                            \
  do {                                                                                                       \
    dprintf(2, "%s:%d: ", __FILE__, __LINE__);                                                               \
    dprintf(2, __VA_ARGS__);                                                                                 \
    dprintf(2, "\n");                                                                                        \
    exit(1);                                                                                                 \
  } while (0)

#define CHECK(condition)                                                                                     \
  do {                                                                                                       \
    if (!(condition))                                                                                        \
      FAIL("not so: %s (errno was %d, %s)", #condition, errno, strerror(errno));                             \
  } while (0)

static inline void say(const char *words) {
  size_t length = strlen(words);
  CHECK(write(1, words, length) == (ssize_t)length);
}

/* The next line from standard input, through read(2) alone: no buffer may hold what a later read needs. */
static inline void read_line(char *line, size_t size) {
  size_t length = 0;
  for (;;) {
    CHECK(length + 1 < size);
    ssize_t got = read(0, line + length, 1);
    if (got < 0)
      FAIL("read of standard input: %s", strerror(errno));
    if (got == 0)
      FAIL("standard input ended");
    if (line[length] == '\n')
      break;
    length++;
  }
  line[length] = 0;
}

static inline void ready(void) {
  say("READY\n");
}

static inline void wait_for_go(void) {
  char line[64];
  for (;;) {
    read_line(line, sizeof line);
    if (strcmp(line, "go") == 0)
      return;
    if (strcmp(line, "ping") == 0)
      say("pong\n");
    else
      FAIL("not understood: %s", line);
  }
}

static inline _Noreturn void success(void) {
  say("EXIT-SUCCESS\n");
  exit(0);
}

/* A reproducible stream of numbers: xorshift64. */
static inline unsigned long next_number(unsigned long *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

#endif
