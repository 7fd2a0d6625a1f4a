/* System V message queues, with their messages, which are copied and stay where they are (MSG_COPY). */
#include <errno.h>
#include <sys/msg.h>

#include "core/sys.h"
#include "core/text.h"
#include "sysv_describe.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

/* key msqid perms cbytes qnum lspid lrpid uid gid cuid ... */
bool queue_is_used(const struct checkpoint *c, const int64_t columns[SYSV_COLUMNS]) {
  return columns[5] == c->process.pid || columns[6] == c->process.pid;
}

struct kernel_message {
  int64_t type;
  char bytes[];
};

/* The message with this number, from 0, into the blob; `room` has room for all of the queue. */
static long add_message(struct checkpoint *c, int32_t id, uint32_t number, struct kernel_message *room,
                        size_t size) {
  long n = sys(SYS_(msgrcv), id, room, size, number, MSG_COPY | IPC_NOWAIT);
  if (n < 0)
    return n;
  struct ckpt_message head = {.type = room->type, .size = (uint32_t)n};
  long result = list_add_bytes(&c->arena, &c->blob, &head, sizeof head);
  return result < 0 ? result : list_add_bytes(&c->arena, &c->blob, room->bytes, (size_t)n);
}

static long add_messages(struct checkpoint *c, int32_t id, const struct msqid_ds *now) {
  struct kernel_message *room =
      now->msg_qnum ? arena_take(&c->arena, sizeof *room + now->__msg_cbytes) : NULL;
  long result = now->msg_qnum && !room ? -ENOMEM : 0;
  for (uint32_t i = 0; i < now->msg_qnum && result >= 0; i++)
    result = add_message(c, id, i, room, now->__msg_cbytes);
  return result;
}

static long read_failed(struct checkpoint *c, int32_t id, int32_t key, long error) {
  if (error == -ENOSYS)
    return fail(c, -EOPNOTSUPP,
                "messages wait in the System V queue %d (key 0x%x), and this kernel shows them to nobody "
                "(CONFIG_CHECKPOINT_RESTORE)",
                (int64_t)id, (uint64_t)(uint32_t)key);
  return fail(c, error, "the System V queue %d (key 0x%x) cannot be read: %s", (int64_t)id,
              (uint64_t)(uint32_t)key, text_errno(error));
}

long queue_add(struct checkpoint *c, int32_t id) {
  struct msqid_ds now;
  if (!sysv_is_new(&c->queues, sizeof(struct ckpt_queue), id))
    return 0;
  long result = sys(SYS_(msgctl), id, IPC_STAT, &now);
  if (result == -EINVAL || result == -EIDRM)
    return 0; /* it has been removed */
  if (result < 0)
    return read_failed(c, id, 0, result);
  size_t before = c->blob.count;
  result = add_messages(c, id, &now);
  if (result < 0)
    return read_failed(c, id, now.msg_perm.__key, result);
  struct ckpt_queue *entry = list_add(&c->arena, &c->queues, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = (struct ckpt_queue){
      .id = id,
      .key = now.msg_perm.__key,
      .mode = now.msg_perm.mode & 0777u,
      .uid = now.msg_perm.uid,
      .gid = now.msg_perm.gid,
      .count = (uint32_t)now.msg_qnum,
      .room = now.msg_qbytes,
      .data = before,
      .data_size = c->blob.count - before,
  };
  return 0;
}
