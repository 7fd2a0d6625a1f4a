/* Sets of System V semaphores, with their values and what the kernel would undo when the process ends. */
#include <errno.h>
#include <sys/sem.h>

#include "core/sys.h"
#include "core/text.h"
#include "sysv_describe.h"

enum { SET_MOST = 65536 };

/* key semid perms nsems uid gid cuid cgid otime ctime: only those of one's own are looked into. */
bool set_is_used(const struct checkpoint *c, const int64_t columns[SYSV_COLUMNS]) {
  uint32_t uid = (uint32_t)sys(SYS_(geteuid));
  if (columns[4] != uid && columns[6] != uid)
    return false;
  for (int64_t i = 0; i < columns[3]; i++)
    if (sys(SYS_(semctl), columns[1], i, GETPID, 0) == c->process.pid)
      return true;
  return false;
}

static int32_t adjust_of(int id, uint16_t number) {
  const struct undos *undos = ckpt_state.sysv.undos;
  for (uint32_t i = 0; undos && i < UNDO_MOST; i++)
    if (undos->entries[i].key == undo_key(id, number))
      return undos->entries[i].adjust;
  return 0;
}

static long add_values(struct checkpoint *c, int32_t id, uint32_t count) {
  uint16_t *values = arena_take(&c->arena, count * sizeof *values);
  if (!values)
    return -ENOMEM;
  long result = sys(SYS_(semctl), id, 0, GETALL, values);
  for (uint32_t i = 0; i < count && result >= 0; i++) {
    struct ckpt_semaphore *entry = list_add(&c->arena, &c->semaphores, sizeof *entry);
    if (!entry)
      return -ENOMEM;
    *entry = (struct ckpt_semaphore){.value = values[i], .adjust = adjust_of(id, (uint16_t)i)};
  }
  return result;
}

long set_add(struct checkpoint *c, int32_t id) {
  struct semid_ds now;
  if (!sysv_is_new(&c->sets, sizeof(struct ckpt_set), id))
    return 0;
  long result = sys(SYS_(semctl), id, 0, IPC_STAT, &now);
  if (result == -EINVAL || result == -EIDRM)
    return 0; /* it has been removed */
  if (result >= 0 && (now.sem_nsems == 0 || now.sem_nsems > SET_MOST))
    result = -EINVAL;
  uint32_t first = (uint32_t)c->semaphores.count;
  if (result >= 0)
    result = add_values(c, id, (uint32_t)now.sem_nsems);
  if (result < 0)
    return fail(c, result, "System V semaphores %d (key 0x%x) cannot be read: %s", (int64_t)id,
                (uint64_t)(uint32_t)now.sem_perm.__key, text_errno(result));
  if (ckpt_state.sysv.undos && ckpt_state.sysv.undos->full)
    return fail(c, -EOPNOTSUPP, "it has used more than %d System V semaphores with SEM_UNDO",
                (int64_t)UNDO_MOST);
  struct ckpt_set *entry = list_add(&c->arena, &c->sets, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = (struct ckpt_set){
      .id = id,
      .key = now.sem_perm.__key,
      .mode = now.sem_perm.mode & 0777u,
      .uid = now.sem_perm.uid,
      .gid = now.sem_perm.gid,
      .first = first,
      .count = (uint32_t)now.sem_nsems,
  };
  return 0;
}
