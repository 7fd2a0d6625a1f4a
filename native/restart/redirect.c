#include "redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"
#include "outside.h"
#include "say.h"

const char *redirects_add(struct redirects *redirects, const char *word) {
  const char *at = word;
  uint64_t fd = text_take_decimal(&at);
  if (at == word || *at != '=' || !at[1])
    return "--fd takes N=PATH or N=inherit";
  if (fd > INT32_MAX)
    return "there is no such descriptor";
  for (uint32_t i = 0; i < redirects->count; i++)
    if (redirects->list[i].fd == (int)fd)
      return "this descriptor is there twice";
  if (redirects->count == REDIRECTS_MOST)
    return "there are too many --fd";
  bool own = strcmp(at + 1, "inherit") == 0;
  redirects->list[redirects->count++] = (struct redirect){.fd = (int)fd, .path = own ? NULL : at + 1};
  return NULL;
}

/* ---- What the image says ------------------------------------------------------------------------------ */

static struct ckpt_descriptor *find(const struct image *image, int fd) {
  for (uint32_t i = 0; i < image->descriptors_count; i++)
    if (image->descriptors[i].fd == fd)
      return &image->descriptors[i];
  return NULL;
}

static bool is_shared(const struct image *image, const struct ckpt_descriptor *d) {
  uint32_t users = 0;
  for (uint32_t i = 0; i < image->descriptors_count; i++)
    users += image->descriptors[i].description == d->description;
  return users > 1;
}

static void drop_locks(struct image *image, uint32_t description) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < image->locks_count; i++)
    if (image->locks[i].description != description)
      image->locks[kept++] = image->locks[i];
  image->locks_count = kept;
}

/* Nothing is asked any more of a file that no other description has. */
static void drop_file(struct image *image, uint32_t file) {
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (image->descriptions[i].file == file)
      return;
  image->files[file - 1].flags &= ~(uint32_t)CKPT_FILE_OPEN;
}

/* One of its own: dup may have made others, which stay as they are. */
static struct ckpt_description *separate(struct image *image, struct ckpt_descriptor *d) {
  uint32_t count = image->descriptions_count;
  if (!is_shared(image, d)) {
    drop_locks(image, d->description);
    return &image->descriptions[d->description];
  }
  struct ckpt_description *all = realloc(image->descriptions, ((size_t)count + 1) * sizeof *all);
  if (!all)
    return NULL;
  all[count] = all[d->description];
  image->descriptions = all;
  image->descriptions_count++;
  d->description = count;
  return &all[count];
}

/* ---- Standard input, output and error ----------------------------------------------------------------- */

/* Do several of 0, 1 and 2 share it, as they do in a terminal? */
static bool serves_several(const struct image *image, const struct ckpt_description *d) {
  int users = 0;
  for (uint32_t i = 0; i < image->descriptors_count && image->descriptors[i].fd <= 2; i++)
    users += &image->descriptions[image->descriptors[i].description] == d;
  return users > 1;
}

static bool serves_several_anywhere(const struct image *images, uint32_t count, uint32_t shared) {
  for (uint32_t i = 0; i < count && shared; i++)
    for (uint32_t j = 0; j < images[i].descriptions_count; j++)
      if (images[i].descriptions[j].shared == shared &&
          serves_several(&images[i], &images[i].descriptions[j]))
        return true;
  return false;
}

int redirects_part_standard(struct image *images, uint32_t count) {
  for (int fd = 0; fd <= 2; fd++)
    for (uint32_t i = 0; i < count; i++) {
      struct ckpt_descriptor *d = find(&images[i], fd);
      const struct ckpt_description *now = d ? &images[i].descriptions[d->description] : NULL;
      if (!now || now->kind != CKPT_DESC_OUTSIDE || now->a > 2 ||
          !(serves_several(&images[i], now) || serves_several_anywhere(images, count, now->shared)))
        continue;
      struct ckpt_description *own = separate(&images[i], d);
      if (!own)
        return say_problem("not enough memory");
      own->a = (uint64_t)fd;
      own->shared = 0;
    }
  return 0;
}

/* ---- Chosen ones -------------------------------------------------------------------------------------- */

/* Is what restart has there open for what the program does with it? */
static int check_own(const struct redirect *redirect, uint32_t flags) {
  int wanted = (int)flags & O_ACCMODE;
  int now = outside_is_inherited(redirect->fd) ? fcntl(redirect->fd, F_GETFL) : -1;
  if (now < 0)
    return say_problem("--fd %d=inherit: restart has no descriptor %d", redirect->fd, redirect->fd);
  bool standard = wanted == O_RDWR && redirect->fd <= 2; /* a terminal, of which one way is used */
  if ((now & O_ACCMODE) == O_RDWR || (now & O_ACCMODE) == wanted || standard)
    return 0;
  return say_problem("--fd %d=inherit: restart's descriptor is not open for %s", redirect->fd,
                     wanted == O_RDONLY ? "reading" : "writing");
}

