/* System calls that wait, and what becomes of the wait when a handler runs. */
#ifndef CKPT_WAITS_H
#define CKPT_WAITS_H

#include <stdbool.h>
#include <stdint.h>

/* A handler makes the kernel end these with EINTR even under SA_RESTART; all others it restarts by itself. */
bool wait_ends_with_eintr(uint32_t number);
/* These the kernel makes again by itself after a handler that asks for it (SA_RESTART). */
bool wait_is_made_again(uint32_t number);

#endif
