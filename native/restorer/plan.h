/* The plan: everything that the restorer needs, laid out by restart in the hole.
 *
 * The restorer runs when nothing of restart is left in memory, so all pointers here lead into the hole. It
 * decides nothing that could have been decided before: restart has checked every range. */
#ifndef CKPT_PLAN_H
#define CKPT_PLAN_H

#include <linux/prctl.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/control.h"
#include "format/image.h"

#define PLAN_WORKERS 8
#define PLAN_STACK (64u << 10)
#define PLAN_THREAD_STACK (8u << 10)
#define PLAN_VDSO_PARTS 4
#define PLAN_STUB 12 /* bytes of a patched vdso entry */

/* What went on last, for the words that restart makes of an error. */
enum plan_step {
  PLAN_STEP_VDSO = 1, /* a: address */
  PLAN_STEP_UNMAP,    /* a: start, b: end */
  PLAN_STEP_MAP,      /* a: start, b: end */
  PLAN_STEP_SEAL,
  PLAN_STEP_SEAL_MEMORY, /* a: start, b: end */
  PLAN_STEP_SEGMENT,     /* a: id */
  PLAN_STEP_ADVISE,      /* a: start, b: end */
  PLAN_STEP_LOCK_MEMORY,
  PLAN_STEP_LOCK_FUTURE,
  PLAN_STEP_GUARD,
  PLAN_STEP_READ,     /* a: address, b: offset in the core */
  PLAN_STEP_CHECKSUM, /* a: address of the chunk's first byte, b: chunk */
  PLAN_STEP_WORKER,
  PLAN_STEP_PROTECT, /* a: start, b: end */
  PLAN_STEP_MM,
  PLAN_STEP_SIGACTION,    /* a: signal */
  PLAN_STEP_RLIMIT,       /* a: resource */
  PLAN_STEP_FILE_LOCK,    /* a: index of the lock */
  PLAN_STEP_THREAD,       /* a: fs base */
  PLAN_STEP_START_THREAD, /* a: id */
  PLAN_STEP_XCOMP,        /* a: bit */
  PLAN_STEP_BARRIER,      /* a: command */
  PLAN_STEP_GROUPS,
  PLAN_STEP_GIDS,
  PLAN_STEP_UIDS,
  PLAN_STEP_CAPABILITIES,
  PLAN_STEP_PRCTL, /* a: option */
  PLAN_STEP_CLOSE,
  PLAN_STEP_SIGNAL, /* a: signal */
  PLAN_STEP_ITIMER, /* a: which */
  PLAN_STEP_TIMER,  /* a: id */
  PLAN_STEP_OWNER,  /* a: descriptor, b: thread */
  PLAN_STEP_NOTIFY, /* a: descriptor */
  PLAN_STEP_AIO,    /* a: address */
};

/* What the new process tells restart, one packet each. WORDS and WARNING are followed by text. */
enum plan_news_kind {
  PLAN_NEWS_STEP = 1,    /* the restorer failed */
  PLAN_NEWS_READY = 2,   /* all that can fail is done: waits for one byte, then runs the program */
  PLAN_NEWS_WORDS = 3,   /* ordinary code failed */
  PLAN_NEWS_WARNING = 4, /* ordinary code goes on */
  PLAN_NEWS_BORN = 5,    /* so are its descendants: waits for one byte */
  PLAN_NEWS_STOPPED =
      6, /* its children that were stopped are so again: waits for one byte, unless it stops, too */
};

struct plan_news {
  uint32_t kind;
  uint32_t step;
  int64_t error; /* negative errno */
  uint64_t a;
  uint64_t b;
};

struct plan_region {
  uint64_t start;
  uint64_t end;
  uint64_t offset;
  int32_t fd;         /* -1: none; of a segment: its id */
  int32_t mmap_flags; /* without MAP_FIXED_NOREPLACE */
  uint32_t fill_prot; /* while pages are read */
  uint32_t prot;      /* in the end */
  uint32_t flags;     /* enum ckpt_region_flag */
  uint8_t segment;    /* over a System V segment */
  uint8_t attached;   /* ... and in its place, with the other pieces of its attachment */
  uint8_t queue;      /* the ring of a queue of asynchronous I/O, which is made once its events are there */
  uint8_t pad;
  uint64_t nested; /* where it is until it is moved to its place, pages and all; 0: nowhere */
};

struct plan_segment {
  int32_t id;
  uint32_t removed; /* the program had removed it: gone when nobody has it attached any more */
};

enum plan_chunk {
  PLAN_CHUNK_DENSE,
  PLAN_CHUNK_SPARSE, /* huge pages would blow it up */
  PLAN_CHUNK_DONE,   /* nothing of it is to be read */
};

