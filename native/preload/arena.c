#include "arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/sys.h"
#include "format/image.h"

enum { STACK = 256 << 10, MOST = 1 << 30, LEAST = 16 << 20 };

/* Address space is free, but RLIMIT_AS may be tight: take what is allowed. */
long arena_create(struct arena *arena) {
  size_t size = MOST;
  long at;
  for (;; size /= 2) {
    at = sys(SYS_(mmap), 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at > 0 || at <= -4096)
      break;
    if (size == LEAST)
      return at;
  }
  uint64_t start = (uint64_t)at;
  /* Under mlockall(MCL_FUTURE) the mapping is born locked and mprotect would populate all of it. The first
   * page stays as it is: nothing else tells that new mappings are locked. */
  sys(SYS_(munlock), start + CKPT_PAGE, size - CKPT_PAGE);
  /* Another thread may call fork before it stands still. */
  sys(SYS_(madvise), start, size, MADV_DONTFORK);
  long result = sys(SYS_(mprotect), start + CKPT_PAGE, size - 2 * CKPT_PAGE, PROT_READ | PROT_WRITE);
  if (result < 0) {
    sys(SYS_(munmap), start, size);
    return result;
  }
  *arena = (struct arena){.start = start, .end = start + size, .next = (char *)start + CKPT_PAGE};
  arena->stack_end = (char *)arena->end - CKPT_PAGE;
  arena->limit = arena->stack_end - STACK;
  return 0;
}

void arena_destroy(const struct arena *arena) {
  sys(SYS_(munmap), arena->start, arena->end - arena->start);
}

void *arena_take(struct arena *arena, size_t size) {
  size = (size + 15) & ~(size_t)15;
  if (size > (size_t)(arena->limit - arena->next))
    return NULL;
  void *result = arena->next;
  arena->next += size;
  return result;
}

static long make_room(struct arena *arena, struct list *list, size_t more, size_t entry_size) {
  if (list->count + more <= list->room)
    return 0;
  size_t room = list->room ? list->room : 64;
  while (room < list->count + more)
    room *= 2;
  void *entries = arena_take(arena, room * entry_size);
  if (!entries)
    return -ENOMEM;
  memcpy(entries, list->entries, list->count * entry_size);
  list->entries = entries;
  list->room = room;
  return 0;
}

void *list_add(struct arena *arena, struct list *list, size_t entry_size) {
  if (make_room(arena, list, 1, entry_size) < 0)
    return NULL;
  return (char *)list->entries + entry_size * list->count++;
}

long list_add_bytes(struct arena *arena, struct list *bytes, const void *data, size_t size) {
  long result = make_room(arena, bytes, size, 1);
  if (result < 0)
    return result;
  long offset = (long)bytes->count;
  memcpy((char *)bytes->entries + offset, data, size);
  bytes->count += size;
  return offset;
}
