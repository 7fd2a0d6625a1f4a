/* A heap sort. */
#include "sort.h"

#include <string.h>

struct sorting {
  char *entries;
  size_t size;
  bool (*is_before)(const void *, const void *);
};

static char *entry(const struct sorting *s, size_t index) {
  return s->entries + index * s->size;
}

static void sink(const struct sorting *s, size_t at, size_t count) {
  char moving[SORT_ENTRY_MOST] __attribute__((aligned(16)));
  memcpy(moving, entry(s, at), s->size);
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && s->is_before(entry(s, child), entry(s, child + 1)))
      child++;
    if (!s->is_before(moving, entry(s, child)))
      break;
    memcpy(entry(s, at), entry(s, child), s->size);
  }
  memcpy(entry(s, at), moving, s->size);
}

void sort_entries(void *entries, size_t count, size_t size, bool (*is_before)(const void *, const void *)) {
  struct sorting s = {entries, size, is_before};
  char largest[SORT_ENTRY_MOST];
  for (size_t i = count / 2; i-- > 0;)
    sink(&s, i, count);
  for (size_t end = count; end-- > 1;) {
    memcpy(largest, entry(&s, 0), size);
    memcpy(entry(&s, 0), entry(&s, end), size);
    memcpy(entry(&s, end), largest, size);
    sink(&s, 0, end);
  }
}
