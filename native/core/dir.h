/* Names in a directory, without a libc. */
#ifndef CKPT_DIR_H
#define CKPT_DIR_H

#include <stddef.h>
#include <stdint.h>

struct dir {
  int fd;
  long filled;
  long at;
  long error;
  uint64_t ino;       /* of what dir_next has given */
  unsigned char type; /* DT_* */
  _Alignas(8) char buffer[4096];
};

/* Fails on a symbolic link. */
long dir_open(struct dir *dir, int parent, const char *path);
/* The next name but "." and "..", or null at the end or after an error. */
const char *dir_next(struct dir *dir);
void dir_close(const struct dir *dir);

#endif
