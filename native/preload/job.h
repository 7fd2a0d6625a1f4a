/* A job: the process that was asked to save itself, which leads, and the members: its descendants, and those
 * who were such until their parent ended (orphans.c). All freeze before anything is written, and each writes
 * its own core into the image that the leader makes.
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

enum { SCRATCH = 256 << 10 }; /* of checkpoint.scratch */

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

/* member.c: the member's side of the same steps. */
long member_join(struct checkpoint *c);
long member_describe(struct checkpoint *c);
long member_store(struct checkpoint *c);
long member_written(struct checkpoint *c);

/* ignore.c */
/* Of so many entries of c->left_out, in bytes. */
size_t ignore_size(size_t count);
/* Has one of those this pipe open, to read (O_RDONLY) or to write? */
struct inode;
bool ignored_has(struct checkpoint *c, const struct inode *inode, uint32_t access);

/* offers.c */
void offers_make(struct checkpoint *c, struct offering *offering);
void offers_close(struct offering *offering);

#endif
