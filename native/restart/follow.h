/* The parent's side: from the birth of the new process to the end of the program. */
#ifndef RESTART_FOLLOW_H
#define RESTART_FOLLOW_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "hold.h"
#include "image.h"
#include "terminal.h"

/* Blocks every signal, to be looked at when there is time; the new process inherits that. */
void follow_block_signals(void);

enum follow_result { FOLLOW_ON, FOLLOW_FAILED, FOLLOW_CANCELLED };

/* What is followed: the processes of a job while they come up. */
struct following {
  const struct image *images;
  int *sockets; /* to each process; -1 once it runs */
  uint32_t count;
  pid_t pid; /* of the root */
};

/* Until all are born, or ready (enum plan_news_kind). FAILED: with a problem said; CANCELLED: by the signal
 * that *signal names. Either way they are gone. */
enum follow_result follow_until(const struct following *f, uint32_t news, int *signal);
/* Lets all go on. */
enum follow_result follow_go(const struct following *f);
/* ON once they run. */
enum follow_result follow_start(const struct following *f);
/* The same for those whom follow_go has let go already. */
enum follow_result follow_started(const struct following *f);
void follow_kill(pid_t pid);
/* APART: in another process group than restart; NEAR: in its own, so that the terminal signals both; ALONE:
 * nobody waits for restart, or stops it. */
enum follow_place { FOLLOW_APART, FOLLOW_NEAR, FOLLOW_ALONE };

/* Passes signals on until the program has ended: its exit status, 128 + N when signal N has killed it. */
int follow_to_end(pid_t pid, enum follow_place place, const struct terminal *terminal, struct held *held);

#endif
