/* A member of a job: reports to the leader how far it has come, and waits for what comes next. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/sys.h"
#include "core/text.h"
#include "job.h"

static long report(struct checkpoint *c, enum ckpt_report_kind kind, int fd) {
  struct ckpt_report *packet = (struct ckpt_report *)c->scratch;
  memset(packet, 0, sizeof *packet);
  packet->size = sizeof *packet;
  packet->version = CKPT_CONTROL_VERSION;
  packet->kind = kind;
  packet->bytes = c->file_size;
  return message_send(c->requester, packet, sizeof *packet, fd);
}

/* The leader may wait for others as long as it likes: when it is gone, the socket says so. */
static long wait_for(struct checkpoint *c, enum order_kind wanted, int *fd) {
  long n = message_receive(c->requester, c->order, sizeof *c->order, fd);
  if (n == (long)sizeof *c->order && c->order->size == sizeof *c->order && c->order->kind == wanted)
    return 0;
  if (n >= 0 && *fd >= 0)
    sys(SYS_(close), *fd);
  return fail(c, -ECANCELED, "the process that leads the job has given up");
}

long member_join(struct checkpoint *c) {
  c->order = arena_take(&c->arena, sizeof *c->order);
  c->scratch = arena_take(&c->arena, SCRATCH);
  if (!c->order || !c->scratch)
    return -ENOMEM;
  struct timeval none = {0};
  sys(SYS_(setsockopt), c->requester, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  long result = open_files_list(c);
  long files = result < 0 ? result : open_files_send(c);
  if (files < 0)
    return files;
  result = report(c, CKPT_REPORT_JOINED, (int)files);
  sys(SYS_(close), files);
  int fd;
  if (result == 0)
    result = wait_for(c, ORDER_DESCRIBE, &fd);
  if (result < 0)
    return result;
  c->open_files.count = 0;
  result = fd < 0 ? -EPROTO : open_files_receive(c, fd, 0);
  if (fd >= 0)
    sys(SYS_(close), fd);
  return result;
}

long member_describe(struct checkpoint *c) {
  int fd;
  long result = report(c, CKPT_REPORT_DESCRIBED, -1);
  if (result == 0)
    result = wait_for(c, ORDER_WRITE, &fd);
  if (result < 0)
    return result;
  c->temp_fd = fd;
  return fd < 0 ? -EPROTO : 0;
}

long member_store(struct checkpoint *c) {
  c->image.number = c->order->number;
  text_copy(c->job_dir, sizeof c->job_dir, c->order->job_dir);
  /* Not c->temp_name: the directory is the leader's to remove. */
  long job = add_string(c, text_base(c->job_dir));
  c->image.job = job < 0 ? 0 : (ckpt_string)job;
  return job < 0 ? job : 0;
}

/* The image is whole when the leader says so. */
long member_written(struct checkpoint *c) {
  int fd;
  long result = report(c, CKPT_REPORT_DONE, -1);
  if (result < 0)
    return result;
  long n = message_receive(c->requester, c->order, sizeof *c->order, &fd);
  if (fd >= 0)
    sys(SYS_(close), fd);
  if (n != (long)sizeof *c->order)
    return fail(c, -ECANCELED, "the process that leads the job has ended");
  if (c->order->kind == ORDER_END)
    c->request.flags |= CKPT_REQUEST_KILL;
  return 0;
}
