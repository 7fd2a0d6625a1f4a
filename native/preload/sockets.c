/* Sockets: pairs of unix sockets with both ends in the process, and what waits in them. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "format/socket_options.h"
#include "sockets.h"
#include "unix_diag.h"

enum { PEEK_MOST = 1 << 20 };

int get_number(const struct looking *l, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return sys(SYS_(getsockopt), l->fd, SOL_SOCKET, name, &value, &size) < 0 ? 0 : value;
}

static void set_number(const struct looking *l, int name, int value) {
  sys(SYS_(setsockopt), l->fd, SOL_SOCKET, name, &value, sizeof value);
}

long refuse_socket(struct looking *l, const struct ckpt_socket *socket) {
  static const struct {
    int domain, type;
    const char *words;
  } known[] = {
      {AF_INET, SOCK_STREAM, "a TCP socket"},
      {AF_INET6, SOCK_STREAM, "a TCP socket (IPv6)"},
      {AF_INET, SOCK_DGRAM, "a UDP socket"},
      {AF_INET6, SOCK_DGRAM, "a UDP socket (IPv6)"},
      {AF_UNIX, SOCK_STREAM, "a unix stream socket to another process or with a name"},
      {AF_UNIX, SOCK_DGRAM, "a unix datagram socket to another process or with a name"},
      {AF_UNIX, SOCK_SEQPACKET, "a unix packet socket to another process or with a name"},
      {AF_NETLINK, SOCK_RAW, "a netlink socket"},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i].domain == socket->domain && known[i].type == socket->type)
      return refuse(l, known[i].words);
  return refuse(l, "a socket");
}

/* The sizes of TCP's buffers are its own, and stop to be so once they are set. */
static bool is_own_choice(const struct looking *l, const struct ckpt_option *option) {
  enum { SET_SEND = 1, SET_RECEIVE = 2 };
  if (option->level != SOL_SOCKET || (option->name != SO_SNDBUF && option->name != SO_RCVBUF))
    return true;
  return get_number(l, SO_DOMAIN) == AF_UNIX ||
         get_number(l, 72 /* SO_BUF_LOCK */) & (option->name == SO_SNDBUF ? SET_SEND : SET_RECEIVE);
}

long add_options(struct looking *l, uint32_t index) {
  for (size_t i = 0; i < SOCKET_OPTIONS; i++) {
    struct ckpt_option option = {
        .socket = index, .level = socket_options[i].level, .name = socket_options[i].name};
    socklen_t size = socket_options[i].size;
    if (sys(SYS_(getsockopt), l->fd, option.level, option.name, option.value, &size) < 0 ||
        size != socket_options[i].size)
      continue; /* not one of this kind of socket, or of this kernel */
    if (!is_own_choice(l, &option))
      continue;
    option.size = size;
    struct ckpt_option *entry = list_add(&l->c->arena, &l->c->options, sizeof *entry);
    if (!entry)
      return -ENOMEM;
    *entry = option;
  }
  return 0;
}

/* ---- What waits to be read ---------------------------------------------------------------------------- */

