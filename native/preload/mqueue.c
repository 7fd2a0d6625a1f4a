/* POSIX message queues. A queue lives in the kernel under its name, with or without the program: it is opened
 * again, and only made again when it was empty. Its messages could only be looked at by taking them, which
 * others would see. */
#include <errno.h>
#include <mqueue.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"

/* The file of a queue says "QSIZE:5 NOTIFY:0 SIGNO:0 NOTIFY_PID:4711". To open it once more would not do:
 * whoever closes a queue is not notified any more. */
static bool notifies_us(const struct looking *l) {
  char words[128];
  long n = sys(SYS_(pread64), l->fd, words, sizeof words - 1, 0);
  words[n < 0 ? 0 : n] = 0;
  for (const char *at = words; *at; at++)
    if (text_starts(at, "NOTIFY_PID:")) {
      at += sizeof "NOTIFY_PID:" - 1;
      return (int32_t)text_take_decimal(&at) == l->c->process.pid;
    }
  return false;
}

static bool is_plain(const char *name) {
  while (*++name)
    if (*name == '/')
      return false;
  return true;
}

long describe_queue(struct looking *l, struct ckpt_description *d) {
  struct mq_attr attributes;
  long result = sys(SYS_(mq_getsetattr), l->fd, NULL, &attributes);
  if (result < 0 || !is_plain(l->name))
    return refuse(l, "a file of the message queues'");
  if (l->st.st_nlink == 0)
    return refuse(l, "a message queue that has been removed");
  if (notifies_us(l))
    return refuse(l, "a message queue that notifies the program");
  d->kind = CKPT_DESC_QUEUE;
  d->pos = (uint64_t)attributes.mq_curmsgs;
  d->a = (uint64_t)attributes.mq_maxmsg;
  d->b = (uint64_t)attributes.mq_msgsize | (uint64_t)(l->st.st_mode & 07777) << 32;
  return 0;
}
