/* memfds that are mapped: shared twice and privately, sparse, sealed against new writers, and one whose
 * descriptor is closed. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "maps.h"

#define PAGE 4096ul
#define SIZE (64 * PAGE)
#define FAR (1ul << 40)

static unsigned char *map(int fd, int prot, int flags, size_t size, size_t offset) {
  void *area = mmap(NULL, size, prot, flags, fd, (off_t)offset);
  CHECK(area != MAP_FAILED);
  return area;
}

static unsigned char byte_at(size_t i) {
  return (unsigned char)(i * 13 + i / PAGE);
}

int main(void) {
  int fd = memfd_create("of two", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(fd >= 0 && ftruncate(fd, FAR + 100) == 0 && fchmod(fd, 0640) == 0);
  CHECK(pwrite(fd, "far", 3, FAR) == 3);
  unsigned char *writer = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, SIZE, 0);
  unsigned char *later = map(fd, PROT_READ, MAP_SHARED, SIZE / 2, SIZE / 2);
  unsigned char *copy = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, SIZE, 0);
  for (size_t i = 0; i < SIZE; i++)
    writer[i] = byte_at(i);
  copy[5 * PAGE] = 77;
  CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK) == 0);

  int closed = memfd_create("closed", MFD_CLOEXEC);
  CHECK(closed >= 0 && ftruncate(closed, (off_t)SIZE) == 0);
  unsigned char *one = map(closed, PROT_READ | PROT_WRITE, MAP_SHARED, SIZE, 0);
  unsigned char *two = map(closed, PROT_NONE, MAP_SHARED, SIZE, 0);
  unsigned char *behind = map(closed, PROT_READ, MAP_SHARED, SIZE, SIZE / 2);
  unsigned char *own = map(closed, PROT_READ, MAP_PRIVATE, SIZE, 0);
  CHECK(close(closed) == 0);
  one[3 * PAGE + 1] = 33;
  one[SIZE - 1] = 99;

  ready();
  wait_for_go();

  for (size_t i = 0; i < SIZE; i++)
    CHECK(writer[i] == byte_at(i) && (i < SIZE / 2 || later[i - SIZE / 2] == byte_at(i)));
  CHECK(copy[5 * PAGE] == 77 && copy[6 * PAGE] == byte_at(6 * PAGE));
  char far[4] = "";
  struct stat st;
  CHECK(pread(fd, far, 3, FAR) == 3 && strcmp(far, "far") == 0);
  CHECK(fstat(fd, &st) == 0 && st.st_size == FAR + 100 && (st.st_mode & 0777) == 0640 && st.st_blocks < 2048);
  /* One piece of memory, whoever writes. */
  writer[SIZE - 1] ^= 0x55;
  copy[7 * PAGE] = 1;
  CHECK(later[SIZE / 2 - 1] == (byte_at(SIZE - 1) ^ 0x55) && writer[7 * PAGE] == byte_at(7 * PAGE));
  writer[8 * PAGE] = 12;
  CHECK(copy[8 * PAGE] == 12); /* not yet written by the copy */
  unsigned char byte;
  CHECK(pread(fd, &byte, 1, SIZE - 1) == 1 && byte == writer[SIZE - 1]);
  CHECK(fcntl(fd, F_GET_SEALS) == (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
  CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
  struct map_line line;
  CHECK(map_at(writer, &line) && strcmp(line.name, "/memfd:of two (deleted)") == 0);

  CHECK(one[3 * PAGE + 1] == 33 && one[0] == 0 && one[SIZE - 1] == 99);
  one[2 * PAGE] = 22;
  CHECK(mprotect(two, SIZE, PROT_READ) == 0 && two[3 * PAGE + 1] == 33 && two[2 * PAGE] == 22);
  CHECK(behind[SIZE / 2 - 1] == 99 && own[SIZE - 1] == 99);
  CHECK(map_at(one, &line) && strcmp(line.name, "/memfd:closed (deleted)") == 0);
  success();
}
