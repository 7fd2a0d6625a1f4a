/* Describing descriptors: what the files for each kind share. */
#ifndef CKPT_DESCRIBE_H
#define CKPT_DESCRIBE_H

#include <sys/stat.h>
#include <sys/statfs.h>

#include "checkpoint.h"
#include "core/proc.h"

/* One descriptor while it is being looked at. */
struct looking {
  struct checkpoint *c;
  int fd;
  char name[PROC_PATH_MAX]; /* what /proc/self/fd shows */
  char info[8192];          /* fdinfo */
  struct stat st;
  uint32_t flags; /* O_*, with O_CLOEXEC */
  uint64_t pos;
  struct list order; /* uint32_t, the descriptions by their open files */
  char *peeked;      /* room for what waits in sockets */
  uint8_t *records;  /* and for what waits in pseudoterminals */
};

/* Which inode each description has: what narrows the search for its duplicates. */
struct inode {
  uint64_t dev, ino;
  int fd; /* some descriptor of it */
};

/* same_file.c: what kcmp says of two descriptors (0: the same open file), or a negative errno. */
long compare_files(int32_t pid, int fd, int32_t other_pid, int other);
/* Have two descriptors of this process one open file? To be asked of such without O_ASYNC. */
bool share_signal(int a, int b);
/* Words about a descriptor that cannot be saved; always negative. */
long refuse(struct looking *l, const char *what);
/* outside.c: does it lead to something that was never the job's? 0, 1 and 2, and what the program was started
 * with. Then its number at the start, which is that of `restart`'s; else -1. */
int outside_number(int fd, uint64_t dev, uint64_t ino);
bool leads_outside(const struct looking *l);
/* Where what the program was started with is now, to find what a restarted process has instead. */
void forget_inherited(void);
void note_inherited(const struct looking *l);
bool is_the_jobs(const struct looking *l);
/* Has libckpt opened it for this checkpoint? */
bool is_own_descriptor(const struct checkpoint *c, int fd);
long describe_outside(const struct looking *l, struct ckpt_description *d);
uint32_t access_mode(uint32_t flags);
/* Files that say what the kernel knows: /proc, /sys. */
bool is_of_the_kernel(const struct statfs *fs);
/* Does this path lead to it? */
bool is_named(const struct stat *st, const char *path);
/* Fills in what /proc tells about l->fd. */
long look(struct looking *l);

/* ignore.c: has the process an opening of this inode, for reading or writing (S_IRUSR, S_IWUSR)? */
struct dir;
bool process_has_open(int32_t pid, struct dir *dir, const struct inode *inode, uint32_t modes);

/* The index of the open file that l->fd refers to, described when it is new. */
long find_description(struct looking *l, struct list *inodes);

/* Each kind: 0, or a negative errno with words. */
long describe_file(struct looking *l, struct ckpt_description *d);      /* files.c */
long describe_queue(struct looking *l, struct ckpt_description *d);     /* mqueue.c */
long describe_fifo(struct looking *l, struct ckpt_description *d);      /* pipes.c */
long describe_socket(struct looking *l, struct ckpt_description *d);    /* sockets.c */
long describe_anonymous(struct looking *l, struct ckpt_description *d); /* events.c */
long describe_terminal(struct looking *l, struct ckpt_description *d);  /* terminals.c */
bool is_terminal(const struct looking *l);                              /* terminals.c */

/* ptys.c: pseudoterminals whose masters the job has. */
long find_ptys(struct checkpoint *c, struct dir *dir);
long find_controlling(struct checkpoint *c);
bool is_own_pty(const struct checkpoint *c, uint32_t device);
/* The device of the slave, whichever side this is, or 0. */
uint32_t pty_of(int fd, bool *master);
long describe_pty(struct looking *l, struct ckpt_description *d, uint32_t device, bool master);
/* Is it a slave that no master knows any more? */
bool is_hung_up(const struct looking *l);
long describe_hung_up(struct looking *l, struct ckpt_description *d);
long describe_controlling(struct checkpoint *c);

long add_locks(struct looking *l, uint32_t description); /* locks.c */
/* Notes the POSIX locks that `look` has shown, for take_locks_again. */
long keep_locks(struct looking *l);

/* in_flight.c: was it peeked out of a socket? */
bool is_in_flight(const struct checkpoint *c, int fd);
/* And nobody has it open, this process having been looked at? */
bool is_only_in_flight(const struct checkpoint *c, int fd);
/* Those that the processes of a job have told each other. */
long describe_in_flight(struct looking *l, struct list *inodes);

/* What can be said only when all descriptors are known. */
long describe_sockets(struct looking *l, struct list *inodes);          /* sockets.c */
long describe_pipes(struct looking *l, const struct list *inodes);      /* pipes.c */
long describe_epoll_sets(struct looking *l, const struct list *inodes); /* epoll.c */
long describe_inotify(struct looking *l, const struct list *inodes);    /* inotify.c */

/* One that an epoll set has listed. */
struct watched {
  uint64_t dev, ino; /* the device as the kernel counts it */
  uint32_t turn;     /* how many others that had its number are listed before it */
  bool alone;        /* none is */
};
/* watched.c: what the epoll set l->fd watches under watch->fd: fills in where it is found. False with a
 * target: it could not be watched from here again. */
bool find_watched(const struct looking *l, const struct list *inodes, const struct watched *watched,
                  struct ckpt_watch *watch);

#endif
