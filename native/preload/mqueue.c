/* POSIX message queues. A queue lives in the kernel under its name, with or without the program. Its messages
 * show themselves only to who takes them: that is done when nobody but the job has it open, while all of the
 * job stands still, and each is put back at once. Whom it is to notify, and of what, likewise: by a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "job.h"
#include "open_files.h"

/* A queue while its messages are taken. */
struct taking {
  struct looking *l;
  int fd; /* an opening of our own */
  bool notifies;
  uint32_t count;
  uint64_t message_size;
  char *room;  /* for all of them, struct ckpt_message after struct ckpt_message, and one more */
  size_t size; /* bytes of it */
  size_t filled;
  uint64_t bytes; /* of all of them, as the kernel counts */
  struct ckpt_notification notification;
};

/* ---- Who has it --------------------------------------------------------------------------------------- */

/* One entry for each process. */
static bool is_counted(const struct open_file *files, size_t at) {
  for (size_t i = 0; i < at; i++)
    if (files[i].ino == files[at].ino && files[i].dev == files[at].dev &&
        files[i].process == files[at].process)
      return true;
  return false;
}

static uint32_t users_in_job(const struct looking *l) {
  const struct open_file *files = l->c->open_files.entries;
  uint32_t count = 0;
  for (size_t i = 0; i < l->c->open_files.count; i++)
    count += files[i].ino == l->st.st_ino && files[i].dev == l->st.st_dev && !is_counted(files, i);
  return count ? count : 1; /* it is alone */
}

/* As far as this user, in this namespace, can tell. */
static bool only_job_has(struct looking *l) {
  struct dir *processes = arena_take(&l->c->arena, 2 * sizeof *processes);
  const struct inode inode = {.dev = l->st.st_dev, .ino = l->st.st_ino};
  uint32_t count = 0;
  uint64_t pid;
  if (!processes || dir_open(processes, AT_FDCWD, "/proc") < 0)
    return false;
  for (const char *name; (name = dir_next(processes));)
    count += text_is_decimal(name, &pid) &&
             process_has_open((int32_t)pid, processes + 1, &inode, S_IRUSR | S_IWUSR);
  dir_close(processes);
  return processes->error == 0 && count == users_in_job(l);
}

static bool sees_all(void) {
  char name[64];
  long n = sys(SYS_(readlinkat), AT_FDCWD, "/proc/self/ns/pid", name, sizeof name - 1);
  name[n < 0 ? 0 : n] = 0;
  return text_equal(name, "pid:[4026531836]") && sys(SYS_(geteuid)) == 0;
}

/* Somebody unseen may wait for room, and would get that of the first message which is taken. */
static bool may_be_taken(struct looking *l, const struct mq_attr *attributes) {
  bool full = attributes->mq_curmsgs == attributes->mq_maxmsg;
  return only_job_has(l) && (!full || l->st.st_nlink == 0 || sees_all());
}

/* ---- Its messages ------------------------------------------------------------------------------------- */

static long take_messages(struct taking *t) {
  long n = 0;
  for (uint32_t i = 0; i < t->count && n >= 0; i++) {
    struct ckpt_message head = {0};
    uint32_t priority = 0;
    char *at = t->room + t->filled;
    if (t->size - t->filled < sizeof head + t->message_size)
      return -EBUSY; /* who sends meanwhile has not been seen */
    n = sys(SYS_(mq_timedreceive), t->fd, at + sizeof head, t->message_size, &priority, NULL);
    if (n < 0)
      break;
    head.type = priority;
    head.size = (uint32_t)n;
    memcpy(at, &head, sizeof head);
    t->filled += sizeof head + (size_t)n;
  }
  return n == -EAGAIN ? 0 : n;
}

/* The first comes into an empty queue, of which the process is notified. */
static long put_back(struct taking *t) {
  long result = 0;
  for (size_t at = 0; at < t->filled && result >= 0;) {
    struct ckpt_message head;
    memcpy(&head, t->room + at, sizeof head);
    result = sys(SYS_(mq_timedsend), t->fd, t->room + at + sizeof head, head.size, (uint32_t)head.type, NULL);
    at += sizeof head + head.size;
  }
  return result;
}

/* ---- Whom it notifies --------------------------------------------------------------------------------- */

