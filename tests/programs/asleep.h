/* Waits until another process has come to the call in which it waits. */
#ifndef TESTS_ASLEEP_H
#define TESTS_ASLEEP_H

#include <fcntl.h>

#include "check.h"

static inline void wait_until_asleep(pid_t pid) {
  char path[64], stat[256];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (char state = 'R'; state != 'S';) {
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, stat, sizeof stat - 1);
    CHECK(fd >= 0 && n > 0);
    stat[n] = 0;
    state = strrchr(stat, ')')[2];
    close(fd);
  }
}

#endif
