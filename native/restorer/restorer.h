/* The restorer: the last stretch of a restart, when restart's own memory is gone.
 *
 * It runs in the hole, on a stack in the hole, with all signals blocked, no libc and no TLS. Nothing here may
 * call into anything outside of it. */
#ifndef CKPT_RESTORER_H
#define CKPT_RESTORER_H

#include "core/sys.h"
#include "restorer/plan.h"

/* Tells restart what failed, and ends the process. */
__attribute__((noreturn)) void restorer_fail(struct plan *plan, uint32_t step, long error, uint64_t a,
                                             uint64_t b);

void restorer_move_vdso_away(struct plan *plan);
void restorer_unmap_rest(struct plan *plan);
void restorer_place_vdso(struct plan *plan);
void restorer_patch_vdso(struct plan *plan);

void restorer_map_regions(struct plan *plan);
void restorer_remove_segments(struct plan *plan);
void restorer_seal_files(struct plan *plan);
void restorer_finish_regions(struct plan *plan);
void restorer_read_pages(struct plan *plan);

void restorer_restore_mm(struct plan *plan);
void restorer_close_files(struct plan *plan);
void restorer_take_locks(struct plan *plan);
/* Once all threads are there. */
void restorer_ask_for_notifications(struct plan *plan);
void restorer_read_again(struct plan *plan);
void restorer_set_owners(struct plan *plan);
/* The id that a thread has now. */
int32_t restorer_id_now(const struct plan *plan, int32_t tid);
void restorer_restore_process(struct plan *plan);
void restorer_restore_credentials(struct plan *plan);
/* In a thread, once the kernel knows its list of them. */
void restorer_take_robust_locks(const struct ckpt_thread *thread);
void restorer_set_up_main_thread(struct plan *plan);
void restorer_start_threads(struct plan *plan);
/* Once all threads are there: a program may have set that limit below what it has by then. */
void restorer_limit_processes(struct plan *plan);
void restorer_let_threads_go(struct plan *plan);
/* What the main thread does in the end: most go on, one that had ended ends again. */
__attribute__((noreturn)) void restorer_go_on(const struct plan *plan);
/* Those that wait for the process and for the main thread. */
void restorer_queue_signals(struct plan *plan);
/* In a thread, once the timers run: takes the signals of those that are to have overruns. */
void restorer_take_overruns(const struct plan *plan, const struct ckpt_thread *thread);
void restorer_start_timers(struct plan *plan);

/* In entry.S. */
/* Starts a thread of this process that calls restorer_worker(plan, number) on the stack that ends at
 * stack_end, and zeroes *tid (waking a futex) when it is gone: its id, or a negative errno. */
long restorer_start_worker(uint64_t flags, uint8_t *stack_end, int32_t *tid, struct plan *plan,
                           uint64_t number);
__attribute__((noreturn)) void restorer_worker(struct plan *plan, uint64_t number);
/* clone3: the new thread calls restorer_thread(plan, number) on the stack in args. Its id, or a negative
 * errno. */
struct clone_args;
long restorer_start_thread(const struct clone_args *args, uint64_t size, struct plan *plan, uint64_t number);
__attribute__((noreturn)) void restorer_thread(struct plan *plan, uint64_t number);
/* Goes on where libckpt left off, in the program. */
__attribute__((noreturn)) void restorer_resume(const struct ckpt_thread *thread);
__attribute__((noreturn)) void restorer_main(struct plan *plan);

#endif
