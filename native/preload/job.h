/* A job: the process that was asked to save itself, which leads, and the members: its descendants, and those
 * who were such until their parent ended (orphans.c). All freeze
 * before anything is written, and each writes its own core into the image that the leader makes.
 *
 * The leader asks a member as a requester asks it, by the control signal with a cookie. What follows goes
 * over the member's connection: the member reports JOINED (it stands still; with its open files), LISTED
 * (with what may change until all stand still, where there is such), DESCRIBED and DONE, or FAILED; in
 * between it waits for the leader's orders. When the leader is gone, the member goes on. */
#ifndef CKPT_JOB_H
#define CKPT_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint.h"
#include "thread.h"

/* One descriptor of one process, or one shared mapping: from these all members learn what is shared. */
struct open_file {
  uint64_t dev, ino;
  uint32_t process;   /* the leader is 0 */
  int32_t pid;        /* its id */
  int32_t fd;         /* -1: a mapping */
  uint32_t flags;     /* O_*; of a mapping PROT_* */
  uint32_t id;        /* the same for all that refer to one open file description; 0: only one process does */
  uint32_t outside;   /* there when the program was started: 1 + its number then; 0: not so */
  bool nameless;      /* no directory has it */
  bool tcp;           /* a TCP socket */
  bool unix_listener; /* a unix socket that listens */
  bool unix_end;      /* one that does not: descriptors may be in flight in it */
  bool master;        /* of a pseudoterminal */
  uint32_t terminal;  /* device of the pseudoterminal that it is a side of, or 0 */
  uint64_t start, end; /* of a mapping: in the file */
};

enum order_kind { ORDER_DESCRIBE = 1, ORDER_WRITE = 2, ORDER_CARRY_ON = 3, ORDER_END = 4, ORDER_LIST = 5 };

/* LIST and DESCRIBE come with a memfd that holds every process's open files, who is left out and TCP ends,
 * WRITE with the directory of the image and with what the parent offers. */
struct order {
  uint32_t size; /* of this struct: another version of libckpt may lead */
  uint32_t kind;
  uint32_t process;
  uint32_t process_count;
  int32_t leader;
  uint32_t has_children; /* DESCRIBE: in the job, to which it offers its memory */
  int32_t parent;        /* 0: an orphan; WRITE: whose memory is offered */
  uint32_t pad;
  uint64_t offers; /* WRITE: struct offering's list and count */
  uint64_t offer_count;
  uint64_t files; /* LIST, DESCRIBE: how many are in the memfd, in front of the TCP ends */
  uint64_t number;
  uint32_t stop_signal; /* DESCRIBE: what has stopped the member, or 0 */
  uint32_t pad_2;
  uint8_t id[16];
  char job_dir[CKPT_PATH_MAX];
  char temp_name[64];
  uint64_t left_out; /* LIST, DESCRIBE: how many are in the memfd, between the open files and the TCP ends */
};

enum stage {
  STAGE_NEW,      /* not asked yet */
  STAGE_STOPPING, /* about to be held by ptrace */
  STAGE_ASKED,    /* has the signal */
  STAGE_JOINING,  /* is connected */
  STAGE_JOINED,   /* stands still */
  STAGE_LISTED,
  STAGE_DESCRIBED,
  STAGE_DONE,
  STAGE_ENDED, /* it was gone before it could be asked */
};

struct member {
  int32_t pid;
  int32_t tid;    /* the thread that is asked */
  int32_t parent; /* 0: an orphan */
  uint32_t uid;   /* once it is connected */
  enum stage stage;
  int socket;        /* -1: not connected */
  uint32_t refusals; /* of ptrace */
  int carrier;       /* on its way, or 0 */
  struct known_call call;
  struct offering offering;
  /* It is stopped (SIGSTOP or ^Z): */
  struct held *held; /* its threads */
  size_t held_count;
  uint32_t stop_signal; /* 0: it is not */
  uint32_t stop_status; /* for our wait() to be told, 0: none */
};

enum { SCRATCH = 256 << 10 };

struct job {
  int listener;
  uint64_t cookie;
  struct list members;      /* struct member */
  struct offering offering; /* the leader's own */
};

/* job.c: in the leader. Each step waits until all members have come that far. */
long job_gather(struct checkpoint *c);
long job_wait_described(struct checkpoint *c);
long job_let_write(struct checkpoint *c);
long job_wait_written(struct checkpoint *c);
/* Lets all go on, or ends them. */
void job_end(struct checkpoint *c, enum order_kind kind);
bool job_has_descriptor(const struct checkpoint *c, int fd);
/* Has it members of other users than the leader's? */
bool job_has_others(const struct checkpoint *c);

/* ask.c: finding the children of a process and asking them. */
enum adding {
  ADD_CHILDREN,
  ADD_ORPHANS,         /* all children but this process */
  ADD_ORPHANS_WITH_ID, /* those with the job's id in their environment */
};
long job_add_children(struct checkpoint *c, int32_t pid, enum adding adding);
/* Brings a member on from NEW to ASKED; to be called again until it is. */
long job_ask(struct checkpoint *c, struct member *member);
void job_let_go(struct checkpoint *c, struct member *member);
/* One that has ended on the way, or whose exec has taken the request with it: in job.c. */
void job_ask_anew(struct member *member);
void job_name(int32_t pid, char name[32]);

/* carrier.c: the request by the id of a thread; and to one that is traced, by a signal that becomes it. */
long request_send(const struct checkpoint *c, const struct member *member, int signal);
/* Leaves member->carrier 0 when it blocks all that could carry the request. */
void carrier_send(const struct checkpoint *c, struct member *member);
bool carrier_has_come(const struct checkpoint *c, const struct member *member);
bool carrier_becomes_request(const struct checkpoint *c, const struct member *member);

