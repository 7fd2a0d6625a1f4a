/* System V semaphores and message queues: which the process uses, and what is in them.
 *
 * It uses those that semget or msgget have given it or, before a fork, its parents (sysv_calls.c); those that
 * it has used last, as the kernel tells; and those that one of its threads waits for. All members of the job
 * stand still, so each that uses one finds the same in it. */
#include "sysv_describe.h"

#include <errno.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "thread.h"

bool sysv_is_new(const struct list *list, size_t entry_size, int32_t id) {
  const char *entries = list->entries;
  for (size_t i = 0; i < list->count; i++)
    if (*(const int32_t *)(const void *)(entries + i * entry_size) == id) /* the first field */
      return false;
  return true;
}

static bool is_among(uint32_t number, const uint16_t numbers[2]) {
  return number == numbers[0] || number == numbers[1];
}

/* Those that threads wait for: each stands in front of its call. */
static long add_awaited(struct checkpoint *c, const uint16_t numbers[2], sysv_add *add) {
  const struct thread_note *threads = c->threads.entries;
  long result = 0;
  for (size_t i = 0; i < c->threads.count && result == 0; i++) {
    if (threads[i].thread.ended)
      continue;
    const greg_t *regs = threads[i].frame->uc_mcontext.gregs;
    if (regs[REG_RAX] >= 0 && regs[REG_RAX] <= UINT16_MAX && is_among((uint32_t)regs[REG_RAX], numbers))
      result = add(c, (int32_t)regs[REG_RDI]);
  }
  return result;
}

static long add_noted(struct checkpoint *c, const struct sysv_ids *ids, const char *what, sysv_add *add) {
  long result = 0;
  if (ids->full)
    return fail(c, -EOPNOTSUPP, "it has used more than %d System V %s", (int64_t)SYSV_MOST, what);
  for (uint32_t i = 0; i < SYSV_MOST && ids->ids[i] && result == 0; i++)
    result = add(c, (int32_t)(ids->ids[i] - 1));
  return result;
}

/* The numbers of a line of /proc/sysvipc. Keys may be negative. */
static size_t take_numbers(const char *line, int64_t *numbers, size_t most) {
  size_t count = 0;
  for (; count < most; count++) {
    text_skip_spaces(&line);
    bool negative = *line == '-';
    line += negative;
    if (*line < '0' || *line > '9')
      break;
    int64_t number = (int64_t)text_take_decimal(&line);
    numbers[count] = negative ? -number : number;
  }
  return count;
}

/* A kernel without System V IPC has no such file. */
static long add_used(struct checkpoint *c, const char *path, sysv_is_used *is_used, sysv_add *add) {
  enum { BUFFER = 8 << 10 };
  struct proc_lines lines;
  int64_t numbers[SYSV_COLUMNS];
  char *buffer = arena_take(&c->arena, BUFFER);
  if (!buffer)
    return -ENOMEM;
  long result = proc_lines_open(&lines, path, buffer, BUFFER);
  if (result < 0)
    return result == -ENOENT || result == -EACCES ? 0 : fail(c, result, "%s: %s", path, text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    if (take_numbers(line, numbers, SYSV_COLUMNS) == SYSV_COLUMNS && is_used(c, numbers))
      result = add(c, (int32_t)numbers[1]);
  if (result == 0)
    result = lines.error;
  proc_lines_close(&lines);
  return result;
}

long describe_sysv(struct checkpoint *c) {
  static const uint16_t semaphore_calls[2] = {__NR_semop, __NR_semtimedop};
  static const uint16_t queue_calls[2] = {__NR_msgsnd, __NR_msgrcv};
  long result = add_noted(c, &ckpt_state.sysv.sets, "sets of semaphores", set_add);
  if (result == 0)
    result = add_awaited(c, semaphore_calls, set_add);
  if (result == 0)
    result = add_used(c, "/proc/sysvipc/sem", set_is_used, set_add);
  if (result == 0)
    result = add_noted(c, &ckpt_state.sysv.queues, "message queues", queue_add);
  if (result == 0)
    result = add_awaited(c, queue_calls, queue_add);
  return result < 0 ? result : add_used(c, "/proc/sysvipc/msg", queue_is_used, queue_add);
}
