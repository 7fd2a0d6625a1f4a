/* Entries of processes in /proc (entries.c). */
#ifndef RESTART_ENTRIES_H
#define RESTART_ENTRIES_H

#include "child.h"

/* Is it one, of whichever process? `path` is the file's. */
bool entry_is_of_process(const struct ckpt_file *file, const char *path);
/* Of another process than the one that has it open, which may be gone by now? */
bool entry_is_foreign(const struct ckpt_file *file, const char *path);
/* Opens such a one, in the process that has it, once all are there: a descriptor of ours, or -1 with a
 * problem said.
 */
int entry_open(struct child *child, const struct ckpt_description *d);
/* The name that an entry which its own process calls "self" has for others: 0, or -1 when it is too long. */
int entry_name_owner(const char *path, pid_t owner, char name[PATH_MAX]);

#endif
