/* libckpt_helper.so: what the TypeScript side calls through FFI, because Deno has no words for it.
 *
 * Every function returns 0 or more, or a negative errno. Those that may block say so: they are to be
 * called from a thread of their own. */
#ifndef CKPT_HELPER_H
#define CKPT_HELPER_H

#include <stdint.h>

#define CKPT_HELPER_API __attribute__((visibility("default")))

/* Listens on the control socket of a fresh random cookie, which goes to *cookie; as user `uid` where that is
 * allowed (-1: as who calls). Returns the socket. */
CKPT_HELPER_API int32_t ckpt_helper_listen(uint64_t *cookie, uint32_t uid);

/* Waits up to `timeout_ms` (negative: for ever) for process `pid`, running as `uid`, to connect; a
 * connection of anyone else is dropped. Blocks. `pidfd` is that process: -ESRCH when it ends first,
 * -ETIMEDOUT when the time is up, -EINVAL when the listener has been shut down. Returns the connection. */
CKPT_HELPER_API int32_t ckpt_helper_accept(int32_t listener, int32_t pidfd, int32_t pid, uint32_t uid,
                                           int32_t timeout_ms);

/* Sends one message whole. */
CKPT_HELPER_API int32_t ckpt_helper_send(int32_t connection, const void *message, uint32_t size);

/* Receives one message of at most `size` bytes and returns its length, 0 once the other side has closed.
 * Blocks, up to `timeout_ms` (negative: for ever): -ETIMEDOUT. */
CKPT_HELPER_API int32_t ckpt_helper_receive(int32_t connection, void *message, uint32_t size,
                                            int32_t timeout_ms);

/* Closes a descriptor that one of these functions returned. */
CKPT_HELPER_API int32_t ckpt_helper_close(int32_t fd);

/* A descriptor of a process, which no later process with the same id can be mistaken for. */
CKPT_HELPER_API int32_t ckpt_helper_open_process(int32_t pid);

/* Queues the control signal with `cookie` to the main thread of the process that `pidfd` refers to, or to
 * another when that has ended. Nothing is done while one is waiting there. -EAGAIN: it has no handler for it
 * at present. `retake`: 0, or
 * the address of its ckpt_retake(), which is to take the signal back from libc, while its libckpt.so begins
 * at `library`. Blocks for half a second when the thread cannot be stopped. */
CKPT_HELPER_API int32_t ckpt_helper_request(int32_t pidfd, int32_t pid, uint64_t cookie, uint64_t retake,
                                            uint64_t library);

/* Holds a stopped process (core/held.h) while it is saved, and asks it as ckpt_helper_request() does. `words`
 * are shared: the first is a ckpt_helper_hold_state; the second gets the signal that has stopped the process,
 * before it is asked; the third is the connection, or -1, which it closes when the state has become ENDS,
 * or this process has ended. When it ends before that, it shuts the listener down. -EAGAIN: the process is
 * not stopped any more, or as yet, or runs no program with a handler; -EPERM: it may not be traced; -EBUSY:
 * it has left its handler without a word. Blocks. */
enum ckpt_helper_hold_state { HOLD_BEGINS = 0, HOLD_CONNECTED = 1, HOLD_ENDS = 2 };
CKPT_HELPER_API int32_t ckpt_helper_hold(int32_t pid, int32_t listener, uint64_t cookie, int32_t *words);

/* Sends an ordinary signal. */
CKPT_HELPER_API int32_t ckpt_helper_kill(int32_t pidfd, int32_t signal);

/* Waits until the process has ended (returns 1) or until `event` was signalled (returns 0). Blocks. */
CKPT_HELPER_API int32_t ckpt_helper_wait(int32_t pidfd, int32_t event);

/* An event that ends ckpt_helper_wait(), and signalling it. */
CKPT_HELPER_API int32_t ckpt_helper_event(void);
CKPT_HELPER_API int32_t ckpt_helper_signal_event(int32_t event);

/* Fills `sums` with the checksum of each `chunk` bytes (a multiple of 4096) of the file at `path` from
 * `offset` on, the last one short. Returns how many there are, -EIO when the file is too short, -ENOSPC
 * when there are more than `most`. Blocks. */
CKPT_HELPER_API int32_t ckpt_helper_checksums(const char *path, uint64_t offset, uint64_t size,
                                              uint32_t chunk, uint32_t *sums, uint32_t most);

/* Writes the layout of every struct of the format as JSON, without a final zero byte:
 * {"ckpt_image":{"size":N,"fields":{"id":[offset,size],...}},...}. Returns the length, or -ENOSPC. */
CKPT_HELPER_API int32_t ckpt_helper_layout(char *buffer, uint32_t size);

/* What the kernel lets this user do. Each returns 1 when it works and a negative errno when it does not. */
CKPT_HELPER_API int32_t ckpt_helper_probe_pagemap_scan(void);
CKPT_HELPER_API int32_t ckpt_helper_probe_userfaultfd(void);
CKPT_HELPER_API int32_t ckpt_helper_probe_set_mm(void);
/* A process with an id of one's own choice. Blocks. */
CKPT_HELPER_API int32_t ckpt_helper_probe_set_tid(void);
/* A user, process and mount namespace; and a /proc of its own in there. Block. */
CKPT_HELPER_API int32_t ckpt_helper_probe_namespace(void);
CKPT_HELPER_API int32_t ckpt_helper_probe_namespace_proc(void);
/* A time namespace, in a user namespace where it must be. Blocks. */
CKPT_HELPER_API int32_t ckpt_helper_probe_clocks(void);
/* Repair mode of TCP sockets. */
CKPT_HELPER_API int32_t ckpt_helper_probe_repair(void);

#endif