/* The kernel puts a cookie of libc's into a netlink socket, where a thread of libc's waits for it. */
static long take_cookie(struct taking *t) {
  struct ckpt_notification *n = &t->notification;
  struct dir *dir = arena_take(&t->l->c->arena, sizeof *dir);
  uint64_t fd;
  long result = dir ? dir_open(dir, AT_FDCWD, "/proc/thread-self/fd") : -ENOMEM;
  if (result < 0)
    return result;
  result = -ENOENT;
  for (const char *name; result == -ENOENT && (name = dir_next(dir));) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (!text_is_decimal(name, &fd) ||
        sys(SYS_(getsockopt), (int)fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK ||
        sys(SYS_(recvfrom), (int)fd, n->cookie, sizeof n->cookie, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC, NULL,
            NULL) != sizeof n->cookie ||
        n->cookie[sizeof n->cookie - 1] != 1 /* NOTIFY_WOKENUP */)
      continue;
    n->socket = (int32_t)fd;
    result = sys(SYS_(recvfrom), (int)fd, n->cookie, sizeof n->cookie, MSG_DONTWAIT, NULL, NULL);
  }
  dir_close(dir);
  return result < 0 ? result : 0;
}

static long take_signal(struct taking *t) {
  static const struct timespec none;
  uint64_t set = 1ull << (t->notification.signal - 1);
  siginfo_t info;
  long result = sys(SYS_(rt_sigtimedwait), &set, &info, &none, sizeof set);
  if (result >= 0 && info.si_code != SI_MESGQ)
    return -EPROTO;
  t->notification.value = (uint64_t)info.si_value.sival_ptr;
  return result < 0 ? result : 0;
}

/* After the end of our own opening, which would end that. */
static long notify_again(struct taking *t) {
  struct ckpt_notification *n = &t->notification;
  struct {
    uint64_t value;
    int32_t signal, notify, pad[12];
  } event = {.value = n->value, .signal = (int32_t)n->signal, .notify = (int32_t)n->notify};
  if (n->notify == SIGEV_THREAD) {
    event.value = (uint64_t)n->cookie;
    event.signal = n->socket;
  }
  return sys(SYS_(mq_notify), t->l->fd, &event);
}

/* It has been told by now: what? */
static long look_at_notification(struct taking *t) {
  return t->notification.notify == SIGEV_SIGNAL   ? take_signal(t)
         : t->notification.notify == SIGEV_THREAD ? take_cookie(t)
                                                  : 0;
}

/* ---- All of it ---------------------------------------------------------------------------------------- */

/* The file of a queue says "QSIZE:5 NOTIFY:0 SIGNO:0 NOTIFY_PID:4711". */
static uint64_t word(const char *words, const char *name) {
  for (const char *at = words; *at; at++)
    if (text_starts(at, name)) {
      at += strlen(name);
      return text_take_decimal(&at);
    }
  return 0;
}

/* Who is to be notified (0: nobody). To open it once more for that would not do: whoever closes a queue is
 * not notified any more. */
static int32_t read_state(struct taking *t) {
  char words[128];
  long n = sys(SYS_(pread64), t->l->fd, words, sizeof words - 1, 0);
  if (n == -EBADF) /* it is only written to */
    n = sys(SYS_(pread64), t->fd, words, sizeof words - 1, 0);
  words[n < 0 ? 0 : n] = 0;
  t->bytes = word(words, "QSIZE:");
  t->notification.notify = (uint32_t)word(words, "NOTIFY:");
  t->notification.signal = (uint32_t)word(words, "SIGNO:");
  return (int32_t)word(words, "NOTIFY_PID:");
}

static bool is_first(const struct looking *l) {
  const struct open_file *files = l->c->open_files.entries;
  for (size_t i = 0; i < l->c->open_files.count; i++)
    if (files[i].ino == l->st.st_ino && files[i].dev == l->st.st_dev &&
        files[i].process < l->c->order->process)
      return false;
  return true;
}

/* Has another opening of it been described? To look once more would end what is to be notified by now. */
static bool is_known(const struct looking *l, const struct ckpt_description *d) {
  const struct ckpt_description *all = l->c->descriptions.entries;
  for (size_t i = 0; i < l->c->descriptions.count; i++)
    if (all[i].kind == CKPT_DESC_QUEUE && all[i].a == d->a)
      return true;
  return false;
}

