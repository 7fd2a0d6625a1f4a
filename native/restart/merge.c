/* All open file descriptions of a job as those of one process: what two processes share is in it once, and
 * whoever makes pipes and sockets finds both ends. */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

/* Appends `count` entries of `size` bytes: the index of the first, or -1. */
static int64_t append(void *array, uint32_t *length, const void *from, uint32_t count, size_t size) {
  void *old, *grown;
  if (count > UINT32_MAX - *length)
    return say_problem("the image has too much of one kind");
  memcpy(&old, array, sizeof old);
  grown = realloc(old, ((size_t)*length + count + 1) * size);
  if (!grown)
    return say_problem("not enough memory");
  if (count)
    memcpy((char *)grown + *length * size, from, count * size);
  memcpy(array, &grown, sizeof grown);
  *length += count;
  return *length - count;
}

#define APPEND(merged, image, field)                                                                         \
  append(&(merged)->field, &(merged)->field##_count, (image)->field, (image)->field##_count,                 \
         sizeof *(image)->field)

/* Where the parts of one image begin in the merged one. */
struct starts {
  int64_t sockets, timerfds, options, ptys, strings, blob;
};

static int append_parts(struct image *merged, const struct image *image, struct starts *at) {
  uint32_t blob = (uint32_t)merged->blob_size;
  if (merged->blob_size + image->blob_size > UINT32_MAX)
    return say_problem("the pipes and sockets of the program hold more than 4 GiB");
  *at = (struct starts){
      .sockets = APPEND(merged, image, sockets),
      .timerfds = APPEND(merged, image, timerfds),
      .options = APPEND(merged, image, options),
      .ptys = APPEND(merged, image, ptys),
      .strings = append(&merged->strings, &merged->strings_size, image->strings, image->strings_size, 1),
      .blob = append(&merged->blob, &blob, image->blob, (uint32_t)image->blob_size, 1),
  };
  merged->blob_size = blob;
  return at->sockets < 0 || at->timerfds < 0 || at->options < 0 || at->ptys < 0 || at->strings < 0 ||
                 at->blob < 0
             ? -1
             : 0;
}

static void move_parts(struct image *merged, const struct starts *at) {
  for (uint32_t i = (uint32_t)at->sockets; i < merged->sockets_count; i++)
    merged->sockets[i].filter += (uint64_t)at->blob;
  for (uint32_t i = (uint32_t)at->options; i < merged->options_count; i++)
    merged->options[i].socket += (uint32_t)at->sockets;
}

/* What one process has open and another only maps is carried whole by the first, which knows how long it is:
 * the other knows only whole pages. */
static void unite(struct ckpt_file *known, const struct ckpt_file *file) {
  uint64_t size = known->size > file->size ? known->size : file->size;
  uint64_t page_size = known->flags & CKPT_FILE_HUGETLB ? known->rdev : file->rdev;
  uint32_t flags = known->flags | file->flags;
  if (file->flags & CKPT_FILE_CARRIED)
    *known = *file;
  else if (!(known->flags & CKPT_FILE_CARRIED))
    known->size = size;
  if (flags & CKPT_FILE_HUGETLB)
    known->rdev = page_size;
  known->flags = flags & CKPT_FILE_CARRIED ? flags & ~(uint32_t)CKPT_FILE_MEMORY : flags;
}

static int64_t add_file(struct image *merged, const struct ckpt_file *from, const struct starts *at) {
  struct ckpt_file file = *from;
  file.path += (uint32_t)at->strings;
  file.carried += (uint32_t)at->strings;
  for (uint32_t i = 0; i < merged->files_count && file.flags & CKPT_FILE_DELETED; i++) {
    struct ckpt_file *known = &merged->files[i];
    if (!(known->flags & CKPT_FILE_DELETED) || known->dev != file.dev || known->ino != file.ino)
      continue;
    unite(known, &file);
    return i;
  }
  return append(&merged->files, &merged->files_count, &file, 1, sizeof file);
}

static int add_files(struct image *merged, const struct image *image, const struct starts *at,
                     uint32_t *map) {
  for (uint32_t i = 0; i < image->files_count; i++) {
    int64_t index = add_file(merged, &image->files[i], at);
    if (index < 0)
      return -1;
    map[i] = (uint32_t)index;
  }
  return 0;
}

