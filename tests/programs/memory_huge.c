/* memory_huge DIRECTORY [keep]: memory of huge pages: private, shared, mapped twice, over memfds, System V
 * segments, and files on the hugetlbfs that DIRECTORY is on, one of which has lost its name. */
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "check.h"

#define HUGE (2ul << 20)

static char *map(int flags, size_t pages) {
  void *area = mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE,
                    MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT | flags, -1, 0);
  CHECK(area != MAP_FAILED);
  return area;
}

/* KiB, as smaps says. */
static unsigned long page_size_at(const void *address) {
  FILE *smaps = fopen("/proc/self/smaps", "re");
  CHECK(smaps);
  char line[1024];
  bool inside = false;
  unsigned long size = 0, start, end;
  while (fgets(line, sizeof line, smaps)) {
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
      inside = start <= (unsigned long)address && (unsigned long)address < end;
    else if (inside)
      sscanf(line, "KernelPageSize: %lu", &size);
  }
  CHECK(fclose(smaps) == 0);
  return size;
}

static int segment(char **at) {
  int id = shmget(IPC_PRIVATE, HUGE + 4096, IPC_CREAT | 0600 | SHM_HUGETLB | 21 << MAP_HUGE_SHIFT);
  CHECK(id >= 0 && (*at = shmat(id, NULL, 0)) != (char *)-1);
  (*at)[HUGE] = 'v';
  return id;
}

static int file(const char *directory, const char *name, char **shared) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s-%d", directory, name, getpid());
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)(2 * HUGE)) == 0);
  *shared = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(*shared != MAP_FAILED);
  strcpy(*shared + HUGE, name);
  return fd;
}

static void expect_file(int fd, const char *name, const char *shared, nlink_t links) {
  struct stat st;
  char bytes[16];
  CHECK(fstat(fd, &st) == 0 && st.st_size == 2 * HUGE && st.st_blksize == HUGE && st.st_nlink == links);
  CHECK(strcmp(shared + HUGE, name) == 0 && shared[0] == 0 && page_size_at(shared) == 2048);
  CHECK(pread(fd, bytes, sizeof bytes, HUGE) == sizeof bytes && strcmp(bytes, name) == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2 || argc == 3);
  char *attached, *named, *nameless, path[4096];
  int id = segment(&attached), named_fd = file(argv[1], "named", &named);
  int nameless_fd = file(argv[1], "nameless", &nameless);
  snprintf(path, sizeof path, "%s/nameless-%d", argv[1], getpid());
  CHECK(unlink(path) == 0);
  char *changed = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, named_fd, (off_t)HUGE);
  CHECK(changed != MAP_FAILED);
  changed[1] = '-';
  char *own = map(MAP_PRIVATE, 2), *shared = map(MAP_SHARED, 1);
  char *again = mremap(shared, 0, HUGE, MREMAP_MAYMOVE);
  CHECK(again != MAP_FAILED || errno == EINVAL);
  own[HUGE + 12345] = 'o';
  strcpy(again == MAP_FAILED ? shared : again, "of both");
  shared[HUGE - 1] = 's';

  int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | 21u << MFD_HUGE_SHIFT);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)(2 * HUGE)) == 0);
  char *over = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *copy = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)HUGE);
  CHECK(over != MAP_FAILED && copy != MAP_FAILED);
  over[HUGE + 9] = 'h';
  copy[10] = 'c';

  ready();
  wait_for_go();

  CHECK(own[HUGE + 12345] == 'o' && own[0] == 0 && strcmp(shared, "of both") == 0 && shared[HUGE - 1] == 's');
  CHECK(page_size_at(own) == 2048 && page_size_at(shared) == 2048);
  char byte;
  CHECK(over[HUGE + 9] == 'h' && over[HUGE + 10] == 0 && over[0] == 0 && copy[10] == 'c');
  over[1] = 'x';
  CHECK(pread(fd, &byte, 1, 1) == 1 && byte == 'x' && page_size_at(over) == 2048);
  struct shmid_ds now;
  CHECK(attached[HUGE] == 'v' && attached[0] == 0 && page_size_at(attached) == 2048);
  CHECK(shmctl(id, IPC_STAT, &now) < 0 || (now.shm_segsz == HUGE + 4096 && now.shm_nattch == 1));
  CHECK(shmdt(attached) == 0);
  shmctl(id, IPC_RMID, NULL); /* an ordinary user may have it under another id */
  expect_file(named_fd, "named", named, 1);
  expect_file(nameless_fd, "nameless", nameless, 0);
  CHECK(strcmp(changed, "n-med") == 0);
  strcpy(named + HUGE, "another"); /* which a later restart takes back */
  snprintf(path, sizeof path, "%s/named-%d", argv[1], getpid());
  CHECK(argc == 3 || unlink(path) == 0);
  if (again != MAP_FAILED) {
    again[5] = '!';
    CHECK(shared[5] == '!');
  }
  success();
}
