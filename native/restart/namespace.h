/* A pid namespace of the program's own, where its process id is free. */
#ifndef RESTART_NAMESPACE_H
#define RESTART_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

bool has_capability(int capability);
/* Makes the namespaces; processes that are born from now on are in the pid namespace. *own_user is set when a
 * user namespace had to come along. 0, or -1 with a problem said. */
int namespace_enter(bool *own_user);
/* Its first process, for a program that is not that itself (pid 1): a small init. 0, or -1 with a problem
 * said.
 */
int namespace_start_init(pid_t pid);
/* Mounts /proc as the calling process's pid namespace sees it: 0 or a negative errno. */
int namespace_mount_proc(void);

#endif
