/* fill KIND MIB [FILE | +WORKERS | xMEMBERS/PART]: holds that much memory of one kind, says READY, and
 * answers every line of its input; with FILE it writes the same bytes there instead and ends. Kinds: random,
 * text, zero (written, all zero), sparse (every sixteenth page holds something). With +WORKERS it has so many
 * children, which do nothing; with xMEMBERS/PART it is the first of so many processes, of which each other
 * one holds that part of as much. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul

static uint64_t state = 88172645463325252ull;

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void fill_random(char *area, size_t size) {
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t value = next();
    memcpy(area + i, &value, sizeof value);
  }
}

static void fill_text(char *area, size_t size) {
  static const char words[16][8] = {"some   ", "words  ", "that   ", "occur  ", "again  ", "and    ",
                                    "once   ", "more   ", "in a   ", "text   ", "with   ", "plain  ",
                                    "letters", "only,  ", "line   ", "end.  \n"};
  for (size_t i = 0; i < size; i += 8)
    memcpy(area + i, words[next() >> 60], 8);
}

static int write_whole(const char *path, const char *area, size_t size) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0)
    return -errno;
  while (size > 0) {
    ssize_t wrote = write(fd, area, size);
    if (wrote < 0 && errno != EINTR)
      return -errno;
    if (wrote > 0) {
      area += wrote;
      size -= (size_t)wrote;
    }
  }
  return close(fd) == 0 ? 0 : -errno;
}

static int answer(void) {
  char byte;
  for (;;) {
    ssize_t got = read(0, &byte, 1);
    if (got == 0)
      return 0;
    if (got < 0)
      return 1;
    if (byte == '\n' && write(1, "here\n", 5) != 5)
      return 1;
  }
}

/* They end when what this gives is closed. */
static int fork_workers(long count) {
  int ends[2];
  char byte;
  if (pipe(ends))
    return -errno;
  for (; count > 0; count--) {
    pid_t pid = fork();
    if (pid < 0)
      return -errno;
    if (pid == 0) {
      close(ends[1]);
      _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
  }
  close(ends[0]);
  return ends[1];
}

static int fill_area(const char *kind, char *area, size_t size) {
  if (strcmp(kind, "random") == 0)
    fill_random(area, size);
  else if (strcmp(kind, "text") == 0)
    fill_text(area, size);
  else if (strcmp(kind, "zero") == 0)
    memset(area, 0, size);
  else if (strcmp(kind, "sparse") == 0)
    for (size_t page = 0; page < size; page += 16 * PAGE)
      fill_random(area + page, PAGE);
  else
    return -EINVAL;
  return 0;
}

/* Each has its own bytes, and says so before it waits as workers do. */
static int fork_members(const char *words, const char *kind, char *area, size_t size) {
  int ends[2], ready[2];
  char byte, *rest;
  long count = strtol(words, &rest, 10) - 1;
  size_t part = *rest == '/' ? strtoul(rest + 1, NULL, 10) : 1;
  if (part == 0)
    return -EINVAL;
  if (pipe(ends) || pipe(ready))
    return -errno;
  for (long i = 0; i < count; i++) {
    pid_t pid = fork();
    if (pid < 0)
      return -errno;
    if (pid == 0) {
      close(ends[1]);
      state += (uint64_t)i + 1;
      if (fill_area(kind, area, size / part / PAGE * PAGE) || write(ready[1], "", 1) != 1)
        _exit(1);
      _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
  }
  close(ends[0]);
  close(ready[1]);
  for (; count > 0; count--)
    if (read(ready[0], &byte, 1) != 1)
      return -EPIPE;
  close(ready[0]);
  return ends[1];
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: fill KIND MIB [FILE | +WORKERS | xMEMBERS/PART]\n");
    return 2;
  }
  char extra = argc == 4 ? argv[3][0] : 0;
  int workers = -1;
  size_t size = strtoul(argv[2], NULL, 10) << 20;
  char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) {
    fprintf(stderr, "fill: no memory: %s\n", strerror(errno));
    return 1;
  }
  if (extra == 'x')
    workers = fork_members(argv[3] + 1, argv[1], area, size);
  if (fill_area(argv[1], area, size)) {
    fprintf(stderr, "fill: no such kind: %s\n", argv[1]);
    return 2;
  }
  if (extra == '+')
    workers = fork_workers(atol(argv[3] + 1));
  if (workers < -1) {
    fprintf(stderr, "fill: %s\n", strerror(-workers));
    return 1;
  }
  if (extra && extra != '+' && extra != 'x') {
    int error = write_whole(argv[3], area, size);
    if (error)
      fprintf(stderr, "fill: %s: %s\n", argv[3], strerror(-error));
    return error ? 1 : 0;
  }
  if (write(1, "READY\n", 6) != 6)
    return 1;
  int result = answer();
  close(workers);
  while (wait(NULL) > 0)
    ;
  return result;
}
