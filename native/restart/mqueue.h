/* POSIX message queues. */
#ifndef RESTART_MQUEUE_H
#define RESTART_MQUEUE_H

#include "job.h"
#include "options.h"

/* Those that are there get the messages that they held, when nobody else has them: in restart, which nothing
 * ends meanwhile. 0, or -1 with a problem said. */
int queues_roll_back(const struct job *job, const struct options *options);

#endif
