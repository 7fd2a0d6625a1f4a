/* What the program was started with leads outside of the job: to what `restart` has in its place. */
#include <fcntl.h>
#include <sys/stat.h>

#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "state.h"

/* A socket that the parent has not is the program's own, made before it has begun itself anew. The parent of
 * a restarted program may be outside of its namespace. */
static bool may_be_the_parents(const struct stat *socket) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  struct dir dir;
  struct stat st;
  bool found = false;
  int32_t parent = (int32_t)sys(SYS_(getppid));
  text_format(&text, "/proc/%d/fd", (int64_t)parent);
  if (parent == 0 || dir_open(&dir, AT_FDCWD, path) < 0)
    return parent != 0;
  for (const char *name; !found && (name = dir_next(&dir));)
    found = sys(SYS_(newfstatat), dir.fd, name, &st, 0) == 0 && st.st_ino == socket->st_ino &&
            st.st_dev == socket->st_dev;
  found |= dir.error < 0;
  dir_close(&dir);
  return found;
}

/* Shells, make's job server and editors leak descriptors into what they start. Later nothing tells such a one
 * from a pipe that the program made itself and gave half of away. */
static bool may_lead_outside(int fd, struct stat *st) {
  return sys(SYS_(fstat), fd, st) == 0 && !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) &&
         (!S_ISSOCK(st->st_mode) || may_be_the_parents(st));
}

/* Nobody can open it once more, so whoever has it has it from there. */
static bool is_movable(int fd, const struct stat *st) {
  char path[64], name[16];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)fd);
  long n = S_ISFIFO(st->st_mode) ? sys(SYS_(readlinkat), AT_FDCWD, path, name, sizeof name - 1) : 0;
  name[n < 0 ? 0 : n] = 0;
  return S_ISSOCK(st->st_mode) || text_starts(name, "pipe:");
}

void remember_inherited(void) {
  struct dir dir;
  struct stat st;
  uint64_t fd;
  if (dir_open(&dir, AT_FDCWD, "/proc/thread-self/fd") < 0)
    return;
  for (const char *name; ckpt_state.inherited_count < INHERITED_MOST && (name = dir_next(&dir));)
    if (text_is_decimal(name, &fd) && (int)fd != dir.fd && may_lead_outside((int)fd, &st))
      ckpt_state.inherited[ckpt_state.inherited_count++] = (struct inherited){
          .fd = (int)fd,
          .now = (int)fd,
          .dev = st.st_dev,
          .ino = st.st_ino,
          .movable = is_movable((int)fd, &st),
      };
  dir_close(&dir);
}

/* Under the number that it had, or under another one: a shell moves what it was to read out of the way
 * (`while read line; do ...; done < file`). */
static struct inherited *find_inherited(int fd, uint64_t dev, uint64_t ino) {
  struct inherited *found = NULL;
  for (int i = 0; i < ckpt_state.inherited_count; i++) {
    struct inherited *known = &ckpt_state.inherited[i];
    if (known->ino != ino || known->dev != dev)
      continue;
    if (known->fd == fd)
      return known;
    if (known->movable && !found)
      found = known;
  }
  return found;
}

int outside_number(int fd, uint64_t dev, uint64_t ino) {
  const struct inherited *known = find_inherited(fd, dev, ino);
  return known ? known->fd : fd <= 2 ? fd : -1;
}

bool leads_outside(const struct looking *l) {
  return outside_number(l->fd, l->st.st_dev, l->st.st_ino) >= 0;
}

void forget_inherited(void) {
  for (int i = 0; i < ckpt_state.inherited_count; i++)
    ckpt_state.inherited[i].now = -1;
}

void note_inherited(const struct looking *l) {
  struct inherited *known = find_inherited(l->fd, l->st.st_dev, l->st.st_ino);
  if (known)
    known->now = l->fd;
}

void renew_inherited(void) {
  struct stat st;
  for (int i = 0; i < ckpt_state.inherited_count; i++) {
    struct inherited *known = &ckpt_state.inherited[i];
    bool there = sys(SYS_(fstat), known->now, &st) == 0;
    known->dev = there ? st.st_dev : 0;
    known->ino = there ? st.st_ino : 0;
    known->movable = there && is_movable(known->now, &st);
  }
}
