/* --stopped: the program stops before its first own instruction. */
#ifndef RESTART_HOLD_H
#define RESTART_HOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct held_thread {
  pid_t tid;
  bool returns; /* from libckpt's signal handler */
};

struct held {
  struct held_thread *threads;
  uint32_t thread_count;
  int *processes; /* a pidfd of each but the root */
  uint32_t process_count;
  pid_t root;
};

/* Takes hold of all threads of the root and its descendants, which wait to be let go. `proc`: a descriptor of
 * /proc. 0, or -1 with a problem said. */
int hold_begin(struct held *held, int proc, pid_t root);
/* Lets them come to where the program goes on, and no further. */
void hold_follow(struct held *held);
/* From now on they are stopped as by SIGSTOP: returns once the root is. */
void hold_stop(struct held *held);
/* Instead, when the program does not come to life. */
void hold_kill(struct held *held);
/* The root goes on: the others do, too. */
void hold_release(struct held *held);

#endif
