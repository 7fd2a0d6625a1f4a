/* System V segments: one that is already marked for removal, attached twice, and one with a key, attached in
 * part and for reading. With an argument, its id may be another after a restart. */
#include <sys/mman.h>
#include <sys/shm.h>

#include "check.h"

#define PAGE 4096ul
#define SIZE (16 * PAGE - 100)

static unsigned char *attach(int id, int flags) {
  void *at = shmat(id, NULL, flags);
  CHECK(at != (void *)-1);
  return at;
}

int main(int argc, char **argv) {
  int removed = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
  CHECK(removed >= 0);
  unsigned char *one = attach(removed, 0), *two = attach(removed, 0);
  CHECK(shmctl(removed, IPC_RMID, NULL) == 0);
  for (size_t i = 0; i < SIZE; i++)
    one[i] = (unsigned char)(i * 11 + i / PAGE);

  key_t key = (key_t)(0x43000000 | getpid());
  int id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0640);
  CHECK(id >= 0);
  unsigned char *part = attach(id, 0), *reader = attach(id, SHM_RDONLY);
  part[0] = 1;
  part[5 * PAGE] = 5;
  part[9 * PAGE] = 9;
  CHECK(munmap(part + 4 * PAGE, 4 * PAGE) == 0 && mprotect(part + 8 * PAGE, PAGE, PROT_NONE) == 0);
  unsigned char *between = mmap(part + 6 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(between == part + 6 * PAGE);
  between[0] = 66;
  printf("id %d\n", id);
  fflush(stdout);

  ready();
  wait_for_go();

  struct shmid_ds segment;
  for (size_t i = 0; i < SIZE; i++)
    CHECK(one[i] == (unsigned char)(i * 11 + i / PAGE));
  two[7] ^= 1;
  CHECK(one[7] == (7 * 11 ^ 1));
  int now = shmget(key, 0, 0);
  CHECK(now == id || (now >= 0 && argc > 1 && argv[1]));
  CHECK(shmctl(now, IPC_STAT, &segment) == 0 && segment.shm_segsz == SIZE && segment.shm_nattch == 4 &&
        (segment.shm_perm.mode & 0777) == 0640);
  CHECK(part[0] == 1 && reader[5 * PAGE] == 5 && part[9 * PAGE] == 9 && reader[PAGE] == 0 &&
        between[0] == 66);
  part[10 * PAGE] = 10;
  CHECK(reader[10 * PAGE] == 10);
  /* What the kernel finds by address. */
  CHECK(shmdt(part) == 0 && shmdt(reader) == 0 && shmdt(two) == 0 && between[0] == 66);
  CHECK(shmctl(now, IPC_STAT, &segment) == 0 && segment.shm_nattch == 0 && shmctl(now, IPC_RMID, NULL) == 0);
  success();
}
