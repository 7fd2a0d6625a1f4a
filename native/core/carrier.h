/* What carries a request to a traced thread. Another thread may call exec at any moment, which ends the one
 * that stands still and gives its id to the new program, and that has no handler yet. So what is sent to the
 * id is a signal that does nothing there; when this very thread is about to get it, it becomes the request.
 */
#ifndef CKPT_CARRIER_H
#define CKPT_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

/* Is the thread of this status text traced still? Who has taken its id is not. */
bool carrier_is_traced(const char *status);
/* A signal that a thread which we trace does not block. 0: it blocks all that could carry the request.
 * -EAGAIN: it has ended. */
int carrier_choose(int32_t tid);

#endif
