/* What a thread has besides its memory. The thread itself collects it, when it parks. */
#ifndef CKPT_THREAD_H
#define CKPT_THREAD_H

#include "checkpoint.h"

struct thread_note {
  struct ckpt_thread thread;
  const ucontext_t *frame;
};

/* What a thread needs when it leaves; on its own stack, which is part of the image. */
struct leaving {
  ucontext_t *frame; /* of a wait that was put back in front of its system call, or null */
  greg_t rdi, rdx, rip;
  bool made_again; /* the kernel itself has put it back: only a handler without SA_RESTART ends it */
  uint64_t rseq_area;
  uint32_t rseq_size; /* 0: not registered */
};

/* The number of the system call that the thread was in when it was signalled, if anybody knows. */
struct known_call {
  bool known;
  uint32_t number;
  uint64_t rip, rsp;
  uint64_t first; /* argument */
};

/* From /proc/PID/task/TID/syscall: "NUMBER 0xARG*6 0xSP 0xPC" when it is in a system call. */
void known_call_parse(struct known_call *call, const char *line);

/* interrupted.c: puts a wait that our signal has ended back in front of its system call; and makes it end
 * after all when a signal of the program's own has come meanwhile. */
void leave_kernel(struct leaving *leaving, ucontext_t *frame, const struct known_call *call);
void enter_kernel(const struct leaving *leaving);

/* Puts a wait that our signal has ended back in front of its system call, and unregisters rseq: while that is
 * registered the kernel writes to the thread's memory whenever it likes. */
void thread_enter(struct leaving *leaving, ucontext_t *frame, const struct known_call *call);
/* Registers rseq again. */
void thread_register(struct leaving *leaving);
/* The last thing before the program goes on. A wait ends after all when a signal of the program's own has
 * come meanwhile: its handler runs before the call is made again, and nothing would end that. */
void thread_leave(struct leaving *leaving);

/* For a signal that leads to no checkpoint: the wait that it has ended goes on. */
void thread_pass_by(ucontext_t *frame, const struct known_call *call);

long thread_describe(struct thread_note *note, const ucontext_t *frame, const struct context *context);

#endif
