/* System V message queues. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

#include "say.h"
#include "sysv.h"

struct kernel_message {
  long type;
  char bytes[];
};

static const char *queue_name(const struct ckpt_queue *queue) {
  static char name[64];
  snprintf(name, sizeof name, "System V queue %d (key 0x%x)", queue->id, (unsigned)queue->key);
  return name;
}

/* The next message of the image: its bytes. */
static const uint8_t *take(const uint8_t **at, struct ckpt_message *head) {
  memcpy(head, *at, sizeof *head);
  const uint8_t *bytes = *at + sizeof *head;
  *at = bytes + head->size;
  return bytes;
}

/* Where the kernel shows no message, the queue counts as another. */
static int compare(const struct image *image, const struct ckpt_queue *queue, const struct msqid_ds *now) {
  const uint8_t *at = image->blob + queue->data;
  struct kernel_message *room = malloc(sizeof *room + now->__msg_cbytes);
  if (!room)
    return say_problem("not enough memory");
  int result = now->msg_qnum == queue->count && now->msg_qbytes == queue->room ? SYSV_SAME : SYSV_OTHER;
  for (uint32_t i = 0; i < queue->count && result == SYSV_SAME; i++) {
    struct ckpt_message head;
    const uint8_t *bytes = take(&at, &head);
    ssize_t n = msgrcv(queue->id, room, now->__msg_cbytes, (long)i, MSG_COPY | IPC_NOWAIT);
    if (n != (ssize_t)head.size || room->type != head.type || memcmp(room->bytes, bytes, head.size) != 0)
      result = SYSV_OTHER;
  }
  free(room);
  return result;
}

int queue_find(const struct image *image, const struct ckpt_queue *queue) {
  struct msqid_ds now;
  bool there = sysv_may_be_there(image, queue->key) && msgctl(queue->id, IPC_STAT, &now) == 0 &&
               now.msg_perm.__key == queue->key;
  int other = there || queue->key == IPC_PRIVATE ? -1 : msgget(queue->key, 0);
  if (other >= 0)
    return say_problem("%s cannot be made again: queue %d has that key; ipcrm -q %d removes it",
                       queue_name(queue), other, other);
  int found = there ? compare(image, queue, &now) : SYSV_GONE;
  pid_t user = found != SYSV_OTHER            ? 0
               : sysv_is_alive(now.msg_lspid) ? now.msg_lspid
               : sysv_is_alive(now.msg_lrpid) ? now.msg_lrpid
                                              : 0;
  if (user)
    return say_problem("%s is in use by process %d: stop that first, so that its messages can be put back",
                       queue_name(queue), user);
  return found;
}

static int make(const void *what) {
  const struct ckpt_queue *queue = what;
  int id = msgget(queue->key, IPC_CREAT | IPC_EXCL | (int)(queue->mode | 0600));
  return id < 0 ? -errno : id;
}

static void remove_one(int id) {
  msgctl(id, IPC_RMID, NULL);
}

int queue_make_again(const struct ckpt_queue *queue) {
  const struct sysv_maker maker = {"/proc/sys/kernel/msg_next_id", make, remove_one, queue};
  int id = sysv_make_with_id(&maker, queue->id);
  if (id == -EBUSY)
    return say_problem("%s cannot be made again: its id is not to be had; choosing one needs root or "
                       "CAP_CHECKPOINT_RESTORE",
                       queue_name(queue));
  return id < 0 ? say_problem("%s cannot be made again: %s", queue_name(queue), strerror(-id)) : 0;
}

/* What it holds now is of a later time. */
static int empty(const struct ckpt_queue *queue) {
  struct kernel_message *room = malloc(sizeof *room + 1);
  if (!room)
    return -ENOMEM;
  while (msgrcv(queue->id, room, 1, 0, IPC_NOWAIT | MSG_NOERROR) >= 0)
    ;
  free(room);
  return errno == ENOMSG ? 0 : -errno;
}

static int set_properties(const struct ckpt_queue *queue) {
  struct msqid_ds now;
  if (msgctl(queue->id, IPC_STAT, &now) < 0)
    return -errno;
  if (now.msg_qbytes == queue->room && now.msg_perm.uid == queue->uid && now.msg_perm.gid == queue->gid &&
      (now.msg_perm.mode & 0777) == queue->mode)
    return 0;
  now.msg_qbytes = queue->room;
  now.msg_perm.uid = queue->uid;
  now.msg_perm.gid = queue->gid;
  now.msg_perm.mode = (unsigned short)queue->mode;
  return msgctl(queue->id, IPC_SET, &now) < 0 ? -errno : 0;
}

static int send_all(const struct image *image, const struct ckpt_queue *queue) {
  const uint8_t *at = image->blob + queue->data;
  struct kernel_message *room = malloc(sizeof *room + queue->data_size + 1);
  int result = room ? 0 : -ENOMEM;
  for (uint32_t i = 0; i < queue->count && result == 0; i++) {
    struct ckpt_message head;
    const uint8_t *bytes = take(&at, &head);
    room->type = head.type;
    memcpy(room->bytes, bytes, head.size);
    result = msgsnd(queue->id, room, head.size, IPC_NOWAIT) < 0 ? -errno : 0;
  }
  free(room);
  return result;
}

int queue_fill(const struct image *image, const struct ckpt_queue *queue) {
  int result = empty(queue);
  if (result == 0)
    result = set_properties(queue);
  if (result == 0)
    result = send_all(image, queue);
  return result < 0 ? say_problem("%s cannot be put back: %s", queue_name(queue), strerror(-result)) : 0;
}
