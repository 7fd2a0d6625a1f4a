/* The program's own functions around a checkpoint: native/include/ckpt.h says what they may do.
 *
 * They run while no other thread is frozen, since one may hold what a hook waits for. */
#include <errno.h>

#include "core/sys.h"
#include "part.h"
#include "state.h"

#define EXPORT __attribute__((visibility("default")))

typedef void hook_function(void *);
EXPORT int ckpt_hook(hook_function *before, hook_function *after, hook_function *restarted, void *argument);
EXPORT int ckpt_unhook(int id);

/* A libc's. A handler must leave errno as it was, and a hook may not know that it is in one. */
extern int *__errno_location(void) __attribute__((weak, visibility("default")));

int ckpt_hook(hook_function *before, hook_function *after, hook_function *restarted, void *argument) {
  struct part_table *table = part_change_begin();
  if (!table)
    return -EDEADLK;
  int id = -ENOSPC;
  if (table->hooks.count < HOOKS_MOST) {
    id = ++ckpt_state.part.last_id;
    table->hooks.hook[table->hooks.count++] = (struct hook){id, before, after, restarted, argument};
  }
  part_change_end(id > 0);
  return id;
}

int ckpt_unhook(int id) {
  struct part_table *table = part_change_begin();
  if (!table)
    return -EDEADLK;
  struct hooks *hooks = &table->hooks;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < hooks->count; i++)
    if (hooks->hook[i].id != id)
      hooks->hook[kept++] = hooks->hook[i];
  bool found = kept < hooks->count;
  hooks->count = kept;
  part_change_end(found);
  return found ? 0 : -ENOENT;
}

void hooks_copy(struct hooks *hooks) {
  const struct part *part = &ckpt_state.part;
  uint32_t generation;
  do {
    generation = __atomic_load_n(&part->generation, __ATOMIC_SEQ_CST);
    *hooks = part->table[generation & 1].hooks;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
  } while (__atomic_load_n(&part->generation, __ATOMIC_SEQ_CST) != generation);
}

static void call(hook_function *function, void *argument) {
  if (!function)
    return;
  int *error = __errno_location ? __errno_location() : NULL;
  int before = error ? *error : 0;
  function(argument);
  if (error)
    *error = before;
}

/* As pthread_atfork has it: what was registered last is prepared first. */
void hooks_before(const struct hooks *hooks) {
  for (uint32_t i = hooks->count; i-- > 0;)
    call(hooks->hook[i].before, hooks->hook[i].argument);
}

void hooks_after(const struct hooks *hooks) {
  for (uint32_t i = 0; i < hooks->count; i++)
    call(hooks->hook[i].after, hooks->hook[i].argument);
}

void hooks_restarted(const struct hooks *hooks) {
  for (uint32_t i = 0; i < hooks->count; i++)
    call(hooks->hook[i].restarted, hooks->hook[i].argument);
}
