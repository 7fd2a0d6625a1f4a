/* The members of a job, as its leader has them: finding and asking them, holding those that are stopped, and
 * talking with them. */
#ifndef CKPT_MEMBERS_H
#define CKPT_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "job.h"
#include "thread.h"

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
  uint32_t refusals; /* of ptrace, in a row */
  int carrier;       /* on its way, or 0 */
  struct known_call call;
  struct offering offering;
  /* It is stopped (SIGSTOP or ^Z): */
  struct held *held; /* its threads */
  size_t held_count;
  uint32_t stop_signal; /* 0: it is not */
  uint32_t stop_status; /* for our wait() to be told, 0: none */
  bool continued;       /* the same: that it goes on, since it is held */
};

struct job {
  int listener;
  uint64_t cookie;
  struct list members;      /* struct member */
  struct offering offering; /* the leader's own */
};

static inline size_t member_count(const struct checkpoint *c) {
  return c->job->members.count;
}

static inline struct member *member_at(const struct checkpoint *c, size_t i) {
  return (struct member *)c->job->members.entries + i;
}

/* join.c: all stand still then. */
long job_bring_all(struct checkpoint *c);

/* descendants.c */
/* The main thread, or another when that has ended; 0: the process is gone. */
int32_t living_thread(int32_t pid);
enum adding {
  ADD_CHILDREN,
  ADD_ORPHANS,         /* all children but this process */
  ADD_ORPHANS_WITH_ID, /* those with the job's id in their environment */
};
long job_add_children(struct checkpoint *c, int32_t pid, enum adding adding);

/* obstacles.c: words, or null. */
/* Why it will never load libckpt. */
const char *find_obstacle(struct checkpoint *c, int32_t pid, bool handles_signal);
/* What it is in that the leader is not. */
const char *find_other_world(int32_t pid, bool of_thread);
/* apart.c: a thread that has something of its own; a process that has something in common with its parent. */
long refuse_threads_apart(struct checkpoint *c);
long refuse_in_common(struct checkpoint *c);

/* ask.c */
/* Brings a member on from NEW to ASKED; to be called again until it is. */
long job_ask(struct checkpoint *c, struct member *member);
void job_let_go(struct checkpoint *c, struct member *member);

/* carrier.c: the request by the id of a thread; and to one that is traced, by a signal that becomes it. */
long request_send(const struct checkpoint *c, const struct member *member, int signal);
/* False when the member blocks all that could carry the request. Leaves member->carrier 0 also when another
 * thread's exec has ended the one that is traced. */
bool carrier_send(const struct checkpoint *c, struct member *member);
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
/* Once all stand still: who has been continued since it is held is stopped no more. */
void hold_settle(const struct checkpoint *c);
/* To be called again and again: lets those go on who have been asked. */
void hold_give_up(const struct checkpoint *c, struct member *member);
void hold_look(const struct member *member);
void hold_look_at_all(const struct checkpoint *c);
bool hold_any(const struct checkpoint *c);
/* Before members are told to carry on, and after it: they leave the handler, and stop. */
void hold_before_thaw(const struct checkpoint *c);
void hold_after_thaw(const struct checkpoint *c);

/* quiet.c: that members stop while they are held is nothing that the program should hear of. One that has
 * really been stopped, or been continued, meanwhile is. */
struct quiet {
  struct kernel_sigaction action;
  bool hears; /* of stops */
  bool was_pending, was_stopped, was_continued;
};
long quiet_begin(const struct checkpoint *c, struct quiet *quiet);
void quiet_end(const struct checkpoint *c, const struct quiet *quiet);

/* talk.c */
enum { LOOK_MS = 1 }; /* until a member that is not there yet is looked at again */
long job_make_listener(struct checkpoint *c);
/* Waits until somebody has something to say, and listens; without a limit (-1) or this many ms. 1: somebody
 * had, 0: nobody. */
long job_listen(struct checkpoint *c, enum stage wanted, int limit);
bool job_all_are(const struct checkpoint *c, enum stage stage);
long job_wait_for_all(struct checkpoint *c, enum stage stage);
long job_tell_all(struct checkpoint *c, enum order_kind kind, int fd);
/* One that has ended on the way, or whose exec has taken the request with it. */
void job_ask_anew(struct member *member);
/* fail(), with the words about this member. */
long job_fail_for(struct checkpoint *c, const struct member *member, long error, const char *words);

/* ignore.c */
/* In the leader: is this process to be left out, or a child of one that is? 1: from now on it is. */
long ignore_looks_at(struct checkpoint *c, int32_t pid, int32_t parent);
/* Finds the descendants of those, and refuses what must not go on while the others are saved. */
long ignore_finish(struct checkpoint *c);

/* offers.c */
/* In the leader: sends a member its order, and with WRITE what its parent offers. */
long offers_tell(struct checkpoint *c, const struct member *member, int fd);
void offers_withdraw(struct checkpoint *c);

#endif
