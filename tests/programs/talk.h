/* Words through a pipe or a socket, or of a file from where it stands. */
#ifndef TESTS_TALK_H
#define TESTS_TALK_H

#include "check.h"

static inline void tell(int fd, const char *words) {
  CHECK(write(fd, words, strlen(words)) == (ssize_t)strlen(words));
}

static inline void expect_next(int fd, const char *words) {
  char got[32];
  ssize_t size = (ssize_t)strlen(words), n;
  CHECK(size <= (ssize_t)sizeof got);
  n = read(fd, got, (size_t)size);
  if (n != size || memcmp(got, words, (size_t)n) != 0)
    FAIL("process %d: %zd bytes, \"%.*s\", instead of \"%s\"", getpid(), n, n > 0 ? (int)n : 0, got, words);
}

#endif
