/* semget, msgget, semop and semtimedop, interposed: they make the system call and note what nothing else
 * tells.
 *
 * The kernel does not know who made a set of semaphores or a queue, nor who has looked it up: it says only
 * who has used it last. And what it will undo when a process ends (SEM_UNDO), it shows to nobody. Without the
 * first a set that the program has made would be left behind, without the second a lock that is held in the
 * moment of a checkpoint would be given back twice.
 *
 * This runs in the program, in any thread, in its signal handlers, too: no locks. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/sem.h>

#include "core/sys.h"
#include "interpose.h"
#include "state.h"

EXPORT int semget(key_t key, int count, int flags);
EXPORT int msgget(key_t key, int flags);
EXPORT int semop(int id, struct sembuf *operations, size_t count);
EXPORT int semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout);

static void note_id(struct sysv_ids *ids, long id) {
  uint32_t wanted = (uint32_t)id + 1;
  for (uint32_t i = 0; i < SYSV_MOST; i++) {
    uint32_t there = __atomic_load_n(&ids->ids[i], __ATOMIC_RELAXED);
    if (there == 0)
      __atomic_compare_exchange_n(&ids->ids[i], &there, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (there == wanted || (there == 0 && ids->ids[i] == wanted))
      return;
  }
  ids->full = true;
}

int semget(key_t key, int count, int flags) {
  long id = sys(SYS_(semget), key, count, flags);
  if (id >= 0)
    note_id(&ckpt_state.sysv.sets, id);
  return result_of(id);
}

int msgget(key_t key, int flags) {
  long id = sys(SYS_(msgget), key, flags);
  if (id >= 0)
    note_id(&ckpt_state.sysv.queues, id);
  return result_of(id);
}

/* Of a bad address, or of more operations than the kernel takes, it shall speak itself. */
static bool has_undo(const struct sembuf *operations, size_t count) {
  enum { MOST = 500 };
  for (size_t i = 0; operations && i < count && count <= MOST; i++)
    if (operations[i].sem_flg & SEM_UNDO)
      return true;
  return false;
}

static struct undos *make_undos(void) {
  struct undos *undos = __atomic_load_n(&ckpt_state.sysv.undos, __ATOMIC_ACQUIRE);
  if (undos)
    return undos;
  size_t size = (sizeof *undos + CKPT_PAGE - 1) & ~(size_t)(CKPT_PAGE - 1);
  long at = sys(SYS_(mmap), 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096)
    return NULL;
  struct undos *made = (struct undos *)at;
  sys(SYS_(madvise), at, size, MADV_WIPEONFORK);
  if (__atomic_compare_exchange_n(&ckpt_state.sysv.undos, &undos, made, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE))
    return made;
  sys(SYS_(munmap), at, size);
  return undos;
}

/* Signals of ours that came in the few instructions between the call and the note wait until it is made. */
static void let_late_signals_come(uint64_t late) {
  sys(SYS_(rt_sigprocmask), SIG_UNBLOCK, &late, NULL, sizeof late);
}

int semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout) {
  struct semaphore_call call = {.id = id, .operations = operations, .count = count, .timeout = timeout};
  if (!has_undo(operations, count))
    return result_of(sys(SYS_(semtimedop), id, operations, count, timeout));
  call.undos = make_undos();
  if (!call.undos)
    return result_of(-ENOMEM);
  long result = ckpt_semaphore_call(&call);
  if (__atomic_load_n(&call.late, __ATOMIC_RELAXED))
    let_late_signals_come(call.late);
  return result_of(result);
}

int semop(int id, struct sembuf *operations, size_t count) {
  return semtimedop(id, operations, count, NULL);
}
