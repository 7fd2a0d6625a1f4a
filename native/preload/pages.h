/* Which pages of a region go into the image, and the runs that they make there. */
#ifndef CKPT_PAGES_H
#define CKPT_PAGES_H

#include "checkpoint.h"

enum source {
  SOURCE_NONE,      /* nothing: the kernel or the file has it */
  SOURCE_POPULATED, /* anonymous memory: every page that holds something */
  SOURCE_AT_HAND,   /* the same, with none of it in swap */
  SOURCE_EMPTY,     /* the same, but smaps counts none: at the most guard pages are there */
  SOURCE_CHANGED,  /* private file mapping: pages that differ from the file, and page 0 of an ELF file for gdb
                    */
  SOURCE_RESIDENT, /* shared anonymous memory: every page that exists */
  SOURCE_HELD,     /* the same of a file in memory, which another process might make shorter */
  SOURCE_WHOLE,    /* all of it */
  SOURCE_EXISTING, /* all of it, but what lies behind the end of a deleted file */
};

/* Pages that follow each other in memory and in the file. */
struct run {
  uint64_t start;
  uint64_t size;
};

/* Ranges of a region that hold something (scan.c). */
enum range_kind {
  RANGE_PRESENT,
  RANGE_AWAY /* swapped out, or a guard page that an old kernel does not name */,
  RANGE_GUARD
};
struct range {
  uint64_t start;
  uint64_t end;
  enum range_kind kind;
};

/* loads.c: a program header for each run, and for what is zeros. */
long add_loads(struct checkpoint *c, struct list *headers);

enum { LOOKED_AHEAD = 65536 /* pages */, ENTRIES_AHEAD = 512 };

/* Bits of an entry of /proc/PID/pagemap; who may not see frames reads them as zero. */
#define ENTRY_PRESENT (1ull << 63)
#define ENTRY_SWAPPED (1ull << 62)
#define ENTRY_FILE (1ull << 61)
#define ENTRY_GUARD (1ull << 58)
#define ENTRY_EXCLUSIVE (1ull << 56) /* no other process has this page */
#define ENTRY_FRAME ((1ull << 55) - 1)

/* The entries of some pages. */
struct entries {
  int pagemap;
  uint64_t *entries;
  uint64_t start, end;
};

struct scan {
  struct checkpoint *c;
  int pagemap; /* /proc/self/pagemap */
  bool ioctl_works;
  uint64_t guard_category; /* 0: this kernel cannot tell */
  char *buffer;
  uint8_t *ahead; /* for SOURCE_AT_HAND: what mincore says about the pages of a range, by bytes */
  uint64_t ahead_start, ahead_end;
  struct entries own;
};

enum { SCAN_BATCH = 512 };

long scan_open(struct scan *scan, struct checkpoint *c);
void scan_close(const struct scan *scan);
/* The entry of a page, 0 when it cannot be read; those behind it, up to `end`, are read with it. */
uint64_t scan_entry(struct entries *entries, uint64_t address, uint64_t end);
/* The next ranges at or behind *at (moved on), SCAN_BATCH at the most: how many, 0 at the end. */
long scan_next(struct scan *scan, enum source source, uint64_t *at, uint64_t end, struct range *ranges);

#endif
