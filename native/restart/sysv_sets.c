/* Sets of System V semaphores. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>

#include "say.h"
#include "sysv.h"

union semun {
  int number;
  struct semid_ds *set;
  unsigned short *values;
};

static const char *set_name(const struct ckpt_set *set) {
  static char name[64];
  snprintf(name, sizeof name, "System V semaphores %d (key 0x%x)", set->id, (unsigned)set->key);
  return name;
}

/* Who has changed one of them last, and lives, or waits for one: 0 for nobody, -1 when that is not known by
 * id. */
static pid_t find_user(const struct ckpt_set *set) {
  for (uint32_t i = 0; i < set->count; i++) {
    pid_t pid = semctl(set->id, (int)i, GETPID);
    if (sysv_is_alive(pid))
      return pid;
    if (semctl(set->id, (int)i, GETNCNT) > 0 || semctl(set->id, (int)i, GETZCNT) > 0)
      return -1;
  }
  return 0;
}

static int compare(const struct image *image, const struct ckpt_set *set) {
  unsigned short *now = calloc(set->count, sizeof *now);
  if (!now)
    return say_problem("not enough memory");
  int result = semctl(set->id, 0, GETALL, (union semun){.values = now}) < 0 ? -errno : SYSV_SAME;
  for (uint32_t i = 0; i < set->count && result == SYSV_SAME; i++)
    if (now[i] != image->semaphores[set->first + i].value)
      result = SYSV_OTHER;
  free(now);
  return result < 0 ? say_problem("%s cannot be read: %s", set_name(set), strerror(-result)) : result;
}

int set_find(const struct image *image, const struct ckpt_set *set) {
  struct semid_ds now;
  bool there = sysv_may_be_there(image, set->key) &&
               semctl(set->id, 0, IPC_STAT, (union semun){.set = &now}) == 0 && now.sem_nsems == set->count &&
               now.sem_perm.__key == set->key;
  int other = there || set->key == IPC_PRIVATE ? -1 : semget(set->key, 0, 0);
  if (other >= 0)
    return say_problem("%s cannot be made again: set %d has that key; ipcrm -s %d removes it", set_name(set),
                       other, other);
  int found = there ? compare(image, set) : SYSV_GONE;
  pid_t user = found == SYSV_OTHER ? find_user(set) : 0;
  if (user > 0)
    return say_problem("%s are in use by process %d: stop that first, so that their values can be put back",
                       set_name(set), user);
  if (user < 0)
    return say_problem("another process waits for %s: stop that first, so that their values can be put back",
                       set_name(set));
  return found;
}

static int make(const void *what) {
  const struct ckpt_set *set = what;
  int id = semget(set->key, (int)set->count, IPC_CREAT | IPC_EXCL | (int)(set->mode | 0600));
  return id < 0 ? -errno : id;
}

static void remove_one(int id) {
  semctl(id, 0, IPC_RMID);
}

int set_make(const struct ckpt_set *set) {
  const struct sysv_maker maker = {"/proc/sys/kernel/sem_next_id", make, remove_one, set};
  int id = sysv_make_with_id(&maker, set->id);
  if (id == -EBUSY)
    return say_problem("%s cannot be made again: their id is not to be had; choosing one needs root or "
                       "CAP_CHECKPOINT_RESTORE",
                       set_name(set));
  return id < 0 ? say_problem("%s cannot be made again: %s", set_name(set), strerror(-id)) : 0;
}

int set_fill(const struct image *image, const struct ckpt_set *set) {
  struct semid_ds now;
  unsigned short *values = calloc(set->count, sizeof *values);
  if (!values)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < set->count; i++)
    values[i] = (unsigned short)image->semaphores[set->first + i].value;
  int result = semctl(set->id, 0, SETALL, (union semun){.values = values}) < 0 ? -errno : 0;
  free(values);
  if (result == 0 && semctl(set->id, 0, IPC_STAT, (union semun){.set = &now}) < 0)
    result = -errno;
  if (result == 0 && (now.sem_perm.uid != set->uid || now.sem_perm.gid != set->gid ||
                      (now.sem_perm.mode & 0777) != set->mode)) {
    now.sem_perm.uid = set->uid;
    now.sem_perm.gid = set->gid;
    now.sem_perm.mode = (unsigned short)set->mode;
    result = semctl(set->id, 0, IPC_SET, (union semun){.set = &now}) < 0 ? -errno : 0;
  }
  return result < 0 ? say_problem("%s cannot be put back: %s", set_name(set), strerror(-result)) : 0;
}

/* Both at once: the value stays, and the kernel remembers the second. */
static int adjust(const struct ckpt_set *set, uint32_t number, int32_t by) {
  struct sembuf first = {.sem_num = (unsigned short)number, .sem_op = (short)by};
  struct sembuf second = {.sem_num = (unsigned short)number, .sem_op = (short)-by, .sem_flg = SEM_UNDO};
  struct sembuf both[2] = {by > 0 ? first : second, by > 0 ? second : first};
  both[0].sem_flg |= IPC_NOWAIT;
  both[1].sem_flg |= IPC_NOWAIT;
  return semop(set->id, both, 2) == 0 ? 0
                                      : say_problem("what the kernel is to undo to %s cannot be put back: %s",
                                                    set_name(set), strerror(errno));
}

int sysv_adjust(const struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->sets_count; i++)
    for (uint32_t j = 0; j < image->sets[i].count; j++) {
      int32_t by = image->semaphores[image->sets[i].first + j].adjust;
      if (by && adjust(&image->sets[i], j, by) < 0)
        return -1;
    }
  return 0;
}
