/* System V semaphores and message queues of an image: does what is said about them make sense? */
#include <string.h>
#include <sys/ipc.h>

#include "image.h"

static int damaged(struct image *image, const char *what, uint64_t index) {
  return image_refuse(image, "damaged: %s %llu makes no sense", what, (unsigned long long)index);
}

static bool set_ok(const struct image *image, const struct ckpt_set *set) {
  return set->id >= 0 && set->mode <= 0777 && set->count > 0 && set->count <= image->semaphores_count &&
         set->first <= image->semaphores_count - set->count;
}

static bool queue_ok(const struct image *image, const struct ckpt_queue *queue) {
  uint64_t at = queue->data, end = queue->data + queue->data_size;
  if (queue->id < 0 || queue->mode > 0777 || queue->room > INT64_MAX || at > image->blob_size ||
      queue->data_size > image->blob_size - at)
    return false;
  for (uint32_t i = 0; i < queue->count; i++) {
    struct ckpt_message head;
    if (end - at < sizeof head)
      return false;
    memcpy(&head, image->blob + at, sizeof head);
    at += sizeof head;
    if (head.type < 1 || head.size > end - at)
      return false;
    at += head.size;
  }
  return at == end;
}

int image_check_sysv(struct image *image) {
  for (uint32_t i = 0; i < image->sets_count; i++)
    if (!set_ok(image, &image->sets[i]))
      return damaged(image, "set of semaphores", i);
  for (uint32_t i = 0; i < image->semaphores_count; i++) {
    const struct ckpt_semaphore *semaphore = &image->semaphores[i];
    if (semaphore->value > CKPT_SEMAPHORE_MOST || semaphore->adjust > CKPT_SEMAPHORE_MOST ||
        semaphore->adjust < -CKPT_SEMAPHORE_MOST)
      return damaged(image, "semaphore", i);
  }
  for (uint32_t i = 0; i < image->queues_count; i++)
    if (!queue_ok(image, &image->queues[i]))
      return damaged(image, "message queue", i);
  return 0;
}
