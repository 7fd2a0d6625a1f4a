/* A member of a job: reports to the leader how far it has come, and waits for what comes next. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "messages.h"
#include "open_files.h"
#include "tcp_ends.h"

static long report(struct checkpoint *c, enum ckpt_report_kind kind, const struct offering *offering,
                   struct passed passed) {
  struct ckpt_report *packet = (struct ckpt_report *)c->scratch;
  memset(packet, 0, sizeof *packet);
  packet->size = sizeof *packet;
  packet->version = CKPT_CONTROL_VERSION;
  packet->kind = kind;
  packet->bytes = c->file_size;
  packet->number = offering ? offering->list : 0;
  packet->total = offering ? offering->count : 0;
  return message_send(c->requester, packet, sizeof *packet, passed);
}

static long give_up(struct checkpoint *c) {
  return fail(c, -ECANCELED, "the process that leads the job has given up");
}

/* The leader may wait for others as long as it likes: when it is gone, the socket says so. 0: any order. */
static long wait_for(struct checkpoint *c, enum order_kind wanted, struct passed *passed) {
  long n = message_receive(c->requester, c->order, sizeof *c->order, passed);
  if (n == (long)sizeof *c->order && c->order->size == sizeof *c->order &&
      (c->order->kind == wanted || !wanted))
    return 0;
  passed_close(passed);
  return give_up(c);
}

/* The lists that are passed to the leader. */
static long report_lists(struct checkpoint *c, enum ckpt_report_kind kind) {
  const struct offering counted = {.list = c->open_files.count};
  long files = open_files_send(c);
  if (files < 0)
    return files;
  long result = report(c, kind, &counted, (struct passed){{(int)files, -1, -1}});
  sys(SYS_(close), files);
  return result;
}

/* An order that comes with the lists of all. */
static long wait_for_lists(struct checkpoint *c) {
  struct passed passed;
  long result = wait_for(c, 0, &passed);
  if (result < 0)
    return result;
  result = passed.fds[0] < 0 ? -EPROTO : open_files_receive(c, passed.fds[0], c->order->files, 0);
  passed_close(&passed);
  return result;
}

static void forget_first(struct list *list, size_t count, size_t entry_size) {
  char *entries = list->entries;
  list->count -= count;
  memmove(entries, entries + count * entry_size, list->count * entry_size);
}

/* What this process adds to the lists of all is sent alone. */
static long list_more(struct checkpoint *c) {
  size_t files = c->open_files.count, ends = c->tcp_ends.count;
  long result = open_files_list_more(c);
  if (result < 0)
    return result;
  forget_first(&c->open_files, files, sizeof(struct open_file));
  forget_first(&c->tcp_ends, ends, sizeof(struct tcp_end));
  c->left_out.count = 0;
  return report_lists(c, CKPT_REPORT_LISTED);
}

long member_join(struct checkpoint *c) {
  c->order = arena_take(&c->arena, sizeof *c->order);
  c->scratch = arena_take(&c->arena, SCRATCH);
  if (!c->order || !c->scratch)
    return -ENOMEM;
  struct timeval none = {0};
  sys(SYS_(setsockopt), c->requester, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  long result = open_files_list(c);
  if (result == 0)
    result = report_lists(c, CKPT_REPORT_JOINED);
  if (result == 0)
    result = wait_for_lists(c);
  while (result == 0 && c->order->kind == ORDER_LIST) {
    result = list_more(c);
    if (result == 0)
      result = wait_for_lists(c);
  }
  return result < 0 || c->order->kind == ORDER_DESCRIBE ? result : give_up(c);
}

long member_describe(struct checkpoint *c) {
  struct offering offering = {.memory = -1, .pagemap = -1};
  struct passed passed;
  if (c->order->has_children)
    offers_make(c, &offering);
  long result =
      report(c, CKPT_REPORT_DESCRIBED, &offering, (struct passed){{offering.memory, offering.pagemap, -1}});
  offers_close(&offering);
  if (result == 0)
    result = wait_for(c, ORDER_WRITE, &passed);
  if (result < 0)
    return result;
  /* Its parent may have ended since, and another is that now. */
  bool is_offered = passed.fds[2] >= 0 && c->order->parent == c->process.ppid;
  c->temp_fd = passed.fds[0];
  c->parent = (struct offering){.memory = passed.fds[1],
                                .pagemap = passed.fds[2],
                                .list = c->order->offers,
                                .count = is_offered ? c->order->offer_count : 0};
  return c->temp_fd < 0 ? -EPROTO : 0;
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
  struct passed passed;
  long result = report(c, CKPT_REPORT_DONE, NULL, NOTHING_PASSED);
  if (result < 0)
    return result;
  long n = message_receive(c->requester, c->order, sizeof *c->order, &passed);
  passed_close(&passed);
  if (n != (long)sizeof *c->order)
    return fail(c, -ECANCELED, "the process that leads the job has ended");
  /* Which was to be so only if all goes well. */
  if (c->order->kind != ORDER_END)
    c->request.flags &= ~(uint32_t)CKPT_REQUEST_KILL;
  return 0;
}
