/* A pid namespace of the program's own, where its process id is free. */
#ifndef RESTART_NAMESPACE_H
#define RESTART_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

bool has_capability(int capability);
/* Makes the namespaces; processes that are born from now on are in the pid namespace. *own_user is set when a
 * user namespace had to come along. 0, or -1 with a problem said. */
int namespace_enter(bool *own_user);
/* Its first process, for a program that is not that itself (process id `pid`, not 1): a small init, which
 * settles in it. 0, or -1 with a problem said. */
int namespace_start_init(pid_t pid, pid_t last_pid);
/* From inside: mounts /proc as its processes see it, and lets the kernel give out ids from the one after
 * `last_pid`, as it would have. What the program remembers, of children that have ended for instance, would
 * soon be somebody else's. */
void namespace_settle(pid_t last_pid);

#endif