/* The flags that it had, or -1 with a problem said. */
static int64_t apply(struct redirect *redirect, struct image *image, uint32_t index) {
  struct ckpt_description *description = separate(image, find(image, redirect->fd));
  if (!description)
    return say_problem("not enough memory");
  uint32_t flags = description->flags, file = description->file;
  /* What others have open as well keeps its own flags. */
  *description = (struct ckpt_description){
      .kind = CKPT_DESC_OUTSIDE,
      .flags = redirect->path ? flags : flags & (O_ACCMODE | O_NONBLOCK),
      .a = (uint64_t)redirect->fd,
  };
  if (file)
    drop_file(image, file);
  redirect->descriptions[index] = (uint32_t)(description - image->descriptions) + 1;
  return flags;
}

/* The same open file, inherited under the same number: a shell's output is that of its commands. */
static bool is_same(const struct image *image, int fd, const struct ckpt_description *root) {
  const struct ckpt_descriptor *d = find(image, fd);
  const struct ckpt_description *other = d ? &image->descriptions[d->description] : NULL;
  if (!other || other->kind != root->kind)
    return false;
  return root->kind == CKPT_DESC_OUTSIDE ? other->a == root->a
                                         : root->shared && other->shared == root->shared;
}

static int apply_to_all(struct redirect *redirect, struct image *images, uint32_t count) {
  const struct ckpt_descriptor *d = find(&images[0], redirect->fd);
  if (!d)
    return say_problem("--fd %d: the program had no such descriptor", redirect->fd);
  redirect->descriptions = calloc(count, sizeof *redirect->descriptions);
  if (!redirect->descriptions)
    return say_problem("not enough memory");
  struct ckpt_description before = images[0].descriptions[d->description];
  int64_t flags = apply(redirect, &images[0], 0);
  for (uint32_t i = 1; i < count && flags >= 0; i++)
    if (is_same(&images[i], redirect->fd, &before) && apply(redirect, &images[i], i) < 0)
      return -1;
  return flags < 0 ? -1 : redirect->path ? 0 : check_own(redirect, (uint32_t)flags);
}

int redirects_apply(struct redirects *redirects, struct image *images, uint32_t count) {
  int result = 0;
  for (uint32_t i = 0; i < redirects->count; i++)
    if (apply_to_all(&redirects->list[i], images, count) < 0)
      result = -1;
  return result;
}

/* ---- Opening ------------------------------------------------------------------------------------------ */

/* As a shell does it: "<" for what was read and for a terminal that is 0, ">" for what was written and for
 * one that is 1 or 2, ">>" for what was appended to, "<>" for what was both. */
static int open_flags(int fd, uint32_t flags) {
  int mode = (int)flags & O_ACCMODE, rest = (int)flags & (O_APPEND | O_SYNC);
  if (mode == O_RDWR && fd <= 2)
    mode = fd == 0 ? O_RDONLY : O_WRONLY;
  if (mode != O_RDONLY)
    rest |= O_CREAT | (mode == O_WRONLY && !(rest & O_APPEND) ? O_TRUNC : 0);
  return mode | rest | O_NOCTTY | O_CLOEXEC;
}

/* The same file for two descriptors is opened once: "1=log" and "2=log" must not overwrite each other. */
static int open_once(const struct redirects *redirects, uint32_t index, const struct image *image) {
  const struct redirect *redirect = &redirects->list[index];
  uint32_t description = find(image, redirect->fd)->description;
  for (uint32_t i = 0; i < index; i++) {
    const struct redirect *other = &redirects->list[i];
    const struct ckpt_description *d = &image->descriptions[find(image, other->fd)->description];
    if (other->path && strcmp(other->path, redirect->path) == 0 &&
        open_flags(other->fd, d->flags) == open_flags(redirect->fd, image->descriptions[description].flags))
      return (int)d->a;
  }
  int fd = open(redirect->path, open_flags(redirect->fd, image->descriptions[description].flags), 0666);
  if (fd < 0)
    return say_problem("--fd %d=%s: %s", redirect->fd, redirect->path, strerror(errno));
  return outside_inherit(fd) < 0 ? say_problem("too many descriptors") : fd;
}

int redirects_open(const struct redirects *redirects, struct image *images, uint32_t count) {
  for (uint32_t i = 0; i < redirects->count; i++) {
    const struct redirect *redirect = &redirects->list[i];
    if (!redirect->path)
      continue;
    int fd = open_once(redirects, i, &images[0]);
    if (fd < 0)
      return -1;
    for (uint32_t j = 0; j < count; j++)
      if (redirect->descriptions[j])
        images[j].descriptions[redirect->descriptions[j] - 1].a = (uint64_t)fd;
  }
  return 0;
}
