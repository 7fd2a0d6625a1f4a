/* Sockets: what those of all families have, and the order in which they are described. */
#include "sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "core/text.h"
#include "format/socket_options.h"
#include "open_files.h"
#include "tcp.h"
#include "tcp_ends.h"

int get_number(const struct looking *l, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return sys(SYS_(getsockopt), l->fd, SOL_SOCKET, name, &value, &size) < 0 ? 0 : value;
}

void set_number(const struct looking *l, int name, int value) {
  sys(SYS_(setsockopt), l->fd, SOL_SOCKET, name, &value, sizeof value);
}

bool socket_polls(const struct looking *l, short event) {
  struct pollfd poller = {.fd = l->fd, .events = event};
  return sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & event;
}

long wait_for_accept(struct looking *l, const char *what) {
  return fail(l->c, -EAGAIN,
              "descriptor %d is %s that waits to be accepted by the program, with data in it (%s), which "
              "nobody can read "
              "before: try again",
              (int64_t)l->fd, what, l->name);
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

long add_option(struct looking *l, const struct ckpt_option *option) {
  struct ckpt_option *entry = list_add(&l->c->arena, &l->c->options, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = *option;
  return 0;
}

/* A stream has them, from the packets that it began with, and does not let them be set. */
static bool is_for_datagrams(const struct ckpt_option *option) {
  return option->level == IPPROTO_IP ? option->name == IP_MULTICAST_IF || option->name == IP_MULTICAST_TTL
         : option->level == IPPROTO_IPV6
             ? option->name == IPV6_MULTICAST_IF || option->name == IPV6_MULTICAST_HOPS
             : false;
}

static long add_options(struct looking *l, uint32_t index) {
  bool stream = get_number(l, SO_TYPE) == SOCK_STREAM;
  for (size_t i = 0; i < SOCKET_OPTIONS; i++) {
    struct ckpt_option option = {
        .socket = index, .level = socket_options[i].level, .name = socket_options[i].name};
    socklen_t size = socket_options[i].size;
    if (sys(SYS_(getsockopt), l->fd, option.level, option.name, option.value, &size) < 0 ||
        size != socket_options[i].size)
      continue; /* not one of this kind of socket, or of this kernel */
    if (!is_own_choice(l, &option) || (stream && is_for_datagrams(&option)))
      continue;
    option.size = size;
    long result = add_option(l, &option);
    if (result < 0)
      return result;
  }
  return 0;
}

/* A packet filter as it was attached; of one in eBPF the kernel tells only that there is one. */
static long describe_filter(struct looking *l, struct ckpt_socket *socket) {
  socklen_t length = 0;
  long result = sys(SYS_(getsockopt), l->fd, SOL_SOCKET, SO_GET_FILTER, NULL, &length);
  if (result == -EACCES)
    return refuse(l, "a socket with a filter in eBPF");
  if (result < 0 || length == 0)
    return 0;
  struct sock_filter *filter =
      length > CKPT_FILTER_MOST ? NULL : arena_take(&l->c->arena, length * sizeof *filter);
  if (!filter)
    return -ENOMEM;
  result = sys(SYS_(getsockopt), l->fd, SOL_SOCKET, SO_GET_FILTER, filter, &length);
  if (result >= 0)
    result = list_add_bytes(&l->c->arena, &l->c->blob, filter, length * sizeof *filter);
  if (result < 0)
    return fail(l->c, result, "descriptor %d: the filter of the socket cannot be read: %s", (int64_t)l->fd,
                text_errno(result));
  socket->filter = (uint64_t)result;
  socket->filter_length = length;
  socket->flags |= get_number(l, SO_LOCK_FILTER) ? CKPT_SOCKET_FILTER_LOCKED : 0;
  return 0;
}

/* TLS by the kernel, or another protocol on top of TCP, whose state it keeps for itself. */
static bool has_upper_protocol(const struct looking *l) {
  char name[16];
  socklen_t size = sizeof name;
  return sys(SYS_(getsockopt), l->fd, IPPROTO_TCP, CKPT_TCP_ULP, name, &size) >= 0 && size > 0;
}

long add_socket(struct looking *l, const struct ckpt_socket *socket, struct ckpt_description *d) {
  struct ckpt_socket *entry = list_add(&l->c->arena, &l->c->sockets, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = *socket;
  long filter = describe_filter(l, entry);
  if (filter < 0)
    return filter;
  if (socket->protocol == IPPROTO_TCP && has_upper_protocol(l))
    return refuse(l, "a TCP socket with another protocol on top of it in the kernel (TLS)");
  d->kind = socket->domain == AF_UNIX      ? CKPT_DESC_UNIX_SOCKET
            : socket->domain == AF_NETLINK ? CKPT_DESC_NETLINK
                                           : CKPT_DESC_SOCKET;
  d->a = l->c->sockets.count - 1;
  long result = add_options(l, (uint32_t)d->a);
  return result < 0 || d->kind != CKPT_DESC_SOCKET || socket->type != SOCK_DGRAM
             ? result
             : add_memberships(l, (uint32_t)d->a);
}

struct ckpt_socket *socket_by_inode(const struct checkpoint *c, uint64_t inode) {
  struct ckpt_socket *sockets = c->sockets.entries;
  for (size_t i = 0; i < c->sockets.count; i++)
    if (sockets[i].inode == inode)
      return &sockets[i];
  return NULL;
}

bool socket_leads_outside(const struct looking *l, const struct ckpt_socket *socket) {
  return !is_the_jobs(l) && !(socket->domain == AF_UNIX && job_has_other_end(l, socket));
}

long describe_socket(struct looking *l, struct ckpt_description *d) {
  struct ckpt_socket socket = {
      .domain = get_number(l, SO_DOMAIN),
      .type = get_number(l, SO_TYPE),
      .protocol = get_number(l, SO_PROTOCOL),
      .inode = l->st.st_ino,
  };
  if (socket_leads_outside(l, &socket))
    return describe_outside(l, d);
  if (socket.domain == AF_UNIX)
    return describe_unix(l, &socket, d);
  if (socket.domain == AF_INET || socket.domain == AF_INET6)
    return describe_inet(l, &socket, d);
  if (socket.domain == AF_NETLINK)
    return describe_netlink(l, &socket, d);
  return refuse_socket(l, &socket);
}

/* Makes l->fd and l->name those of this description; null when it is none of a socket. */
static struct ckpt_socket *turn_to(struct looking *l, const struct list *inodes, size_t description) {
  const struct ckpt_description *d =
      (const struct ckpt_description *)l->c->descriptions.entries + description;
  const struct inode *known = inodes->entries;
  if (d->kind != CKPT_DESC_UNIX_SOCKET && d->kind != CKPT_DESC_SOCKET)
    return NULL;
  l->fd = known[description].fd;
  text_copy(l->name, sizeof l->name, string_at(l->c, d->name));
  return (struct ckpt_socket *)l->c->sockets.entries + d->a;
}

static bool has_packets(const struct checkpoint *c, size_t description) {
  return ((const struct ckpt_description *)c->descriptions.entries + description)->data_size > 0;
}

/* Is it this process that saves what waits there? */
static bool is_here(const struct checkpoint *c, size_t description) {
  return carries_shared(c, ((const struct ckpt_description *)c->descriptions.entries)[description].shared);
}

static bool is_tcp(const struct ckpt_socket *socket) {
  return socket->domain != AF_UNIX && socket->type == SOCK_STREAM;
}

/* A look at one that has an error to tell would take that away; and what UDP_GRO has put together does not
 * come in one piece again. */
static bool keeps_datagrams(const struct looking *l, const struct ckpt_socket *socket) {
  struct pollfd poller = {.fd = l->fd};
  int joins = 0;
  socklen_t size = sizeof joins;
  sys(SYS_(getsockopt), l->fd, IPPROTO_UDP, CKPT_UDP_GRO, &joins, &size);
  return socket->domain != AF_UNIX && socket->type == SOCK_DGRAM && socket->flags & CKPT_SOCKET_BOUND &&
         !joins && sys(SYS_(poll), &poller, 1, 0) == 0;
}

/* What is in flight may be sockets, with more in flight: the lists grow meanwhile. */
static long peek_first(struct looking *l, struct list *inodes) {
  for (size_t i = 0; i < l->c->descriptions.count; i++) {
    const struct ckpt_socket *socket = turn_to(l, inodes, i);
    bool peeks = is_here(l->c, i) && socket && (socket->domain == AF_UNIX || keeps_datagrams(l, socket));
    long result = peeks ? peek_packets(l, socket, i, inodes) : 0;
    if (result < 0)
      return result;
  }
  return 0;
}

/* Those that the processes of a job have told each other are known; what is in flight, and what a process has
 * that is alone, is not. */
static long add_tcp_ends(struct looking *l, const struct list *inodes) {
  size_t known = l->c->tcp_ends.count;
  for (size_t i = 0; i < l->c->descriptions.count; i++) {
    const struct ckpt_socket *socket = turn_to(l, inodes, i);
    bool is_new = socket && is_tcp(socket) && !tcp_end_of(l->c, socket->inode);
    long result = is_new ? add_tcp_end(l->c, l->fd, socket->inode) : 0;
    if (result < 0)
      return result;
  }
  if (l->c->tcp_ends.count > known)
    match_tcp_ends(l->c);
  return 0;
}

static long find_peers(struct looking *l, const struct list *inodes) {
  for (size_t i = 0; i < l->c->descriptions.count; i++) {
    struct ckpt_socket *socket = turn_to(l, inodes, i);
    if (!socket || (socket->domain != AF_UNIX && !is_tcp(socket)))
      continue;
    long result = socket->domain == AF_UNIX ? find_unix_peer(l, socket, has_packets(l->c, i))
                                            : find_tcp_peer(l, socket, is_here(l->c, i));
    if (result < 0)
      return result;
  }
  return 0;
}

/* Just before the program is ended: what the kernel keeps of its connections is to let others have their
 * addresses at once. */
static void leave_address(const struct checkpoint *c, const struct ckpt_descriptor *descriptor) {
  const struct ckpt_description *d =
      (const struct ckpt_description *)c->descriptions.entries + descriptor->description;
  int yes = 1;
  if (d->kind == CKPT_DESC_SOCKET && is_tcp((const struct ckpt_socket *)c->sockets.entries + d->a))
    sys(SYS_(setsockopt), descriptor->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

void leave_addresses(const struct checkpoint *c) {
  const struct ckpt_descriptor *own = c->descriptors.entries, *in_flight = c->in_flight.entries;
  for (size_t i = 0; i < c->descriptors.count; i++)
    leave_address(c, &own[i]);
  for (size_t i = 0; i < c->in_flight.count; i++)
    leave_address(c, &in_flight[i]);
}

long describe_sockets(struct looking *l, struct list *inodes) {
  if (l->c->sockets.count == 0)
    return 0;
  l->peeked = arena_take(&l->c->arena, PEEK_MOST);
  long result = l->peeked ? peek_first(l, inodes) : -ENOMEM;
  if (result == 0)
    result = add_tcp_ends(l, inodes);
  if (result == 0)
    result = find_peers(l, inodes);
  for (size_t i = 0; i < l->c->descriptions.count && result == 0; i++) {
    const struct ckpt_socket *socket = turn_to(l, inodes, i);
    if (!socket || !is_tcp(socket) || !is_here(l->c, i))
      continue;
    result = is_to_be_repaired(l->c, socket) ? choose_tcp(l, socket, i) : peek_tcp(l, socket, i);
  }
  return result;
}
