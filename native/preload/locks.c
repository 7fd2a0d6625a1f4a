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
  skip_word(&at);
  lock.exclusive = text_starts(at, "WRITE");
  skip_word(&at);
  skip_word(&at);
  skip_word(&at);
  lock.start = text_take_decimal(&at);
  text_skip_spaces(&at);
  if (*at != 'E')
    lock.length = text_take_decimal(&at) + 1 - lock.start;
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

long add_locks(struct looking *l, uint32_t description) {
  long result = 0;
  for (const char *at = l->info; *at && result == 0;) {
    if (text_starts(at, "lock:\t"))
      result = add_lock(l, description, at + 6);
    while (*at && *at++ != '\n')
      ;
  }
  return result;
}

/* Whoever closes any descriptor of a file loses its POSIX locks on it, and a checkpoint closes some: those
 * that were in flight, and its own on deleted files. */
void take_locks_again(const struct checkpoint *c) {
  const struct ckpt_lock *locks = c->locks.entries;
  const struct ckpt_descriptor *descriptors = c->descriptors.entries;
  for (size_t i = 0; i < c->locks.count; i++) {
    struct flock lock = {.l_type = locks[i].exclusive ? F_WRLCK : F_RDLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)locks[i].start,
                         .l_len = (off_t)locks[i].length};
    for (size_t j = 0; j < c->descriptors.count && locks[i].kind == CKPT_LOCK_POSIX; j++)
      if (descriptors[j].description == locks[i].description) {
        sys(SYS_(fcntl), descriptors[j].fd, F_SETLK, &lock);
        break;
      }
  }
}
