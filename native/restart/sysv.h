/* System V semaphores and message queues: they outlive the program, and are found again, or made again. */
#ifndef RESTART_SYSV_H
#define RESTART_SYSV_H

#include <sys/types.h>

#include "job.h"

/* Says which of them others use now, or have taken the places of. */
void check_sysv(const struct job *job);
/* Finds or makes all of them, as they were: 0, or -1 with a problem said. */
int sysv_make(const struct job *job);
/* In a process of the program: what the kernel is to undo when it ends. 0, or -1 with a problem said. */
int sysv_adjust(const struct child *child);

/* For both kinds. A set or queue that is there, as it was (SYSV_SAME) or with other contents, or is not; -1
 * with a problem said. */
enum sysv_found { SYSV_GONE, SYSV_SAME, SYSV_OTHER };

/* Of another boot only those with a key can be there: without one, it is somebody else's with the same id. */
bool sysv_may_be_there(const struct image *image, int32_t key);
/* Does some process have this id, and has not ended? */
bool sysv_is_alive(pid_t pid);

/* Makes one by `make`, with the id that it had: where choosing one is allowed (next_id is a file in
 * /proc/sys), or by making and removing it until the id comes round, as it soon does after a reboot. */
struct sysv_maker {
  const char *next_id;
  int (*make)(const void *what);
  void (*remove)(int id);
  const void *what;
};
/* The id, or a negative errno; -EBUSY: the id cannot be had. */
int sysv_make_with_id(const struct sysv_maker *maker, int id);

/* sysv_sets.c */
int set_find(const struct image *image, const struct ckpt_set *set);
int set_make(const struct ckpt_set *set);
int set_fill(const struct image *image, const struct ckpt_set *set);
/* sysv_queues.c */
int queue_find(const struct image *image, const struct ckpt_queue *queue);
int queue_make_again(const struct ckpt_queue *queue);
int queue_fill(const struct image *image, const struct ckpt_queue *queue);

#endif
