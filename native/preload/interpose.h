/* What functions need that stand in for libc's. */
#ifndef CKPT_INTERPOSE_H
#define CKPT_INTERPOSE_H

#define EXPORT __attribute__((visibility("default")))

/* Of the program's libc, glibc or musl. */
extern int *__errno_location(void) __attribute__((weak, visibility("default")));

static inline int result_of(long result) {
  if (result >= 0)
    return (int)result;
  if (__errno_location)
    *__errno_location() = (int)-result;
  return -1;
}

#endif
