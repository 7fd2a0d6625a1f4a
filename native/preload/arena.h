/* Memory for one checkpoint: a mapping that is made when it begins, is no part of the image and is gone
 * when it ends. Nothing is ever given back to it. */
#ifndef CKPT_ARENA_H
#define CKPT_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena {
  uint64_t start; /* with the guard pages around it */
  uint64_t end;
  char *next;
  char *limit;
  char *stack_end;
};

long arena_create(struct arena *arena);
void arena_destroy(const struct arena *arena);
/* Zeroed, aligned to 16 bytes; null when the arena is full. */
void *arena_take(struct arena *arena, size_t size);

/* An array that grows inside the arena. */
struct list {
  void *entries;
  size_t count;
  size_t room;
};

/* A new zeroed entry of this size at the end, or null. */
void *list_add(struct arena *arena, struct list *list, size_t entry_size);
/* `size` bytes appended to a list of bytes: their offset, or -ENOMEM. */
long list_add_bytes(struct arena *arena, struct list *bytes, const void *data, size_t size);

#endif
