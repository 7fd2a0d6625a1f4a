/* Locks on files, from fdinfo. */
#include <errno.h>
#include <fcntl.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"

static void skip_word(const char **at) {
  while (**at && **at != ' ' && **at != '\n')
    (*at)++;
  text_skip_spaces(at);
}

/* "ADVISORY  WRITE 4711 fe:00:1234 0 EOF" */
static void take_range(struct ckpt_lock *lock, const char *at) {
  skip_word(&at);
  lock->exclusive = text_starts(at, "WRITE");
  skip_word(&at);
  skip_word(&at);
  skip_word(&at);
  lock->start = text_take_decimal(&at);
  text_skip_spaces(&at);
  if (*at != 'E')
    lock->length = text_take_decimal(&at) + 1 - lock->start;
}

/* Opening it once more, as is done for that, would break the lease. */
static bool is_carried(const struct checkpoint *c, uint32_t description) {
  const struct ckpt_description *d = (const struct ckpt_description *)c->descriptions.entries + description;
  const struct ckpt_file *file = (const struct ckpt_file *)c->files.entries + d->file - 1;
  return d->file && (file->flags & (CKPT_FILE_DELETED | CKPT_FILE_SHM) ||
                     file_is_asked_for(c, string_at(c, file->path)));
}

/* The rest of a line "lock:\t1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF" of fdinfo. */
static long add_lock(struct looking *l, uint32_t description, const char *at) {
  static const struct {
    const char *word;
    uint32_t kind;
  } kinds[] = {{"POSIX ", CKPT_LOCK_POSIX},
               {"FLOCK ", CKPT_LOCK_FLOCK},
               {"OFDLCK ", CKPT_LOCK_OFD},
               {"LEASE ", CKPT_LOCK_LEASE}};
  struct ckpt_lock lock = {.description = description};
  skip_word(&at);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (text_starts(at, kinds[i].word))
      lock.kind = kinds[i].kind;
  if (!lock.kind)
    return refuse(l, "under a delegation");
  skip_word(&at);
  if (lock.kind == CKPT_LOCK_LEASE && !text_starts(at, "ACTIVE"))
    return refuse(l, "under a lease that somebody waits for the end of");
  if (lock.kind == CKPT_LOCK_LEASE && is_carried(l->c, description))
    return refuse(l, "under a lease, which the image would have to break to carry the file");
  take_range(&lock, at);
  /* A POSIX lock belongs to the process and the file: every descriptor of the file shows it. */
  const struct ckpt_lock *locks = l->c->locks.entries;
  const struct ckpt_description *descriptions = l->c->descriptions.entries;
  for (size_t i = 0; i < l->c->locks.count && lock.kind == CKPT_LOCK_POSIX; i++)
    if (locks[i].kind == CKPT_LOCK_POSIX && locks[i].start == lock.start && locks[i].length == lock.length &&
        descriptions[locks[i].description].file == descriptions[description].file)
      return 0;
  struct ckpt_lock *entry = list_add(&l->c->arena, &l->c->locks, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = lock;
  return 0;
}

/* Behind the next "lock:" of a text of fdinfo, or null. */
static const char *next_lock(const char **at) {
  while (**at) {
    const char *found = text_starts(*at, "lock:\t") ? *at + 6 : NULL;
    while (**at && *(*at)++ != '\n')
      ;
    if (found)
      return found;
  }
  return NULL;
}

long add_locks(struct looking *l, uint32_t description) {
  const char *rest = l->info;
  long result = keep_locks(l);
  for (const char *at; result == 0 && (at = next_lock(&rest));)
    result = add_lock(l, description, at);
  return result;
}

/* ---- Keeping them ------------------------------------------------------------------------------------- */

/* Whoever closes any descriptor of a file loses its POSIX locks on it, and a checkpoint closes some: those
 * that were in flight, and its own on deleted files. */
struct own_lock {
  struct flock lock;
  int fd;
};

long keep_locks(struct looking *l) {
  const char *rest = l->info;
  for (const char *at; (at = next_lock(&rest));) {
    struct ckpt_lock lock = {0};
    skip_word(&at);
    if (!text_starts(at, "POSIX "))
      continue;
    skip_word(&at);
    take_range(&lock, at);
    struct own_lock *entry = list_add(&l->c->arena, &l->c->own_locks, sizeof *entry);
    if (!entry)
      return -ENOMEM;
    *entry = (struct own_lock){.fd = l->fd,
                               .lock = {.l_type = lock.exclusive ? F_WRLCK : F_RDLCK,
                                        .l_whence = SEEK_SET,
                                        .l_start = (off_t)lock.start,
                                        .l_len = (off_t)lock.length}};
  }
  return 0;
}

void take_locks_again(const struct checkpoint *c) {
  const struct own_lock *all = c->own_locks.entries;
  for (size_t i = 0; i < c->own_locks.count; i++)
    sys(SYS_(fcntl), all[i].fd, F_SETLK, &all[i].lock);
}
