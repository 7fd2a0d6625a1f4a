/* memory_shm NAME: POSIX shared memory that is mapped and closed, and a named semaphore. Removes both in the
 * end.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

#define SIZE (16 * 4096ul - 1000)

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = shm_open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0640);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)SIZE) == 0);
  unsigned char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(area != MAP_FAILED && own != MAP_FAILED && close(fd) == 0);
  for (size_t i = 0; i < SIZE; i++)
    area[i] = (unsigned char)(i * 5 + 3);
  own[4096] = 'o'; /* that page is its own from here on */
  sem_t *semaphore = sem_open(argv[1], O_CREAT | O_EXCL, 0600, 3);
  CHECK(semaphore != SEM_FAILED && sem_wait(semaphore) == 0);

  ready();
  wait_for_go();

  int value;
  struct stat st;
  for (size_t i = 0; i < SIZE; i++)
    CHECK(area[i] == (unsigned char)(i * 5 + 3));
  for (size_t i = 0; i < SIZE; i++)
    CHECK(own[i] == (i == 4096 ? 'o' : area[i]));
  CHECK(sem_getvalue(semaphore, &value) == 0 && value == 2 && sem_post(semaphore) == 0);
  /* Who opens them by name finds the same memory. */
  fd = shm_open(argv[1], O_RDONLY, 0);
  unsigned char byte;
  area[77] ^= 1;
  CHECK(fd >= 0 && pread(fd, &byte, 1, 77) == 1 && byte == area[77]);
  CHECK(fstat(fd, &st) == 0 && st.st_size == SIZE && (st.st_mode & 0777) == 0640 && close(fd) == 0);
  CHECK(sem_close(semaphore) == 0);
  semaphore = sem_open(argv[1], 0);
  CHECK(semaphore != SEM_FAILED && sem_getvalue(semaphore, &value) == 0 && value == 3);
  CHECK(shm_unlink(argv[1]) == 0 && sem_unlink(argv[1]) == 0);
  success();
}
