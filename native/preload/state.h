/* What libckpt.so keeps between checkpoints. It does not change while an image is written, since it is
 * part of the image: everything that moves during a checkpoint lives in the arena. */
#ifndef CKPT_STATE_H
#define CKPT_STATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/control.h"
#include "part.h"
#include "sysv.h"

/* rip, rsp, rbx, rbp, r12-r15: entry.S knows the order. */
struct context {
  uint64_t rip, rsp, rbx, rbp, r12, r13, r14, r15;
};

/* The kernel's struct sigaction (libc's differs). */
struct kernel_sigaction {
  void *handler;
  uint64_t flags;
  void *restorer;
  uint64_t mask;
};

/* A pipe, socket or device that the program was started with: what it leads to was never the job's. */
struct inherited {
  int fd;  /* its number then */
  int now; /* that of one of its descriptors in the last checkpoint, or -1 */
  bool movable;
  uint64_t dev, ino;
};
enum { INHERITED_MOST = 64 };

enum { ALTERNATE_MOST = 1024 };

/* Who has which alternate signal stack (altstack.c). */
struct alternate {
  uint64_t stacks[ALTERNATE_MOST];
  bool shared; /* two threads have had the same: our signals come on the threads' own stacks */
};

struct state {
  int signal;          /* CKPT_SIGNAL; 0: the library never got ready */
  uint32_t timeout_ms; /* CKPT_TIMEOUT */
  bool force_pagemap;
  bool force_fcntl;        /* no kcmp */
  char dir[CKPT_PATH_MAX]; /* CKPT_DIR, absolute */
  char name[256];          /* CKPT_NAME, or empty for PROGRAM-PID */
  char program[256];
  char with_files[CKPT_PATTERNS_MAX]; /* CKPT_WITH_FILES */
  char ignore[CKPT_IGNORE_MAX];       /* CKPT_IGNORE */
  char job[64];                       /* CKPT_JOB=..., or empty */
  bool tcp_repair;                    /* CKPT_TCP=repair */
  bool born_in_freeze;                /* while another thread of the parent led a checkpoint (strays.c) */
  struct ckpt_resume resume;
  struct context context;
  uint32_t parked;   /* threads that stand in ckpt_park */
  uint32_t returned; /* of those, how many have come back there in a restarted process */
  uint32_t epoch;    /* parked threads wait for it to change */
  uint32_t restarts;
  struct inherited inherited[INHERITED_MOST];
  int inherited_count;
  struct parked *seats; /* for other threads to stand still on (seats.c), part of the image */
  uint32_t seat_count;
  long result; /* of the last request made by ckpt_checkpoint() */
  struct part part;
  siginfo_t late_info; /* for ckpt_look_late */
  struct sysv sysv;
  struct alternate alternate;
  bool others_interrupt; /* a handler without SA_RESTART, a libc's, has had our signals in between */
};

extern struct state ckpt_state;

/* Makes a thread park that waits for the control signal itself: libc's, for the signals of timers with
 * SIGEV_THREAD. libc lets nobody block this one either. */
#define CKPT_OTHER_SIGNAL 33

/* Installs ckpt_signal_entry. For these two, what was there before is called for libc's own uses of them. */
long ckpt_take_signal(int signal);
/* outside.c */
void remember_inherited(void);
void renew_inherited(void);
/* entry.S */
int ckpt_context_save(struct context *context) __attribute__((returns_twice));
void ckpt_signal_entry(int signal);
void ckpt_signal_return(void);

#endif