/* The next packet, or whatever piece of a stream is there, at the place that SO_PEEK_OFF has come to. */
static long peek_next(struct looking *l, bool *ended) {
  struct iovec piece = {.iov_base = l->peeked, .iov_len = PEEK_MOST};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  long n = sys(SYS_(recvmsg), l->fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
  if (n == -EAGAIN || n == -ECONNRESET) {
    *ended = true;
    return 0;
  }
  if (n < 0)
    return fail(l->c, n, "descriptor %d: what waits in the socket cannot be read: %s", (int64_t)l->fd,
                text_errno(n));
  if (message.msg_flags & MSG_CTRUNC)
    return refuse(l, "a unix socket with descriptors in flight");
  if (n > PEEK_MOST)
    return refuse(l, "a unix socket with a packet of more than 1 MiB in it");
  return n;
}

static long add_packet(struct looking *l, const char *bytes, long n) {
  uint32_t length = (uint32_t)n;
  long result = list_add_bytes(&l->c->arena, &l->c->blob, &length, sizeof length);
  return result < 0 ? result : list_add_bytes(&l->c->arena, &l->c->blob, bytes, length);
}

static long peek_all(struct looking *l, const struct ckpt_socket *socket) {
  int waiting = 0, seen = 0;
  bool ended = false;
  if (sys(SYS_(ioctl), l->fd, FIONREAD, &waiting) < 0)
    waiting = 0;
  while (socket->type == SOCK_DGRAM || seen < waiting) {
    long n = peek_next(l, &ended);
    if (n < 0)
      return n;
    if (ended || (n == 0 && socket->shutdown & 1))
      break;
    seen += (int)n;
    n = add_packet(l, l->peeked, n);
    if (n < 0)
      return n;
  }
  if (socket->type != SOCK_DGRAM && seen != waiting)
    return refuse(l, "a unix socket with urgent data in it");
  return 0;
}

/* With SO_PEEK_OFF each look goes on behind the last one and nothing is consumed. Credentials would come
 * along as control data, and look like descriptors in flight. */
static long peek_socket(struct looking *l, const struct ckpt_socket *socket, struct ckpt_description *d) {
  int from = get_number(l, SO_PEEK_OFF), credentials = get_number(l, SO_PASSCRED);
  if (!l->peeked && !(l->peeked = arena_take(&l->c->arena, PEEK_MOST)))
    return -ENOMEM;
  d->data = l->c->blob.count;
  set_number(l, SO_PASSCRED, 0);
  set_number(l, SO_PEEK_OFF, 0);
  long result = peek_all(l, socket);
  set_number(l, SO_PEEK_OFF, from);
  set_number(l, SO_PASSCRED, credentials);
  d->data_size = l->c->blob.count - d->data;
  return result;
}

/* ---- Kinds -------------------------------------------------------------------------------------------- */

static long describe_pair(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d) {
  struct unix_facts facts;
  struct pollfd poller = {.fd = l->fd};
  long result = unix_diag(socket->inode, &facts);
  if (result < 0)
    return fail(l->c, result, "descriptor %d: the kernel does not tell the other end of %s: %s",
                (int64_t)l->fd, l->name, text_errno(result));
  /* An end that waits to be accepted has no number either, but is not shut. */
  if (!facts.connected || facts.named ||
      (facts.peer == 0 && socket->type != SOCK_DGRAM && facts.shutdown != 3))
    return refuse_socket(l, socket);
  socket->peer = facts.peer;
  socket->shutdown = facts.shutdown;
  if (facts.peer == 0 && sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & POLLERR)
    socket->flags |= CKPT_SOCKET_RESET;
  struct ckpt_socket *entry = list_add(&l->c->arena, &l->c->sockets, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = *socket;
  d->kind = CKPT_DESC_SOCKET_PAIR;
  d->a = l->c->sockets.count - 1;
  result = add_options(l, (uint32_t)d->a);
  return result < 0 ? result : peek_socket(l, socket, d);
}

long describe_socket(struct looking *l, struct ckpt_description *d) {
  struct ckpt_socket socket = {
      .domain = get_number(l, SO_DOMAIN),
      .type = get_number(l, SO_TYPE),
      .protocol = get_number(l, SO_PROTOCOL),
      .inode = l->st.st_ino,
  };
  if (leads_outside(l))
    return describe_outside(l, d);
  if (socket.domain == AF_UNIX)
    return describe_pair(l, &socket, d);
  if (socket.domain == AF_INET || socket.domain == AF_INET6)
    return describe_inet(l, &socket, d);
  return refuse_socket(l, &socket);
}

/* Of a pair whose other end is not in the process nothing can be brought back. */
long describe_socket_pairs(struct looking *l, const struct list *inodes) {
  struct checkpoint *c = l->c;
  const struct ckpt_description *all = c->descriptions.entries;
  const struct ckpt_socket *sockets = c->sockets.entries;
  const struct inode *known = inodes->entries;
  for (size_t i = 0; i < c->descriptions.count; i++) {
    if (all[i].kind != CKPT_DESC_SOCKET_PAIR || sockets[all[i].a].peer == 0)
      continue;
    const struct ckpt_socket *socket = &sockets[all[i].a];
    bool found = false;
    for (size_t j = 0; j < c->sockets.count && !found; j++)
      found = sockets[j].inode == socket->peer && sockets[j].peer == socket->inode;
    l->fd = known[i].fd;
    text_copy(l->name, sizeof l->name, string_at(c, all[i].name));
    if (!found)
      return refuse_socket(l, socket);
  }
  return 0;
}
