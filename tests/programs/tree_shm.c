/* Memory that a process, its children and theirs share on purpose, of every kind: anonymous, a memfd that is
 * open and one that is only mapped, POSIX shared memory, a System V segment. Some have mapped a part, or have
 * unmapped what their children still have. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "check.h"

enum { KINDS = 5, CHILDREN = 3, SIZE = 2 << 20, WORDS = SIZE / 8, LAST = WORDS - 1 };

static unsigned long *memory[KINDS];
static int up[2], down[2], end[2], memfd, segment;
static char name[64];

static void make(void) {
  memory[0] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memfd = memfd_create("open", 0);
  int mapped = memfd_create("mapped", 0), named = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(memfd >= 0 && mapped >= 0 && named >= 0);
  CHECK(ftruncate(memfd, SIZE) == 0 && ftruncate(mapped, SIZE) == 0 && ftruncate(named, SIZE) == 0);
  memory[1] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
  memory[2] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
  memory[3] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, named, 0);
  segment = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
  CHECK(segment >= 0 && (memory[4] = shmat(segment, NULL, 0)) != (void *)-1);
  CHECK(shmctl(segment, IPC_RMID, NULL) == 0);
  close(mapped);
  close(named);
  unsigned long state = 42;
  for (int kind = 0; kind < KINDS; kind++) {
    CHECK(memory[kind] != MAP_FAILED);
    for (int i = 0; i < WORDS; i++)
      memory[kind][i] = next_number(&state);
  }
}

/* The first word and the last are for messages. */
static void look(void) {
  unsigned long state = 42;
  for (int kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < WORDS; i++) {
      unsigned long expected = next_number(&state);
      CHECK(i == 0 || i == LAST || memory[kind][i] == expected);
    }
}

static void live(void) {
  char byte;
  close(end[1]);
  int deeper = fork();
  CHECK(deeper >= 0);
  alarm(300); /* should the others be gone without a word */
  /* Its child has all of it, this process a part. */
  if (deeper)
    CHECK(munmap(memory[2], SIZE / 2) == 0 && munmap(memory[0], SIZE) == 0);
  CHECK(write(up[1], "r", 1) == 1);
  CHECK(read(down[0], &byte, 1) == 1);
  if (!deeper)
    look();
  for (int kind = deeper ? 3 : 0; kind < KINDS; kind++)
    __atomic_fetch_add(&memory[kind][0], 1, __ATOMIC_SEQ_CST);
  CHECK(write(up[1], "w", 1) == 1);
  CHECK(read(end[0], &byte, 1) == 0);
  for (int kind = deeper ? 3 : 0; kind < KINDS; kind++)
    CHECK(memory[kind][LAST] == 77);
  for (int status; wait(&status) > 0;)
    CHECK(status == 0);
  _exit(0);
}

int main(void) {
  char byte;
  snprintf(name, sizeof name, "/ckpt-test-%d", getpid());
  CHECK(pipe(up) == 0 && pipe(down) == 0 && pipe(end) == 0);
  make();
  for (int kind = 0; kind < KINDS; kind++)
    memory[kind][0] = 0;
  for (int i = 0; i < CHILDREN; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
      live();
  }
  for (int i = 0; i < 2 * CHILDREN; i++)
    CHECK(read(up[0], &byte, 1) == 1);

  ready();
  wait_for_go();

  look();
  for (int i = 0; i < 2 * CHILDREN; i++)
    CHECK(write(down[1], "g", 1) == 1);
  for (int i = 0; i < 2 * CHILDREN; i++)
    CHECK(read(up[0], &byte, 1) == 1);
  for (int kind = 0; kind < KINDS; kind++) {
    CHECK(memory[kind][0] == (kind < 3 ? CHILDREN : 2 * CHILDREN));
    memory[kind][LAST] = 77;
  }
  CHECK(pread(memfd, &byte, 1, 0) == 1 && byte == CHILDREN);
  close(end[1]);
  for (int status; wait(&status) > 0;)
    CHECK(status == 0);
  CHECK(shm_unlink(name) == 0);
  success();
}
