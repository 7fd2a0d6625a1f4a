/* One checkpoint while it is being made. It lives in its arena; the steps are in files of their own. */
#ifndef CKPT_CHECKPOINT_H
#define CKPT_CHECKPOINT_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "arena.h"
#include "format/control.h"
#include "format/image.h"
#include "state.h"

/* What a process offers to its children: descriptors of its memory and its pagemap (-1: no offer), and the
 * address and length of the list of what its core will hold. */
struct offering {
  int memory;
  int pagemap;
  uint64_t list;
  uint64_t count;
};

struct checkpoint {
  struct arena arena;
  struct ckpt_request request;
  int requester;  /* socket, or -1: asked for by a signal or by ckpt_checkpoint() */
  bool local;     /* asked for by ckpt_checkpoint() */
  bool postponed; /* the program has called ckpt_defer() while it was about to be frozen */
  uint64_t begin_ns;
  uint64_t
      deadline_ns; /* CLOCK_MONOTONIC, for all that has to be waited for once threads are being stopped */
  long result;
  char error[2048]; /* words about a negative result */
  char image_path[CKPT_PATH_MAX];
  const siginfo_t *info;
  ucontext_t *frame;
  int mem; /* /proc/self/mem, or -1 */
  struct ckpt_rlimit limits[16];
  uint32_t umask;
  bool umask_cleared;
  bool writes_as_root; /* owner.c */
  uint64_t effective;  /* the capabilities that it had then */

  /* The job, when there are more processes than this one (job.h). */
  struct job *job;        /* in the leader */
  struct order *order;    /* in every process of a job: the leader's last */
  struct list open_files; /* struct open_file, of all of them */
  struct list tcp_ends;   /* struct tcp_end, likewise */
  struct list left_out;   /* struct left_out (ignore.c): processes that are not saved */
  struct offering parent; /* what this process may inherit (inherit.h) */
  char *scratch;          /* SCRATCH bytes, when there is a job */
  uint64_t members_size;  /* of the other processes' cores */
  struct pollfd *polls;
  size_t polls_room;

  /* What the notes say; filled by the describe_* steps. */
  struct ckpt_image image;
  struct ckpt_process process;
  struct list threads;      /* struct thread_note (thread.h), the main thread first */
  struct list parked;       /* struct parked * (park.h) */
  struct list helpers;      /* int32_t: libc's threads for timers (timers.c) */
  struct list children;     /* struct ckpt_child */
  struct list stops;        /* struct ckpt_stop */
  uint32_t lock;            /* parked threads share the arena through take_turn */
  struct list strings;      /* bytes */
  struct list files;        /* struct ckpt_file */
  struct list regions;      /* struct ckpt_region */
  struct list sources;      /* uint8_t, enum source (pages.h): where the region's pages come from */
  struct list guards;       /* struct ckpt_range */
  struct list inherited;    /* struct ckpt_range */
  struct list descriptions; /* struct ckpt_description */
  struct list descriptors;  /* struct ckpt_descriptor */
  struct list in_flight;    /* struct ckpt_descriptor: peeked out of sockets, closed in the end */
  struct list looked_into;  /* uint64_t: inodes of unix sockets in which descriptors in flight were looked for
                               (in_flight.c) */
  struct list locks;        /* struct ckpt_lock */
  struct list own_locks;    /* struct own_lock (locks.c): what the program is to have again */
  struct list watches;      /* struct ckpt_watch */
  struct list inotify;      /* struct ckpt_inotify */
  struct list timerfds;     /* struct ckpt_timerfd */
  struct list sockets;      /* struct ckpt_socket */
  struct list options;      /* struct ckpt_option */
  struct list tcp;          /* struct ckpt_tcp */
  struct list chosen_tcp;   /* struct chosen_tcp (tcp_repair.c) */
  struct list terminals;    /* struct ckpt_terminal */
  struct list ptys;         /* struct ckpt_pty */
  struct list pty_sides;    /* ptys.c */
  uint32_t controlling;     /* device of the controlling terminal, or 0 */
  struct list sigactions;   /* struct ckpt_sigaction */
  struct list signals;      /* struct ckpt_signal */
  struct list itimers;      /* struct ckpt_itimer */
  struct list timers;       /* struct ckpt_timer */
  struct list groups;       /* uint32_t */
  struct list sets;         /* struct ckpt_set */
  struct list semaphores;   /* struct ckpt_semaphore */
  struct list queues;       /* struct ckpt_queue */
  struct list blob;         /* bytes */
  char *auxv;
  size_t auxv_size;

  /* The file. */
  int job_fd;  /* the job directory, or -1 */
  int temp_fd; /* the hidden directory that becomes the image, or -1 */
  char job_dir[CKPT_PATH_MAX];
  char temp_name[64];
  bool made_dir, made_job_dir;
  int core_fd;
  struct list runs;      /* struct run (pages.h), by address */
  struct list checksums; /* uint32_t */
  uint64_t data_size;
  uint64_t file_size;
};

