/* ckpt.h: for programs that want to take part in their own checkpoints.
 *
 * Nothing needs to be linked: the symbols are weak and exist only in a process that runs under libckpt.so.
 *
 *     #include <ckpt.h>
 *
 *     if (ckpt_enabled && ckpt_enabled()) {
 *       int result = ckpt_checkpoint();
 *       if (result == 1)
 *         puts("restarted");
 *     }
 */
#ifndef CKPT_H
#define CKPT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CKPT_WEAK __attribute__((weak))
#else
#define CKPT_WEAK
#endif

/* 1 when this process can be checkpointed. The function itself is null without libckpt.so. */
int ckpt_enabled(void) CKPT_WEAK;

/* Writes a checkpoint now. Returns 0 once the image is on disk, 1 in a process that was restarted from it, or
 * a negative errno (nothing was written, the program is as it was): -EBUSY while another thread is in here,
 * or in a hook; -EAGAIN while checkpoints are deferred. */
int ckpt_checkpoint(void) CKPT_WEAK;

/* How many times this process has been restarted. */
unsigned ckpt_restarts(void) CKPT_WEAK;

/* No checkpoint is made from ckpt_defer() on until ckpt_allow() has been called as often, by whatever thread
 * of the process. A request that comes meanwhile waits, and the last ckpt_allow() carries it out before it
 * returns. ckpt_allow() returns 0, or -EINVAL when nothing is deferred. A child of fork() begins with its
 * parent's count. Both may be called in a signal handler, and in a hook. */
void ckpt_defer(void) CKPT_WEAK;
int ckpt_allow(void) CKPT_WEAK;

/* Functions to call around every checkpoint, any of which may be null:
 *   before     before anything is stopped; of the last that was registered first
 *   after      in the process that goes on, whether an image was made or not; in the order of registration
 *   restarted  in place of `after` in a restarted process, once all of its threads run
 * Other threads run meanwhile, so a hook may wait for what they hold. A program that is ended together with
 * its checkpoint (ckpt save --kill) sees no `after`.
 *
 * For ckpt_checkpoint() they are ordinary calls by its caller. For any other request they run INSIDE A SIGNAL
 * HANDLER of the thread that got it (the main thread, unless it blocks the signal), on a stack of libckpt's
 * of which 16 KiB are theirs, with all signals blocked and errno kept: only what signal-safety(7) lists may
 * be called there, no malloc, no stdio, and no lock that the interrupted code may hold. They must return.
 *
 * Of the functions in this file a hook may call ckpt_enabled, ckpt_restarts, ckpt_defer and ckpt_allow.
 * ckpt_checkpoint gives -EBUSY in every hook, the others -EDEADLK in one that runs inside a signal handler.
 *
 * Returns a positive number for ckpt_unhook(), or -ENOSPC when there are 32. Registrations stay in a
 * restarted process. Neither function may be called in a signal handler. */
int ckpt_hook(void (*before)(void *), void (*after)(void *), void (*restarted)(void *),
              void *argument) CKPT_WEAK;
/* 0, or -ENOENT. A checkpoint that has begun still calls the functions. */
int ckpt_unhook(int hook) CKPT_WEAK;

/* Leaves memory out of images: the pages that lie in it whole. In a restarted process they hold zeros, or
 * over a private file mapping what the file has there. It counts for the addresses, whatever is mapped there:
 * include memory again before it is freed. Returns 0, -EINVAL for an impossible range, or -ENOSPC when there
 * are 64 separate ranges. Neither function may be called in a signal handler. */
int ckpt_exclude(void *address, size_t length) CKPT_WEAK;
/* Takes that back for every page that the range touches. */
int ckpt_include(void *address, size_t length) CKPT_WEAK;

#ifdef __cplusplus
}
#endif

#endif
