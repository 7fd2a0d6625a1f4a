/* TCP connections within the process: which two sockets are one, and what waits in them. */
#include "tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "core/text.h"
#include "sockets.h"

enum { A_LOT = 1 << 30, LOOK = 64 << 10, WAIT_MS = 1000 };

long tcp_ask(int fd, struct tcp_info *info) {
  socklen_t size = sizeof *info;
  memset(info, 0, sizeof *info);
  return sys(SYS_(getsockopt), fd, IPPROTO_TCP, TCP_INFO, info, &size);
}

bool tcp_has_said_end(uint32_t state) {
  enum { FIN_WAIT1 = 4, FIN_WAIT2, TIME_WAIT, LAST_ACK = 9, CLOSING = 11 };
  return state == FIN_WAIT1 || state == FIN_WAIT2 || state == TIME_WAIT || state == TCP_STATE_CLOSE ||
         state == LAST_ACK || state == CLOSING;
}

/* ---- What is on its way ------------------------------------------------------------------------------- */

static int count(int fd, unsigned long what) {
  int n = 0;
  return sys(SYS_(ioctl), fd, what, &n) < 0 ? 0 : n;
}

/* The sender waits for more to send at once, or was told to. */
static void push(int from) {
  int yes = 1, before = 0;
  socklen_t size = sizeof before;
  if (sys(SYS_(getsockopt), from, IPPROTO_TCP, TCP_NODELAY, &before, &size) < 0)
    return;
  sys(SYS_(setsockopt), from, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sys(SYS_(setsockopt), from, IPPROTO_TCP, TCP_NODELAY, &before, sizeof before);
}

/* The receiver has no room. SO_RCVLOWAT makes some, as if by itself, when the program has not set the size; a
 * look at what waits then tells the sender. */
static void make_room(struct looking *l) {
  int before = get_number(l, SO_RCVLOWAT), locked = get_number(l, 72 /* SO_BUF_LOCK */) & 2;
  int size = get_number(l, SO_RCVBUF), from = get_number(l, SO_PEEK_OFF), seen;
  if (locked)
    set_number(l, SO_RCVBUF, A_LOT);
  set_number(l, SO_RCVLOWAT, A_LOT);
  set_number(l, SO_PEEK_OFF, -1);
  do {
    seen = count(l->fd, SIOCINQ);
    sys(SYS_(recvfrom), l->fd, l->peeked, LOOK, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
  } while (count(l->fd, SIOCINQ) > seen);
  set_number(l, SO_PEEK_OFF, from);
  set_number(l, SO_RCVLOWAT, before);
  if (locked)
    set_number(l, SO_RCVBUF, size / 2);
}

/* How many bytes have been sent and are not here. */
static int64_t on_its_way(const struct looking *l, int from) {
  struct tcp_info here, there;
  if (tcp_ask(l->fd, &here) < 0 || tcp_ask(from, &there) < 0)
    return -1;
  return (int64_t)(there.tcpi_bytes_sent - there.tcpi_bytes_retrans - here.tcpi_bytes_received);
}

/* Another CPU may be about to bring it. */
static void wait_for(const struct looking *l, int64_t bytes) {
  struct pollfd poller = {.fd = l->fd, .events = POLLIN};
  int before = get_number(l, SO_RCVLOWAT);
  set_number(l, SO_RCVLOWAT, count(l->fd, SIOCINQ) + (int)bytes);
  sys(SYS_(poll), &poller, 1, WAIT_MS);
  set_number(l, SO_RCVLOWAT, before);
}

/* What the other end has written and not yet sent cannot be read, but it can be made to arrive. */
static long let_arrive(struct looking *l, int from) {
  if (count(from, SIOCOUTQNSD) > 0)
    push(from);
  if (count(from, SIOCOUTQNSD) > 0)
    make_room(l);
  int64_t missing = on_its_way(l, from);
  if (missing > 0 && count(from, SIOCOUTQNSD) == 0) {
    wait_for(l, missing);
    missing = on_its_way(l, from);
  }
  if (missing > 0 || count(from, SIOCOUTQNSD) > 0)
    return refuse(l, "a TCP socket that the program has written more to than it takes");
  return 0;
}

/* ---- The other end ------------------------------------------------------------------------------------ */

/* The same in both families: a socket of one may be connected to one of the other. */
struct place {
  uint8_t host[16];
  uint8_t port[2];
};

static struct place place_of(const uint8_t *address) {
  struct place place = {.host = {[10] = 0xff, [11] = 0xff}};
  sa_family_t family;
  memcpy(&family, address, sizeof family);
  memcpy(place.port, address + offsetof(struct sockaddr_in, sin_port), sizeof place.port);
  if (family == AF_INET)
    memcpy(place.host + 12, address + offsetof(struct sockaddr_in, sin_addr), 4);
  else
    memcpy(place.host, address + offsetof(struct sockaddr_in6, sin6_addr), sizeof place.host);
  return place;
}

static bool same_place(const uint8_t *a, const uint8_t *b) {
  if (a[2] != b[2] || a[3] != b[3]) /* the ports, and most of all */
    return false;
  struct place here = place_of(a), there = place_of(b);
  return memcmp(&here, &there, sizeof here) == 0;
}

static bool is_tcp_end(const struct ckpt_socket *socket) {
  return socket->domain != AF_UNIX && socket->type == SOCK_STREAM && socket->peer_address_size &&
         socket->address_size;
}

/* Where the program itself listens, at this address or at all of them. */
static struct ckpt_socket *find_listener(const struct checkpoint *c, const uint8_t *address) {
  static const uint8_t any[16], any_four[16] = {[10] = 0xff, [11] = 0xff};
  struct ckpt_socket *sockets = c->sockets.entries;
  struct place wanted = place_of(address);
  for (size_t i = 0; i < c->sockets.count; i++) {
    if (sockets[i].domain == AF_UNIX || !(sockets[i].flags & CKPT_SOCKET_LISTENS))
      continue;
    struct place place = place_of(sockets[i].address);
    if (memcmp(place.port, wanted.port, sizeof place.port) == 0 &&
        (memcmp(place.host, wanted.host, sizeof place.host) == 0 ||
         memcmp(place.host, any, sizeof any) == 0 || memcmp(place.host, any_four, sizeof any_four) == 0))
      return &sockets[i];
  }
  return NULL;
}

/* Whoever waits to be accepted has an other end that nobody has yet. In which order they wait the kernel does
 * not tell: it is taken to be that of the descriptors. */
static bool find_turn(const struct checkpoint *c, struct ckpt_socket *socket) {
  const struct ckpt_socket *sockets = c->sockets.entries;
  const struct ckpt_socket *listener = find_listener(c, socket->peer_address);
  uint32_t turn = 1;
  if (!listener)
    return false;
  for (size_t i = 0; i < c->sockets.count; i++)
    turn += sockets[i].flags & CKPT_SOCKET_WAITS && sockets[i].peer == listener->inode;
  if (turn > listener->waiting)
    return false;
  socket->flags |= CKPT_SOCKET_WAITS;
  socket->peer = listener->inode;
  socket->turn = turn;
  return true;
}

static bool is_local(const struct ckpt_socket *socket) {
  struct place here = place_of(socket->address), there = place_of(socket->peer_address);
  return is_tcp_end(socket) && memcmp(here.host, there.host, sizeof here.host) == 0;
}

/* The program may have closed the other end, and the rest of what that had written, with its end, has found
 * no room yet. */
static void find_end(struct looking *l, struct ckpt_socket *socket) {
  struct pollfd poller = {.fd = l->fd, .events = POLLRDHUP};
  make_room(l);
  if (sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & POLLRDHUP)
    socket->shutdown |= 1;
}

long find_tcp_peer(struct looking *l, struct ckpt_socket *socket) {
  struct ckpt_socket *sockets = l->c->sockets.entries;
  struct tcp_info info;
  if (!(socket->flags & CKPT_SOCKET_CONNECTED) ||
      (socket->state == TCP_STATE_CONNECTING && socket->peer_address_size))
    return 0;
  for (size_t i = 0; i < l->c->sockets.count && is_tcp_end(socket); i++)
    if (&sockets[i] != socket && is_tcp_end(&sockets[i]) &&
        same_place(sockets[i].address, socket->peer_address) &&
        same_place(sockets[i].peer_address, socket->address)) {
      socket->peer = sockets[i].inode;
      return 0;
    }
  bool silent = tcp_ask(l->fd, &info) >= 0 && info.tcpi_bytes_received == 0;
  if (is_tcp_end(socket) && silent && find_turn(l->c, socket)) {
    bool sent = info.tcpi_bytes_sent || info.tcpi_notsent_bytes;
    return sent ? refuse(l, "a TCP socket that waits to be accepted by the program, with data in it") : 0;
  }
  if (!(socket->shutdown & 1) && is_local(socket) && count(l->fd, SIOCINQ) > 0)
    find_end(l, socket);
  /* What the other side has ended can come to its end; all else is torn. */
  if (!(socket->shutdown & 1))
    socket->flags |= CKPT_SOCKET_RESET;
  return 0;
}

/* ---- What waits --------------------------------------------------------------------------------------- */

static long peek_stream(struct looking *l, size_t description) {
  struct list packets = {0};
  struct ckpt_packet head = {.size = (uint32_t)count(l->fd, SIOCINQ)};
  int from = get_number(l, SO_PEEK_OFF);
  char *bytes = arena_take(&l->c->arena, head.size);
  if (!bytes)
    return -ENOMEM;
  set_number(l, SO_PEEK_OFF, -1);
  long n = sys(SYS_(recvfrom), l->fd, bytes, head.size, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
  set_number(l, SO_PEEK_OFF, from);
  if (n != head.size)
    return fail(l->c, n < 0 ? n : -EIO, "descriptor %d: what waits in the socket cannot be read",
                (int64_t)l->fd);
  long result = add_packet(l->c, &packets, &head, NULL, NULL, bytes);
  return result < 0 ? result : keep_packets(l->c, &packets, description);
}

long peek_tcp(struct looking *l, const struct ckpt_socket *socket, size_t description, int other) {
  struct pollfd poller = {.fd = l->fd, .events = POLLPRI};
  if (!(socket->flags & CKPT_SOCKET_CONNECTED) || socket->flags & CKPT_SOCKET_WAITS)
    return 0;
  if (other >= 0 && sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & POLLPRI)
    return refuse(l, "a TCP socket with urgent data in it");
  long result = other >= 0 ? let_arrive(l, other) : 0;
  return result < 0 || count(l->fd, SIOCINQ) <= 0 ? result : peek_stream(l, description);
}
