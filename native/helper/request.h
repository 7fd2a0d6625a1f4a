/* A process that is asked, and the process of our own that does it: ptrace belongs to a thread, and no wait()
 * of this process must ever see the stops. */
#ifndef CKPT_HELPER_REQUEST_H
#define CKPT_HELPER_REQUEST_H

#include <stdint.h>
#include <sys/types.h>

struct target {
  pid_t pid, tid;
  uint64_t cookie;
  uint64_t retake;  /* address of ckpt_retake() in there, or 0 */
  uint64_t library; /* where libckpt.so begins then */
  int32_t result;
};

/* The main thread, or one that lives when that has ended; 0: none. */
pid_t target_choose_thread(pid_t pid);
/* The request, to that thread by its id. */
int32_t target_queue(const struct target *target);
/* Runs a function as a process that shares our memory and files, until that has set target->result. */
int32_t target_run(struct target *target, int (*function)(void *), void *argument);

#endif
