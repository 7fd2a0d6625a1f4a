/* The control protocol: how a requester asks a process that runs under libckpt.so for something.
 *
 * The requester listens on the abstract unix socket (SOCK_SEQPACKET) CKPT_CONTROL_NAME with a random
 * 64-bit cookie, and queues CKPT_CONTROL_SIGNAL to the process's main thread (rt_tgsigqueueinfo, si_code
 * CKPT_CONTROL_CODE, si_value = cookie). libckpt's handler connects back; each side checks the other's uid by
 * SO_PEERCRED (root listens as the process's own user, since a user namespace may not know root). The
 * requester sends one struct ckpt_request; the handler answers with any number of CKPT_REPORT_PROGRESS and
 * then one CKPT_REPORT_DONE or CKPT_REPORT_FAILED, and closes.
 *
 * The signal is 32: libc does not let a program block it, glibc takes it only in pthread_cancel (33 is
 * taken over by the first pthread_create). A glibc handler that gets one of ours does nothing.
 */
#ifndef CKPT_FORMAT_CONTROL_H
#define CKPT_FORMAT_CONTROL_H

#include <stdint.h>

#define CKPT_CONTROL_SIGNAL 32
/* Its si_code. A signal that waits for a thread outlives the thread's exec, and would end the new program,
 * which has no handler yet; but what timers have sent goes with the old one, and this is all that the kernel
 * looks at. */
#define CKPT_CONTROL_CODE SI_TIMER
#define CKPT_CONTROL_NAME "ckpt-%016llx" /* after the leading zero byte */
#define CKPT_CONTROL_VERSION 1

/* In a restarted process libckpt is memory without a name, and a program may have written over its
 * environment (to show a title). What tells the process from others is the value beside AT_NULL at the end of
 * its auxiliary vector in /proc, which restart sets, a fork passes on, exec takes away and nobody else reads.
 */
#define CKPT_AUXV_MARK 0x74706b63 /* "ckpt" */

enum ckpt_request_op {
  CKPT_REQUEST_CHECKPOINT = 1,
  CKPT_REQUEST_JOIN = 2, /* from the process that leads the checkpoint of a job: native/preload/job.h */
};

enum ckpt_request_flag {
  CKPT_REQUEST_KILL =
      1u << 0, /* the process kills itself once the image is on disk: nothing runs on past it */
  CKPT_REQUEST_TCP_REPAIR = 1u << 1, /* the image holds TCP connections to the outside, as with
                                        CKPT_TCP=repair */
};

#define CKPT_PATTERNS_MAX 1024
#define CKPT_IGNORE_MAX 1024
struct ckpt_request {
  uint32_t size;
  uint32_t version;
  uint32_t op;
  uint32_t flags;
  uint32_t timeout_ms;           /* for what has to be waited for; 0: the program's own, CKPT_TIMEOUT */
  char files[CKPT_PATTERNS_MAX]; /* of which open files the contents are carried, as in CKPT_WITH_FILES;
                                    empty: as that says */
  /* The system call that the main thread was in just before the signal, as /proc/PID/syscall tells it. */
  uint32_t call_known; /* 0: nobody has looked */
  uint32_t call_number;
  uint64_t call_rip;
  uint64_t call_rsp;
  uint32_t stop_signal; /* the process is stopped by it, and held by whoever asks, who closes the connection
                           to let it leave its handler; 0: it is not stopped */
  uint32_t pad;
  char ignore[CKPT_IGNORE_MAX]; /* which descendants are left out, as in CKPT_IGNORE; empty: as that says */
};

enum ckpt_report_kind {
  CKPT_REPORT_PROGRESS = 1,
  CKPT_REPORT_DONE = 2,
  CKPT_REPORT_FAILED = 3,
  CKPT_REPORT_JOINED = 4, /* these three are for the leader of a job */
  CKPT_REPORT_DESCRIBED = 5,
  CKPT_REPORT_LISTED = 6,
  CKPT_REPORT_READY = 7, /* of restart: a copy would run; it waits for one byte before it does */
};

struct ckpt_report {
  uint32_t size;
  uint32_t version;
  uint32_t kind;
  int32_t error;     /* FAILED: negative errno */
  uint64_t number;   /* DONE: as in 000001.ckpt; DESCRIBED: where its offers are (preload/inherit.h) */
  uint64_t bytes;    /* PROGRESS: memory written so far; DONE: size of the image */
  uint64_t total;    /* PROGRESS: memory to write, at the most; DESCRIBED: how many offers */
  uint64_t pause_ns; /* DONE: how long the program stood still */
  uint64_t total_ns; /* DONE: from the request to the image on disk */
  char text[4096];   /* DONE: path of the image; FAILED: what went wrong, in words */
};

/* What restart leaves for libckpt in the restored process, at ckpt_process.resume. */
#define CKPT_PATH_MAX 4096
struct ckpt_resume {
  uint32_t size;
  uint32_t restarted;  /* set to 1: the flag that tells the two returns apart */
  uint64_t hole_start; /* the restorer's own mapping, for libckpt to unmap */
  uint64_t hole_end;
  char job_dir[CKPT_PATH_MAX]; /* absolute: where further images go */
  uint64_t cpus[16];           /* that the process was started with, by libckpt at first; size tells of it */
  uint32_t main_lives;         /* 1 until the main thread has ended, where that comes before the others' end;
                                  the kernel clears it */
  uint32_t stop_signal;        /* to stop itself by; 0: it runs on */
  uint64_t stopped;            /* address of struct ckpt_stopped [], in the hole: children to wait for */
  uint32_t stopped_count;
  uint32_t quiet; /* 1: SIGCHLD has got SA_NOCLDSTOP until those are stopped */
  int32_t root;   /* id of the process that is the root of its job; another's memory may say the same */
  int32_t reaper; /* of a restarted one: who gets the job's orphans */
};

/* A child that stops itself. */
struct ckpt_stopped {
  int32_t pid;
  uint32_t told; /* 1: the program has heard of it before */
};

#endif
