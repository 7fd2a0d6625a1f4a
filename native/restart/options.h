/* What the command line asks for. */
#ifndef RESTART_OPTIONS_H
#define RESTART_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "moves.h"
#include "redirect.h"

enum pid_mode { PID_AUTO, PID_SAME, PID_NAMESPACE, PID_NEW };
enum files_mode { FILES_REWIND, FILES_KEEP, FILES_STRICT };
enum clocks_mode { CLOCKS_CONTINUE, CLOCKS_MACHINE };
enum tcp_mode { TCP_MODE_RESET, TCP_MODE_REFUSE, TCP_MODE_REPAIR };
/* Of several copies that somebody else starts: the first changes files outside, for all of them. */
enum copy_role { COPY_NONE, COPY_FIRST, COPY_FURTHER };

struct options {
  const char *image;
  const char
      *launch;      /* the directory of jobs where a program is started, rather than an image brought back */
  char **program;   /* and with what arguments */
  const char *name; /* null: further images go where this one is */
  enum pid_mode pids;
  enum files_mode files;
  enum clocks_mode clocks;
  enum tcp_mode tcp;
  struct moves moves;
  struct redirects redirects;
  bool check;
  bool detach;
  bool pty;    /* makes a terminal for the program */
  bool no_tty; /* lets it have none */
  bool stopped;
  uint32_t clone; /* how many copies; 0: the program itself */
  enum copy_role copy;
  bool any_owner;
  bool ignore_cpu;
  bool has_control;
  uint64_t control;
};

/* -1: go on; else the exit status (0 after --help and --version, 2 after a usage error). */
int options_parse(int argc, char **argv, struct options *options);

#endif
