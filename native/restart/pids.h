/* The birth of the program's process, with the id that it had. */
#ifndef RESTART_PIDS_H
#define RESTART_PIDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "image.h"
#include "options.h"

struct birth {
  pid_t pid;         /* as restart sees it; 0 in the new process */
  bool own_user;     /* in a user namespace made for it */
  bool in_namespace; /* in a pid namespace made for it */
  bool own_clocks;   /* in a time namespace made for it */
};

/* As fork, but with this id (0: any); flags: CLONE_PARENT or none. */
pid_t clone_as(pid_t pid, uint64_t flags);
/* Returns twice, as fork does; -1 with a problem said. */
struct job;
int give_birth(const struct job *job, const struct options *options, struct birth *birth);

#endif