static bool is_socket(const struct ckpt_description *d) {
  return d->kind == CKPT_DESC_SOCKET || d->kind == CKPT_DESC_UNIX_SOCKET || d->kind == CKPT_DESC_NETLINK;
}

static void move_description(struct ckpt_description *d, const struct starts *at, const uint32_t *files) {
  d->name += (uint32_t)at->strings;
  d->data += (uint64_t)at->blob;
  if (d->file)
    d->file = files[d->file - 1] + 1;
  if (is_socket(d))
    d->a += (uint64_t)at->sockets;
  if (d->kind == CKPT_DESC_TIMERFD)
    d->a += (uint64_t)at->timerfds;
  if (d->kind == CKPT_DESC_PTY_MASTER)
    d->a += (uint64_t)at->ptys;
}

/* Descriptors in flight are named by their description. */
static void move_rights(struct image *merged, const struct ckpt_description *d, const struct merge_map *map) {
  uint8_t *at = (uint8_t *)(uintptr_t)merged->blob + d->data, *end = at + d->data_size;
  while (at < end) {
    struct ckpt_packet head;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    for (uint32_t i = 0; i < head.rights; i++, at += sizeof(uint32_t)) {
      uint32_t description;
      memcpy(&description, at, sizeof description);
      memcpy(at, &map->descriptions[description], sizeof description);
      map->in_flight[description] = true;
    }
    at += head.address_size + head.size;
  }
}

/* Of those that share a description, one has saved what waits in it, and maybe what an eventfd counts. */
static void take_contents(struct ckpt_description *known, const struct ckpt_description *d) {
  bool counts = d->kind == CKPT_DESC_EVENTFD && known->kind == d->kind && (d->a || d->b);
  if (d->data_size || counts)
    *known = *d;
}

static int add_image(struct image *merged, const struct image *image, struct merge_map *map,
                     uint32_t *shared) {
  struct starts at = {0};
  if (append_parts(merged, image, &at) < 0 || add_files(merged, image, &at, map->files) < 0)
    return -1;
  move_parts(merged, &at);
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    struct ckpt_description d = image->descriptions[i];
    move_description(&d, &at, map->files);
    if (d.shared && shared[d.shared]) {
      map->descriptions[i] = shared[d.shared] - 1;
      take_contents(&merged->descriptions[map->descriptions[i]], &d);
      continue;
    }
    int64_t index = append(&merged->descriptions, &merged->descriptions_count, &d, 1, sizeof d);
    if (index < 0)
      return -1;
    map->descriptions[i] = (uint32_t)index;
    if (d.shared)
      shared[d.shared] = (uint32_t)index + 1;
  }
  /* Whose contents are this image's lies behind those of the others. */
  for (uint32_t i = 0; i < merged->descriptions_count; i++)
    if (is_socket(&merged->descriptions[i]) && merged->descriptions[i].data_size &&
        merged->descriptions[i].data >= (uint64_t)at.blob)
      move_rights(merged, &merged->descriptions[i], map);
  return 0;
}

int merge_descriptions(const struct job *job, struct image *merged, struct merge_map *maps) {
  uint32_t *shared = calloc(CKPT_SHARED_MOST + 1ul, sizeof *shared);
  int result = shared ? 0 : say_problem("not enough memory");
  *merged = (struct image){.info = job->images[0].info, .process = job->images[0].process, .fd = -1};
  for (uint32_t i = 0; i < job->count && result == 0; i++) {
    const struct image *image = &job->images[i];
    maps[i].descriptions = calloc(image->descriptions_count + 1ul, sizeof *maps[i].descriptions);
    maps[i].in_flight = calloc(image->descriptions_count + 1ul, sizeof *maps[i].in_flight);
    maps[i].files = calloc(image->files_count + 1ul, sizeof *maps[i].files);
    result = maps[i].descriptions && maps[i].in_flight && maps[i].files
                 ? add_image(merged, image, &maps[i], shared)
                 : say_problem("not enough memory");
  }
  free(shared);
  if (result == 0 && merged->process.cwd_file)
    merged->process.cwd_file = maps[0].files[merged->process.cwd_file - 1] + 1;
  return result;
}
