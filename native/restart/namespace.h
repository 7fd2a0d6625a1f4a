/* A pid namespace of the program's own, where its process id is free. */
#ifndef RESTART_NAMESPACE_H
#define RESTART_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

bool has_capability(int capability);
/* Makes the namespaces; processes that are born from now on are in the pid namespace, of which the first is a
 * small init, unless the program is itself that first process (pid 1). *own_user is set when a user namespace
 * had to come along. 0, or -1 with a problem said. */
int namespace_enter(pid_t pid, bool *own_user);
/* Mounts /proc as the calling process's pid namespace sees it: 0 or a negative errno. */
int namespace_mount_proc(void);

#endif
