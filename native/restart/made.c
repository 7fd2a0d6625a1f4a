#include "made.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "say.h"

struct object {
  enum made_kind kind;
  int id;
  char queue[NAME_MAX + 1]; /* the name of a POSIX message queue, without the slash; "" for none */
};

/* Shared with the new process. */
static struct made {
  uint32_t count;
  struct object list[];
} * made;
static uint64_t room;

static bool is_segment(const struct ckpt_file *file) {
  return file->flags & CKPT_FILE_SEGMENT;
}

int made_begin(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++) {
    const struct image *image = &job->images[i];
    room += (uint64_t)image->sets_count + image->queues_count;
    for (uint32_t j = 0; j < image->files_count; j++)
      room += is_segment(&image->files[j]);
    for (uint32_t j = 0; j < image->descriptions_count; j++)
      room += image->descriptions[j].kind == CKPT_DESC_QUEUE;
  }
  void *mapped = mmap(NULL, sizeof *made + room * sizeof *made->list, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return say_problem("not enough memory: %s", strerror(errno));
  made = mapped;
  return 0;
}

/* One more, not yet counted: whoever dies meanwhile has noted nothing. */
static struct object *next(void) {
  return made->count < room ? &made->list[made->count] : NULL;
}

static void add(void) {
  __atomic_fetch_add(&made->count, 1, __ATOMIC_RELEASE);
}

void made_note(enum made_kind kind, int id) {
  struct object *object = next();
  if (!object)
    return;
  *object = (struct object){.kind = kind, .id = id};
  add();
}

void made_note_queue(const char *name) {
  struct object *object = next();
  if (!object)
    return;
  *object = (struct object){0};
  snprintf(object->queue, sizeof object->queue, "%s", name + 1);
  add();
}

static void undo(const struct object *object) {
  if (object->queue[0])
    syscall(SYS_mq_unlink, object->queue);
  else if (object->kind == MADE_SEGMENT)
    shmctl(object->id, IPC_RMID, NULL);
  else if (object->kind == MADE_SET)
    semctl(object->id, 0, IPC_RMID);
  else
    msgctl(object->id, IPC_RMID, NULL);
}

void made_undo(void) {
  for (uint32_t i = 0; i < made->count; i++)
    undo(&made->list[i]);
  made->count = 0;
}
