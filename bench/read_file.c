/* read_file map|copy FILE: what any program must pay for a file's bytes. "map" maps it and adds up every
 * word; "copy" reads it into fresh memory. Then it says so. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what) {
  fprintf(stderr, "read_file: %s: %s\n", what, strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: read_file map|copy FILE\n");
    return 2;
  }
  int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
  struct stat stat;
  if (fd < 0 || fstat(fd, &stat))
    return fail(argv[2]);
  size_t size = (size_t)stat.st_size;
  uint64_t sum = 0;
  if (strcmp(argv[1], "map") == 0) {
    const uint64_t *words = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (words == MAP_FAILED)
      return fail("mmap");
    for (size_t i = 0; i < size / sizeof *words; i++)
      sum += words[i];
  } else {
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
      return fail("mmap");
    for (size_t done = 0; done < size;) {
      ssize_t got = read(fd, bytes + done, size - done);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        return fail("read");
      done += (size_t)got;
    }
    sum = (uint64_t)bytes[size - 1];
  }
  return printf("%llx\n", (unsigned long long)sum) < 0 || fflush(stdout);
}
