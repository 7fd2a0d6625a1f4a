/* Describing System V semaphores and message queues. */
#ifndef CKPT_SYSV_DESCRIBE_H
#define CKPT_SYSV_DESCRIBE_H

#include "checkpoint.h"

/* Adds the one with this id, unless it is gone or known. */
typedef long sysv_add(struct checkpoint *c, int32_t id);
/* Does a line of /proc/sysvipc say that the process has used it last? */
enum { SYSV_COLUMNS = 10 };
typedef bool sysv_is_used(const struct checkpoint *c, const int64_t columns[SYSV_COLUMNS]);

sysv_add set_add, queue_add; /* sysv_sets.c, sysv_queues.c */
sysv_is_used set_is_used, queue_is_used;

/* Entries begin with their id. */
bool sysv_is_new(const struct list *list, size_t entry_size, int32_t id);

#endif
