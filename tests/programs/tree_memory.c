/* What processes share since a fork, and what each has changed since: pages written, cleared, given back,
 * protected and unmapped, a mapping that has moved and grown, a heap that has grown; children, and theirs.
 * What each has is known from who it is: what is found is compared with all that it and those before it have
 * done. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGE = 4096, PAGES = 2048, STEPS = 80, DEEP = 3, WIDE = 2 };

/* What a page holds: in each byte the same; a page that is not there counts as GONE. */
enum { GONE = 256, OF_FILE = 0x5a };
struct contents {
  short anonymous[PAGES], over_file[PAGES];
  size_t moved_pages; /* 0: it is where it was */
};

static unsigned char *anonymous, *over_file, *moved, *heap;
static int up[2], down[2];

static unsigned char *page_of(unsigned char *from, size_t page) {
  return from + page * PAGE;
}

/* One process's doings: into memory, or only into what is expected. */
static void act(int who, struct contents *c, int really) {
  for (size_t page = 0; really && page < PAGES; page++)
    if (c->anonymous[page] != GONE && who && page % 100 == (size_t)who - 1)
      CHECK(mprotect(page_of(anonymous, page), PAGE, PROT_READ | PROT_WRITE) == 0);
  unsigned long state = 0x9e3779b97f4a7c15ul * (unsigned long)(who + 1);
  for (int i = 0; i < STEPS; i++) {
    size_t page = next_number(&state) % PAGES, many = 1 + next_number(&state) % 12;
    int what = (int)(next_number(&state) % 8), byte = 1 + (int)(next_number(&state) % 255);
    for (; many-- && page < PAGES; page++) {
      short *of_anonymous = &c->anonymous[page], *of_file = &c->over_file[page];
      if (what < 3 && *of_anonymous != GONE) {
        *of_anonymous = (short)byte;
      } else if (what == 3 && *of_anonymous != GONE) {
        *of_anonymous = 0;
      } else if (what == 4 && *of_anonymous != GONE) {
        *of_anonymous = 0;
        CHECK(!really || madvise(page_of(anonymous, page), PAGE, MADV_DONTNEED) == 0);
        continue;
      } else if (what == 5 && *of_file != GONE) {
        *of_file = (short)byte;
        if (really)
          memset(page_of(over_file, page), byte, PAGE);
        continue;
      } else if (what == 6 && i % 8 == 0) {
        *of_anonymous = *of_file = GONE;
        CHECK(!really || munmap(page_of(anonymous, page), PAGE) == 0);
        CHECK(!really || munmap(page_of(over_file, page), PAGE) == 0);
        continue;
      } else {
        continue;
      }
      if (really)
        memset(page_of(anonymous, page), *of_anonymous, PAGE);
    }
  }
  if (!really)
    return;
  for (size_t page = 0; page < PAGES; page++)
    if (c->anonymous[page] != GONE && page % 100 == (size_t)who)
      CHECK(mprotect(page_of(anonymous, page), PAGE, PROT_READ) == 0);
  unsigned char *top = sbrk(20 * PAGE);
  CHECK(top != (void *)-1);
  memset(top, who + 1, 20 * PAGE);
  moved = mremap(moved, (size_t)(100 + who) * PAGE, (size_t)(101 + who) * PAGE, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED);
  memset(page_of(moved, (size_t)(100 + who)), who + 1, PAGE);
}

static int holds(const unsigned char *page, int byte) {
  return page[0] == byte && memcmp(page, page + 1, PAGE - 1) == 0;
}

static void look(int who, const struct contents *c) {
  for (size_t page = 0; page < PAGES; page++) {
    unsigned char here;
    if (c->anonymous[page] == GONE)
      CHECK(mincore(page_of(anonymous, page), PAGE, &here) < 0 && errno == ENOMEM);
    else
      CHECK(holds(page_of(anonymous, page), c->anonymous[page]));
    CHECK(c->over_file[page] == GONE || holds(page_of(over_file, page), c->over_file[page]));
  }
  for (size_t i = 0; i < (size_t)(101 + who); i++)
    CHECK(holds(page_of(moved, i), i < 100 ? 7 : (int)i - 99));
  for (size_t i = 0; i < (size_t)(20 * (who + 1)); i++)
    CHECK(holds(page_of(heap, i), (int)i / 20 + 1));
}

/* This process is the `who`th of its line; it bears children, and looks when it is told to. */
static void live(int who, struct contents *c) {
  char byte;
  act(who, c, 1);
  if (who < DEEP)
    for (int i = 0; i < WIDE; i++) {
      pid_t pid = fork();
      CHECK(pid >= 0);
      if (pid == 0) {
        close(down[1]);
        alarm(300); /* should the others be gone without a word */
        live(who + 1, c);
      }
    }
  CHECK(write(up[1], "r", 1) == 1);
  if (who == 0)
    return;
  CHECK(read(down[0], &byte, 1) == 0);
  static struct contents again;
  memset(again.anonymous, 0, sizeof again.anonymous);
  for (size_t page = 0; page < PAGES; page++)
    again.over_file[page] = OF_FILE;
  for (int i = 0; i <= who; i++)
    act(i, &again, 0);
  look(who, &again);
  for (int status; wait(&status) > 0;)
    CHECK(status == 0);
  _exit(0);
}

int main(void) {
  static struct contents contents;
  char name[] = "memory-XXXXXX", byte;
  int fd = mkstemp(name);
  CHECK(fd >= 0 && pipe(up) == 0 && pipe(down) == 0);
  char *fill = malloc((size_t)PAGES * PAGE);
  memset(fill, OF_FILE, (size_t)PAGES * PAGE);
  CHECK(write(fd, fill, (size_t)PAGES * PAGE) == (ssize_t)PAGES * PAGE);
  free(fill);
  anonymous = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  over_file = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  moved = mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(anonymous != MAP_FAILED && over_file != MAP_FAILED && moved != MAP_FAILED);
  memset(moved, 7, 100 * PAGE);
  for (size_t page = 0; page < PAGES; page++)
    contents.over_file[page] = OF_FILE;
  heap = sbrk(PAGE);
  CHECK(heap != (void *)-1 && brk(heap += PAGE - (size_t)heap % PAGE) == 0);
  close(fd);
  int members = 0;
  for (int i = 0, many = 1; i <= DEEP; i++, many *= WIDE)
    members += many;
  live(0, &contents);
  close(down[0]);
  for (; members > 0; members--)
    CHECK(read(up[0], &byte, 1) == 1);

  ready();
  wait_for_go();

  close(down[1]);
  look(0, &contents);
  for (int status; wait(&status) > 0;)
    CHECK(status == 0);
  success();
}
