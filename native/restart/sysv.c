#include "sysv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

#include "made.h"
#include "running.h"
#include "say.h"

bool sysv_may_be_there(const struct image *image, int32_t key) {
  uint8_t now[sizeof image->info.boot_id];
  return key != IPC_PRIVATE ||
         (running_boot_id(now) == 0 && memcmp(now, image->info.boot_id, sizeof now) == 0);
}

/* Of the job only its first process is there by then, which may ask for its own id. */
bool sysv_is_alive(pid_t pid) {
  return pid > 0 && pid != getpid() && running_starttime(AT_FDCWD, pid) != 0;
}

/* ---- Ids ---------------------------------------------------------------------------------------------- */

/* An id is a place and how often the places have been gone round: places below 64 come one after the other.
 */
enum { TRIES = 1 << 20, PLACES = 64, ROUND_SHIFT = 15 };

/* How many have to be made, from this id, until that one comes; negative: it has been. */
static int64_t distance(int from, int to) {
  const int place = (1 << ROUND_SHIFT) - 1;
  int64_t rounds = (to >> ROUND_SHIFT) - (from >> ROUND_SHIFT);
  return rounds * PLACES + (to & place) - (from & place);
}

int sysv_make_with_id(const struct sysv_maker *maker, int id) {
  FILE *next = fopen(maker->next_id, "we");
  if (next) {
    fprintf(next, "%d", id);
    fclose(next);
  }
  int made = maker->make(maker->what);
  while (made >= 0 && made != id) {
    int64_t left = distance(made, id);
    maker->remove(made);
    if (left < 0 || left > TRIES)
      return -EBUSY;
    made = maker->make(maker->what);
  }
  return made;
}

/* ---- Of all processes --------------------------------------------------------------------------------- */

static bool is_known_set(const struct job *job, uint32_t process, int id) {
  for (uint32_t i = 0; i < process; i++)
    for (uint32_t j = 0; j < job->images[i].sets_count; j++)
      if (job->images[i].sets[j].id == id)
        return true;
  return false;
}

static bool is_known_queue(const struct job *job, uint32_t process, int id) {
  for (uint32_t i = 0; i < process; i++)
    for (uint32_t j = 0; j < job->images[i].queues_count; j++)
      if (job->images[i].queues[j].id == id)
        return true;
  return false;
}

void check_sysv(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++) {
    const struct image *image = &job->images[i];
    for (uint32_t j = 0; j < image->sets_count; j++)
      if (!is_known_set(job, i, image->sets[j].id))
        set_find(image, &image->sets[j]);
    for (uint32_t j = 0; j < image->queues_count; j++)
      if (!is_known_queue(job, i, image->queues[j].id))
        queue_find(image, &image->queues[j]);
  }
}

static int make_set(const struct image *image, const struct ckpt_set *set) {
  int found = set_find(image, set);
  if (found < 0 || found == SYSV_SAME)
    return found < 0 ? -1 : 0;
  if (found == SYSV_GONE && set_make(set) < 0)
    return -1;
  if (found == SYSV_GONE)
    made_note(MADE_SET, set->id);
  return set_fill(image, set);
}

static int make_queue(const struct image *image, const struct ckpt_queue *queue) {
  int found = queue_find(image, queue);
  if (found < 0 || found == SYSV_SAME)
    return found < 0 ? -1 : 0;
  if (found == SYSV_GONE && queue_make_again(queue) < 0)
    return -1;
  if (found == SYSV_GONE)
    made_note(MADE_SYSV_QUEUE, queue->id);
  return queue_fill(image, queue);
}

int sysv_make(const struct job *job) {
  int result = 0;
  for (uint32_t i = 0; i < job->count && result == 0; i++) {
    const struct image *image = &job->images[i];
    for (uint32_t j = 0; j < image->sets_count && result == 0; j++)
      if (!is_known_set(job, i, image->sets[j].id))
        result = make_set(image, &image->sets[j]);
    for (uint32_t j = 0; j < image->queues_count && result == 0; j++)
      if (!is_known_queue(job, i, image->queues[j].id))
        result = make_queue(image, &image->queues[j]);
  }
  return result;
}