struct plan_run {
  uint64_t address; /* 0: read only for the checksum */
  uint64_t size;
  uint64_t offset; /* from the start of the image's data */
};

/* One mapping of the kernel's vvar and vdso: from there through the hole to where it is wanted. */
struct plan_move {
  uint64_t from;
  uint64_t through;
  uint64_t to;
  uint64_t size;
};

/* The first bytes of a function of the old vdso are replaced. */
struct plan_patch {
  uint64_t address;
  uint8_t code[PLAN_STUB];
};

struct plan_seal {
  int32_t fd;
  uint32_t seals; /* F_SEAL_* */
};

struct plan_lock {
  int32_t fd;
  uint32_t kind; /* enum ckpt_lock_kind */
  uint32_t exclusive;
  uint32_t index;
  uint64_t start;
  uint64_t length;
};

/* A descriptor that signals a thread other than the main one. */
struct plan_owner {
  int32_t fd;
  int32_t tid; /* as it was */
};

/* A message queue that notifies the process, which ends when the process closes any opening of it. */
struct plan_notification {
  int32_t fd;
  struct ckpt_notification what;
};

/* A file of the kernel's that was half read. */
struct plan_position {
  int32_t fd;
  uint32_t pad;
  uint64_t position;
};

struct plan_credentials {
  uint8_t set_groups;
  uint8_t set_gids;
  uint8_t set_uids;
  uint8_t drop_all; /* no capability is kept, and none is raised */
  uint32_t group_count;
  uint32_t *groups;
};

struct plan {
  uint64_t hole_start;
  uint64_t hole_end;
  uint64_t top;        /* end of what is mapped now */
  uint64_t nest_start; /* what is there already is moved to its place; 0: nothing */
  uint64_t nest_end;
  int32_t core_fd;
  int32_t report_fd;
  int32_t first_own_fd; /* this and all above are ours; the program has none of them */
  int32_t pid;

  struct plan_move moves[PLAN_VDSO_PARTS];
  uint32_t move_count;
  uint32_t patch_count;
  struct plan_patch *patches;

  struct plan_region *regions;
  struct plan_run *runs;
  struct ckpt_range *guards;
  struct plan_seal *seals;
  struct plan_segment *segments;
  uint32_t seal_count;
  uint32_t segment_count;
  uint32_t region_count;
  uint32_t run_count;
  uint32_t guard_count;

  uint64_t data_offset;
  uint64_t data_size;
  uint32_t *checksums;
  uint8_t *sparse; /* enum plan_chunk, per chunk */
  uint32_t chunk_count;
  uint32_t worker_count;  /* beside the first thread */
  uint8_t *worker_stacks; /* the first is the first thread's own */
  uint8_t *scratch;       /* CKPT_CHUNK for each of worker_count + 1 */

  /* Shared by the workers. */
  uint32_t next_chunk;
  uint32_t pass; /* enum plan_chunk: which ones are read now */
  int32_t worker_tids[PLAN_WORKERS];

  struct ckpt_process process;
  struct ckpt_thread *threads; /* the main thread first */
  int32_t *thread_ids;         /* what they have now */
  uint8_t *thread_stacks;      /* PLAN_THREAD_STACK for each but the main thread */
  uint32_t thread_count;
  uint32_t any_ids;       /* threads need not get their ids back */
  uint32_t threads_ready; /* how many are where only the jump into the program is missing */
  uint32_t threads_go;
  struct prctl_mm_map mm;
  struct plan_credentials credentials;
  struct ckpt_sigaction *sigactions;
  struct ckpt_rlimit *rlimits;
  struct ckpt_itimer *itimers;
  struct ckpt_timer *timers;
  struct ckpt_signal *signals;
  struct plan_lock *locks;
  struct plan_owner *owners;
  struct plan_notification *notifications;
  struct plan_position *positions;
  uint32_t sigaction_count;
  uint32_t rlimit_count;
  uint32_t itimer_count;
  uint32_t timer_count;
  uint32_t signal_count;
  uint32_t lock_count;
  struct ckpt_stopped *stopped; /* children that stop themselves */
  uint32_t stopped_count;
  uint32_t supervises; /* some of its children stop themselves, and nobody may run before they have */
  uint32_t is_root;    /* the others descend from it, or did */
  uint32_t quiet;      /* SIGCHLD gets SA_NOCLDSTOP until they have, which libckpt takes back */
  uint32_t owner_count;
  uint32_t notification_count;
  uint32_t position_count;
  uint32_t job_dir_size; /* 0: the program's own stays; else with its end */
  char *job_dir;
};

#endif
