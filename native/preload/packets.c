/* What waits to be read from a unix or UDP socket, and which descriptors are in flight in it: all of it is
 * peeked, nothing is consumed. A look at descriptors in flight makes duplicates of them in this process. They
 * are described like the program's own, and closed when the image is written. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "core/text.h"
#include "sockets.h"

enum {
  RIGHTS_MOST = 253, /* SCM_MAX_FD */
  PASS_SECURITY = 34,
  PASS_PIDFD = 76,
};

static const size_t credentials_only = CMSG_SPACE(sizeof(struct ucred));

struct peek {
  struct looking *l;
  struct list packets;
  struct iovec piece;
  struct msghdr message;
  uint8_t address[sizeof((struct ckpt_socket *)0)->address];
  char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MOST * sizeof(int))]
      __attribute__((aligned(8)));
};

static long list_add_part(struct checkpoint *c, struct list *bytes, const void *data, size_t size) {
  long offset = size ? list_add_bytes(&c->arena, bytes, data, size) : 0;
  return offset < 0 ? offset : 0;
}

long add_packet(struct checkpoint *c, struct list *packets, const struct ckpt_packet *head,
                const uint32_t *rights, const void *address, const void *bytes) {
  long result = list_add_part(c, packets, head, sizeof *head);
  if (result == 0)
    result = list_add_part(c, packets, rights, head->rights * sizeof *rights);
  if (result == 0)
    result = list_add_part(c, packets, address, head->address_size);
  return result < 0 ? result : list_add_part(c, packets, bytes, head->size);
}

long keep_packets(struct checkpoint *c, const struct list *packets, size_t description) {
  struct ckpt_description *d = (struct ckpt_description *)c->descriptions.entries + description;
  d->data = c->blob.count;
  d->data_size = packets->count;
  return list_add_part(c, &c->blob, packets->entries, packets->count);
}

/* The next packet, or what a stream has at the place where SO_PEEK_OFF stands; 0 at the end. */
static long look_at(struct peek *p, size_t size, size_t control_size) {
  p->piece = (struct iovec){.iov_base = p->l->peeked, .iov_len = size};
  p->message = (struct msghdr){.msg_iov = &p->piece,
                               .msg_iovlen = 1,
                               .msg_name = p->address,
                               .msg_namelen = sizeof p->address,
                               .msg_control = p->control,
                               .msg_controllen = control_size};
  return sys(SYS_(recvmsg), p->l->fd, &p->message, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
}

/* ---- What comes along --------------------------------------------------------------------------------- */

/* Whatever happens, they are closed in the end. 0, 1 and 2 are the program's, even when it has closed them.
 */
static long take_rights(struct checkpoint *c, const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    long fd = fds[i] > 2 ? fds[i] : sys(SYS_(fcntl), fds[i], F_DUPFD_CLOEXEC, 3);
    if (fd != fds[i])
      sys(SYS_(close), fds[i]);
    struct ckpt_descriptor *entry = fd < 0 ? NULL : list_add(&c->arena, &c->in_flight, sizeof *entry);
    if (!entry) {
      for (size_t j = i; j < count; j++)
        sys(SYS_(close), j == i ? fd : fds[j]);
      return fd < 0 ? fd : -ENOMEM;
    }
    entry->fd = (int32_t)fd;
  }
  return 0;
}

static long take_control(struct peek *p, struct ckpt_packet *head) {
  size_t end = p->message.msg_controllen;
  long result = 0;
  for (size_t at = 0; result == 0 && at + sizeof(struct cmsghdr) <= end;) {
    struct cmsghdr control;
    const char *data = p->control + at + CMSG_LEN(0);
    memcpy(&control, p->control + at, sizeof control);
    if (control.cmsg_len < sizeof control || control.cmsg_len > end - at)
      return -EPROTO;
    size_t size = control.cmsg_len - CMSG_LEN(0);
    if (control.cmsg_level == SOL_SOCKET && control.cmsg_type == SCM_CREDENTIALS &&
        size >= sizeof(struct ucred))
      memcpy(&head->pid, data, sizeof(struct ucred));
    if (control.cmsg_level == SOL_SOCKET && control.cmsg_type == SCM_RIGHTS) {
      head->rights = (uint32_t)(size / sizeof(int));
      result = take_rights(p->l->c, (const int *)(const void *)data, head->rights);
    }
    at += CMSG_ALIGN(control.cmsg_len);
  }
  return result;
}

/* Which open files those that were taken last are. */
static long describe_rights(struct peek *p, struct list *inodes, uint32_t count, uint32_t *rights) {
  struct looking *l = p->l;
  int fd = l->fd;
  size_t first = l->c->in_flight.count - count;
  long result = 0;
  for (uint32_t i = 0; i < count && result >= 0; i++) {
    struct ckpt_descriptor *taken = (struct ckpt_descriptor *)l->c->in_flight.entries + first + i;
    l->fd = taken->fd;
    result = find_description(l, inodes);
    taken->description = rights[i] = (uint32_t)result;
  }
  l->fd = fd;
  return result < 0 ? result : 0;
}