static long failed(struct taking *t, long error, const char *what) {
  return fail(t->l->c, error, "descriptor %d: the message queue %s %s: %s", (int64_t)t->l->fd, t->l->name,
              what, text_errno(error));
}

static long take_and_put_back(struct taking *t) {
  bool empty = t->count == 0;
  long result = take_messages(t);
  long error = result < 0 ? 0 : empty && t->notifies ? sys(SYS_(mq_timedsend), t->fd, "", 0, 0, NULL) : 0;
  if (error >= 0)
    error = put_back(t);
  if (error < 0)
    return failed(t, error, "could not be given its messages back");
  if (result < 0)
    return failed(t, result, "cannot be read");
  if (empty && t->notifies)
    result = sys(SYS_(mq_timedreceive), t->fd, t->room, t->message_size, NULL, NULL);
  if (result >= 0 && t->notifies)
    result = look_at_notification(t);
  return result < 0 ? failed(t, result, "does not tell whom it notifies of what") : 0;
}

static long keep(struct taking *t, struct ckpt_description *d) {
  struct list *blob = &t->l->c->blob;
  size_t before = blob->count;
  long result = 0;
  if (t->notifies)
    result = list_add_bytes(&t->l->c->arena, blob, &t->notification, sizeof t->notification);
  if (result >= 0)
    result = list_add_bytes(&t->l->c->arena, blob, t->room, t->filled);
  d->data = before;
  d->data_size = blob->count - before;
  d->b |= CKPT_QUEUE_CARRIED | (t->notifies ? CKPT_QUEUE_NOTIFIES : 0);
  return result < 0 ? result : 0;
}

static long carry_messages(struct taking *t, struct ckpt_description *d) {
  uint64_t signal = t->notification.signal;
  /* One more of a number that waits already may be left out by the kernel, or come behind it. */
  if (t->notifies && signal && pending_signals() >> (signal - 1) & 1)
    return refuse(t->l, "a message queue that notifies the program by a signal which is pending already");
  t->size = t->bytes + (t->count + 1ul) * sizeof(struct ckpt_message) + t->message_size;
  t->room = arena_take(&t->l->c->arena, t->size);
  long result = t->room ? take_and_put_back(t) : -ENOMEM;
  return result < 0 ? result : keep(t, d);
}

static bool is_plain(const char *name) {
  while (*++name)
    if (*name == '/')
      return false;
  return true;
}

/* Of a job's processes the one that is notified takes the messages, or the first that has the queue. */
static long look_into(struct looking *l, struct ckpt_description *d, const struct mq_attr *attributes) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  struct taking t = {.l = l,
                     .fd = -1,
                     .count = (uint32_t)attributes->mq_curmsgs,
                     .message_size = (uint64_t)attributes->mq_msgsize};
  bool allowed = may_be_taken(l, attributes);
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)l->fd);
  if (allowed)
    t.fd = (int)sys(SYS_(openat), AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  int32_t owner = read_state(&t);
  t.notifies = owner == l->c->process.pid;
  long result = 0;
  if (t.fd < 0 && t.notifies)
    result = refuse(l, "a message queue that notifies the program, and that others have open");
  else if (t.fd < 0 && l->st.st_nlink == 0)
    result = refuse(l, "a message queue that has been removed, and that others have open");
  else if (t.fd >= 0 && (owner ? t.notifies : is_first(l)))
    result = carry_messages(&t, d);
  if (t.fd >= 0)
    sys(SYS_(close), t.fd);
  if (result == 0 && d->b & CKPT_QUEUE_NOTIFIES)
    result = notify_again(&t);
  return result;
}

long describe_queue(struct looking *l, struct ckpt_description *d) {
  struct mq_attr attributes;
  long result = sys(SYS_(mq_getsetattr), l->fd, NULL, &attributes);
  if (result < 0 || !is_plain(l->name))
    return refuse(l, "a file of the message queues'");
  d->kind = CKPT_DESC_QUEUE;
  d->pos = (uint64_t)attributes.mq_curmsgs;
  d->a = (uint64_t)attributes.mq_maxmsg | l->st.st_ino << 32;
  d->b = (uint64_t)attributes.mq_msgsize | (uint64_t)(l->st.st_mode & 07777) << 32 |
         (l->st.st_nlink ? 0 : CKPT_QUEUE_REMOVED);
  return is_known(l, d) ? 0 : look_into(l, d, &attributes);
}