/* orphans.c */
bool job_may_have_orphans(const struct checkpoint *c);
long job_add_orphans(struct checkpoint *c);
/* Who is whose parent now; 0: nobody of the job. */
void job_settle_parents(struct checkpoint *c);

/* hold.c: members that are stopped. ptrace lets their threads take part without an end of the stop. */
bool is_stopped(int32_t pid);
/* Takes hold of all threads: 1, 0: they are not all stopped yet or any more; else words why not. `is_new`: it
 * has not been asked, so who is in our handler is on the way out of an earlier checkpoint. */
long hold_all(struct checkpoint *c, struct member *member, bool is_new);
/* The same of those who were stopped once they stood still already, before they have come to this stage: 1:
 * some are, or are about to be; 0: none. */
long hold_late(struct checkpoint *c, enum stage stage);
/* To be called again and again: lets those go on who have been asked. */
void hold_give_up(const struct checkpoint *c, struct member *member);
void hold_look(const struct member *member);
void hold_look_at_all(const struct checkpoint *c);
bool hold_any(const struct checkpoint *c);
/* Before members are told to carry on, and after it: they leave the handler, and stop. */
void hold_before_thaw(const struct checkpoint *c);
void hold_after_thaw(const struct checkpoint *c);

/* member.c: the member's side of the same steps. */
long member_join(struct checkpoint *c);
long member_describe(struct checkpoint *c);
long member_store(struct checkpoint *c);
long member_written(struct checkpoint *c);

/* messages.c: packets, and descriptors that come along. Those that do not are -1. */
enum { MESSAGE_FDS = 3 };
struct passed {
  int fds[MESSAGE_FDS];
};
#define NOTHING_PASSED ((struct passed){{-1, -1, -1}})
long message_send(int socket, const void *packet, size_t size, struct passed passed);
/* Bytes, 0 at the end. */
long message_receive(int socket, void *packet, size_t size, struct passed *passed);
void passed_close(const struct passed *passed);

/* ignore.c */
/* In the leader: is this process to be left out, or a child of one that is? 1: from now on it is. */
long ignore_looks_at(struct checkpoint *c, int32_t pid, int32_t parent);
/* Finds the descendants of those, and refuses what must not go on while the others are saved. */
long ignore_finish(struct checkpoint *c);
/* Of so many entries of c->left_out, in bytes. */
size_t ignore_size(size_t count);
/* Has one of those this pipe open, to read (O_RDONLY) or to write? */
struct inode;
bool ignored_has(struct checkpoint *c, const struct inode *inode, uint32_t access);

/* offers.c */
void offers_make(struct checkpoint *c, struct offering *offering);
void offers_close(struct offering *offering);
/* In the leader: sends a member its order, and with WRITE what its parent offers. */
long offers_tell(struct checkpoint *c, const struct member *member, int fd);
void offers_withdraw(struct checkpoint *c);

/* open_files.c */
long open_files_list(struct checkpoint *c);
/* Gives an id to each description that more than one process has. */
long open_files_compare(struct checkpoint *c);
/* Open files, then who is left out, then TCP ends, in a memfd: the descriptor. */
long open_files_send(struct checkpoint *c);
/* Adds those of a member, that are `files` of them, from a memfd to the leader's; in a member (process 0)
 * puts the leader's in the place of all that it has. */
long open_files_receive(struct checkpoint *c, int fd, uint64_t files, uint32_t process);
/* Once all stand still: adds the calling process's TCP ends, and the descriptors in flight in its unix
 * sockets, where it is the one to look at them. */
long open_files_list_more(struct checkpoint *c);
/* Are there sockets from this place on at which all are to look once they stand still? */
bool open_files_have_ends(const struct checkpoint *c, size_t first);
/* The id of this process's descriptor, 0 when no other process shares it. */
uint32_t shared_id(const struct checkpoint *c, int fd);
/* Of those that share a description, or have an opening of this inode that can be read: is this process the
 * one that saves what waits in it? */
/* Has some process this inode open, of the kind that `fd` is? */
bool another_has(const struct checkpoint *c, int fd, uint64_t inode);
bool carries_shared(const struct checkpoint *c, uint32_t id);
bool carries_inode(const struct checkpoint *c, uint64_t dev, uint64_t ino);
/* Is it one of the job's processes that have something open? */
bool is_in_job(const struct checkpoint *c, int32_t pid);

/* in_flight.c: adds those in the unix sockets that it is the calling process's to look into, and has not
 * looked into before. */
long find_in_flight(struct checkpoint *c);

/* same_file.c */
struct file_of {
  int32_t pid;
  const struct open_file *file;
};
/* In the leader. 1: one open file description, 0: two; else words say of what it cannot be told. */
long is_same_file(struct checkpoint *c, const struct file_of *a, const struct file_of *b);

/* shared_maps.c */
/* Adds the calling process's shared mappings to its open files. */
long shared_maps_list(struct checkpoint *c);
/* Have processes before this one all of [start, end) of a file mapped? Then they save it. */
bool saved_before(const struct checkpoint *c, uint64_t dev, uint64_t ino, uint64_t start, uint64_t end);
/* Has one of them it mapped to be written? */
bool written_before(const struct checkpoint *c, uint64_t dev, uint64_t ino);
/* Has another process before `end` it open, without a name? Then that carries it. */
bool open_elsewhere(const struct checkpoint *c, uint64_t dev, uint64_t ino, uint32_t end);

#endif
