/* Notes into structs. A note is only 4-aligned and may be of an older or newer writer: what is missing reads
 * as zero, what is unknown is skipped. */
#include "image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_TYPES 64 /* more than there are */
#define NOTE_INDEX(type) ((type)&0xffff)

struct note {
  const uint8_t *data; /* null: not there */
  uint32_t size;
};

static int take_struct(struct image *image, const struct note *note, void *to, size_t size,
                       const char *what) {
  if (!note->data)
    return image_refuse(image, "damaged: the %s note is missing", what);
  memcpy(to, note->data, note->size < size ? note->size : size);
  return 0;
}

/* An array note into one of our own entries; a missing note is an empty array. */
static int take_array(struct image *image, const struct note *note, void **entries, uint32_t *count,
                      size_t size, const char *what) {
  struct ckpt_array head = {0};
  if (note->data) {
    if (note->size < sizeof head)
      return image_refuse(image, "damaged: the %s note is too short", what);
    memcpy(&head, note->data, sizeof head);
    if (head.count && (head.entry_size == 0 || (note->size - sizeof head) / head.entry_size < head.count))
      return image_refuse(image, "damaged: the %s note is too short for its %u entries", what, head.count);
  }
  uint8_t *to = calloc((size_t)head.count + 1, size);
  if (!to)
    return image_refuse(image, "not enough memory for the %s note", what);
  for (uint32_t i = 0; i < head.count; i++)
    memcpy(to + i * size, note->data + sizeof head + (size_t)i * head.entry_size,
           head.entry_size < size ? head.entry_size : size);
  *entries = to;
  *count = head.count;
  return 0;
}

static uint64_t aligned(uint64_t size) {
  return (size + 3) & ~3ull;
}

/* Finds every note: those of ours by type, and the auxiliary vector. */
static int find_notes(struct image *image, struct note found[NOTE_TYPES]) {
  const uint8_t *at = image->notes;
  uint64_t left = image->prologue.notes_size;
  while (left) {
    Elf64_Nhdr head;
    if (left < sizeof head)
      return image_refuse(image, "damaged: the last note is cut short");
    memcpy(&head, at, sizeof head);
    uint64_t name = aligned(head.n_namesz), data = aligned(head.n_descsz);
    if (left - sizeof head < name || left - sizeof head - name < data)
      return image_refuse(image, "damaged: a note is longer than the file");
    const uint8_t *words = at + sizeof head, *content = words + name;
    at = content + data;
    left -= sizeof head + name + data;
    if (head.n_namesz == 5 && memcmp(words, "CORE", 5) == 0 && head.n_type == NT_AUXV) {
      image->auxv = content;
      image->auxv_size = head.n_descsz;
    }
    if (head.n_namesz != sizeof CKPT_NOTE_NAME || memcmp(words, CKPT_NOTE_NAME, sizeof CKPT_NOTE_NAME) != 0 ||
        (head.n_type & ~0xffffu) != (CKPT_NOTE_IMAGE & ~0xffffu) || NOTE_INDEX(head.n_type) >= NOTE_TYPES)
      continue;
    if (found[NOTE_INDEX(head.n_type)].data)
      return image_refuse(image, "damaged: note %u is there twice", NOTE_INDEX(head.n_type));
    found[NOTE_INDEX(head.n_type)] = (struct note){content, head.n_descsz};
  }
  return 0;
}

int image_read_notes(struct image *image) {
  struct note notes[NOTE_TYPES] = {0};
  int result = find_notes(image, notes);
  if (result == 0)
    result =
        take_struct(image, &notes[NOTE_INDEX(CKPT_NOTE_IMAGE)], &image->info, sizeof image->info, "image");
  if (result == 0)
    result = take_struct(image, &notes[NOTE_INDEX(CKPT_NOTE_PROCESS)], &image->process, sizeof image->process,
                         "process");
#define X(field, note, type)                                                                                 \
  if (result == 0)                                                                                           \
    result = take_array(image, &notes[NOTE_INDEX(CKPT_NOTE_##note)], (void **)&image->field,                 \
                        &image->field##_count, sizeof(type), #field);
  IMAGE_ARRAYS(X)
#undef X
  const struct note *strings = &notes[NOTE_INDEX(CKPT_NOTE_STRINGS)],
                    *blob = &notes[NOTE_INDEX(CKPT_NOTE_BLOB)];
  image->strings = (const char *)strings->data;
  image->strings_size = strings->size;
  image->blob = blob->data;
  image->blob_size = blob->size;
  return result;
}
