/* A C unit test: named cases, one line each, and an exit status. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool unit_failed, unit_case_failed;

#define EXPECT(condition)                                                                                    \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      printf("# %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                       \
      unit_case_failed = true;                                                                               \
    }                                                                                                        \
  } while (0)

#define EXPECT_TEXT(got, wanted)                                                                             \
  do {                                                                                                       \
    const char *unit_got = (got), *unit_wanted = (wanted);                                                   \
    if (strcmp(unit_got, unit_wanted) != 0) {                                                                \
      printf("# %s:%d: \"%s\", not \"%s\"\n", __FILE__, __LINE__, unit_got, unit_wanted);                    \
      unit_case_failed = true;                                                                               \
    }                                                                                                        \
  } while (0)

static inline void unit_run(const char *name, void (*test)(void)) {
  unit_case_failed = false;
  test();
  printf("%s %s\n", unit_case_failed ? "not ok" : "ok", name);
  unit_failed = unit_failed || unit_case_failed;
}

static inline int unit_status(void) {
  return unit_failed ? 1 : 0;
}

#endif