static long keep_one(struct peek *p, struct list *inodes, size_t size) {
  _Static_assert(offsetof(struct ckpt_packet, gid) - offsetof(struct ckpt_packet, pid) ==
                     offsetof(struct ucred, gid),
                 "take_control copies credentials as one");
  uint32_t rights[RIGHTS_MOST];
  struct ckpt_packet head = {.size = (uint32_t)size};
  if (p->message.msg_flags & MSG_CTRUNC)
    return refuse(p->l, "a unix socket with descriptors in flight for which there is no room here");
  long result = take_control(p, &head);
  if (result == 0 && inodes)
    result = describe_rights(p, inodes, head.rights, rights);
  if (result < 0)
    return fail(p->l->c, result, "descriptor %d: what is in flight in it cannot be described: %s",
                (int64_t)p->l->fd, text_errno(result));
  if (!inodes)
    return 0;
  if (p->message.msg_namelen > sizeof(sa_family_t) && p->message.msg_namelen <= sizeof p->address)
    head.address_size = p->message.msg_namelen;
  return add_packet(p->l->c, &p->packets, &head, rights, p->address, p->l->peeked);
}

/* ---- Streams and packets ------------------------------------------------------------------------------ */

/* A look at a stream goes on until it has met descriptors, even when its room is used up: it does not tell
 * where in its bytes their piece begins. But it takes a piece whole or not at all, and stops at one that
 * it cannot copy: the same look with its last byte in a page that nobody may write ends in front of them. */
static long look_before(struct peek *p, size_t size) {
  struct iovec pieces[2] = {{.iov_base = p->l->peeked, .iov_len = size - 1},
                            {.iov_base = (char *)p->l->c->arena.start, .iov_len = 1}};
  p->message.msg_iov = pieces;
  p->message.msg_iovlen = 2;
  p->message.msg_controllen = credentials_only;
  p->message.msg_flags = 0;
  long n = sys(SYS_(recvmsg), p->l->fd, &p->message, MSG_PEEK | MSG_DONTWAIT);
  return n == -EFAULT ? 0 : n;
}

/* Either no descriptors go with what it returns, or its first byte is where they are met. */
static long look_at_piece(struct peek *p, int from) {
  set_number(p->l, SO_PEEK_OFF, from);
  long n = look_at(p, PEEK_MOST, credentials_only);
  if (n <= 0 || !(p->message.msg_flags & MSG_CTRUNC))
    return n;
  set_number(p->l, SO_PEEK_OFF, from);
  n = look_before(p, (size_t)n);
  return n == 0 ? look_at(p, PEEK_MOST, sizeof p->control) : n;
}

/* An empty packet that has been looked at before shows itself only to a look without SO_PEEK_OFF, and only
 * when it is the first. */
static bool hides_empty(const struct looking *l) {
  struct pollfd poller = {.fd = l->fd, .events = POLLIN | POLLRDHUP};
  char byte;
  set_number(l, SO_PEEK_OFF, -1);
  return sys(SYS_(poll), &poller, 1, 0) == 1 && (poller.revents & (POLLIN | POLLRDHUP)) == POLLIN &&
         sys(SYS_(recvfrom), l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC, NULL, NULL) == 0;
}

static long peek_all(struct peek *p, const struct ckpt_socket *socket, struct list *inodes) {
  bool stream = socket->type == SOCK_STREAM;
  long first = -1; /* the size of the first packet */
  int waiting = 0, seen = 0;
  if (stream && socket_polls(p->l, POLLPRI))
    return refuse(p->l, "a unix socket with urgent data in it");
  if (sys(SYS_(ioctl), p->l->fd, FIONREAD, &waiting) < 0)
    waiting = 0;
  while (!stream || seen < waiting) {
    long n = stream ? look_at_piece(p, seen) : look_at(p, PEEK_MOST, sizeof p->control);
    if (n == -EAGAIN || n == -ECONNRESET || (n == 0 && socket->shutdown & 1))
      break;
    if (n > PEEK_MOST)
      return refuse(p->l, "a unix socket with a packet of more than 1 MiB in it");
    if (n < 0)
      return fail(p->l->c, n, "descriptor %d: what waits in the socket cannot be read: %s", (int64_t)p->l->fd,
                  text_errno(n));
    seen += (int)n;
    first = first < 0 ? n : first;
    n = keep_one(p, inodes, (size_t)n);
    if (n < 0)
      return n;
  }
  if (socket->type != SOCK_DGRAM && seen != waiting)
    return refuse(p->l, "a unix socket with urgent data in it");
  if (!stream && first != 0 && hides_empty(p->l))
    return fail(
        p->l->c, -EAGAIN,
        "descriptor %d is a socket with an empty packet in it (%s), which has been looked at before and does "
        "not show itself again: try again",
        (int64_t)p->l->fd, p->l->name);
  return 0;
}

/* With SO_PEEK_OFF each look goes on behind the last one and nothing is consumed. */
long peek_packets(struct looking *l, const struct ckpt_socket *socket, size_t description,
                  struct list *inodes) {
  struct peek p = {.l = l};
  int from = get_number(l, SO_PEEK_OFF), credentials = get_number(l, SO_PASSCRED);
  int security = get_number(l, PASS_SECURITY), pidfd = get_number(l, PASS_PIDFD);
  if (socket->flags & CKPT_SOCKET_LISTENS ||
      (socket->type != SOCK_DGRAM && !(socket->flags & CKPT_SOCKET_CONNECTED)))
    return 0;
  set_number(l, SO_PASSCRED, 1);
  set_number(l, PASS_SECURITY, 0);
  set_number(l, PASS_PIDFD, 0);
  set_number(l, SO_PEEK_OFF, 0);
  long result = peek_all(&p, socket, inodes);
  set_number(l, SO_PEEK_OFF, from);
  set_number(l, PASS_PIDFD, pidfd);
  set_number(l, PASS_SECURITY, security);
  set_number(l, SO_PASSCRED, credentials);
  return result < 0 || !inodes ? result : keep_packets(l->c, &p.packets, description);
}