/* Sets the words (text_format's) unless an inner step has set some, and returns `code`. */
long fail(struct checkpoint *c, long code, const char *format, ...);

/* Steps, in order. Each returns 0 or a negative errno with words. */
long freeze_threads(struct checkpoint *c);         /* freeze.c */
long close_strays(struct checkpoint *c);           /* strays.c */
long refuse_company(struct checkpoint *c);         /* refuse.c */
long settle_queues(struct checkpoint *c);          /* aio.c: nothing is under way in them any more */
long gather_job(struct checkpoint *c);             /* meet.c */
long describe_process(struct checkpoint *c);       /* process.c */
long describe_clocks(struct checkpoint *c);        /* process.c */
long describe_children(struct checkpoint *c);      /* children.c */
long describe_timers(struct checkpoint *c);        /* timers.c */
long describe_signals(struct checkpoint *c);       /* signals.c */
long describe_keys(struct checkpoint *c);          /* keys.c */
void open_keys(void);                              /* keys.c: memory under any key may be read */
long describe_regions(struct checkpoint *c);       /* regions.c */
long describe_sysv(struct checkpoint *c);          /* sysv.c */
long describe_descriptors(struct checkpoint *c);   /* descriptors.c */
void let_tcp_go(struct checkpoint *c);             /* tcp_repair.c: connections go on */
void close_in_flight(struct checkpoint *c);        /* in_flight.c */
void leave_addresses(const struct checkpoint *c);  /* sockets.c */
void take_locks_again(const struct checkpoint *c); /* locks.c */
long meet_described(struct checkpoint *c);         /* meet.c */
long repair_tcp(struct checkpoint *c);             /* tcp_repair.c: what has been chosen is described */
long owner_begin(struct checkpoint *c);            /* owner.c */
long store_begin(struct checkpoint *c);            /* store.c */
long meet_store(struct checkpoint *c);             /* meet.c */
long write_pages(struct checkpoint *c);            /* pages.c */
long check_swap(struct checkpoint *c);             /* regions.c */
#define CARRIED_DIR "files"
long write_files(struct checkpoint *c);   /* carry.c */
long write_notes(struct checkpoint *c);   /* notes.c */
long store_end(struct checkpoint *c);     /* store.c */
void store_abandon(struct checkpoint *c); /* store.c */
/* owner.c: what a process that can become root again writes is root's. */
long owner_give(struct checkpoint *c, int fd);
void owner_end(struct checkpoint *c);

/* strings.c: offsets and indices into the lists; negative when the arena is full. */
long add_string(struct checkpoint *c, const char *text);
const char *string_at(const struct checkpoint *c, ckpt_string offset);
/* Index + 1 of this inode under this path in the files list, added when new. */
struct stat;
long add_file(struct checkpoint *c, const struct stat *st, const char *path, uint32_t flags);

/* files.c: of a file (index + 1) on this file system, how large its pages are when they are huge. */
struct statfs;
void note_huge_pages(struct checkpoint *c, long file, const struct statfs *fs);
/* files.c: 0 when this is the path of the working directory; index + 1 of it as a file when it has been
 * removed. */
long find_removed_directory(struct checkpoint *c, const char *path);

/* carry.c: is the image to carry the contents of this file, by request or CKPT_WITH_FILES? */
bool file_is_asked_for(const struct checkpoint *c, const char *path);

/* signals.c: takes back a pending signal that we caused ourselves (SIGPIPE, SIGXFSZ). */
uint64_t pending_signals(void);
uint64_t pending_for_thread(void);
/* Of a signal that is pending for the process: makes it wait for the calling thread. False: another was
 * faster. */
bool take_for_thread(int signal);
/* Puts one that has been taken back for the process to get. */
void queue_for_process(const siginfo_t *info);
bool is_handled(const struct kernel_sigaction *action);
/* Sets what becomes of SIGCHLD. One that waits, blocked, the kernel would drop where there is no handler. */
void set_child_action(const struct kernel_sigaction *action);
/* Drops a SIGCHLD that has come because somebody was traced. */
void drop_child_trap(void);
/* Adds the signals that wait for the calling thread alone, and those that wait for the process if asked to.
 */
long describe_pending(struct checkpoint *c, int32_t tid, bool process_too);
void drop_signal(int signal, uint64_t pending_before);

/* report.c */
long requester_connect(struct checkpoint *c, uint64_t cookie);
void report_progress(struct checkpoint *c, uint64_t bytes, uint64_t total);
void report_result(struct checkpoint *c);

/* timers.c: which threads take the control signal for that of a timer, now or any moment; before the freeze.
 */
long find_timer_threads(struct checkpoint *c);
bool is_timer_thread(const struct checkpoint *c, int32_t tid);

uint64_t now_ns(int clock);

#endif
