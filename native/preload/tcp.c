/* TCP connections within the job: what is on its way in them arrives, and what waits is read. */
#include "tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "core/sys.h"
#include "core/tcp_table.h"
#include "core/text.h"
#include "sockets.h"
#include "tcp_ends.h"

enum { A_LOT = 1 << 30, LOOK = 64 << 10, LOOK_MS = 1, A_WHILE_MS = 100, WAIT_MS = 1000 };

long tcp_ask(int fd, struct tcp_info *info) {
  socklen_t size = sizeof *info;
  memset(info, 0, sizeof *info);
  return sys(SYS_(getsockopt), fd, IPPROTO_TCP, TCP_INFO, info, &size);
}

bool tcp_has_said_end(uint32_t state) {
  return state == TCP_STATE_FIN_WAIT1 || state == TCP_STATE_FIN_WAIT2 || state == TCP_STATE_TIME_WAIT ||
         state == TCP_STATE_CLOSE || state == TCP_STATE_LAST_ACK || state == TCP_STATE_CLOSING;
}

/* ---- What is on its way ------------------------------------------------------------------------------- */

int tcp_count(int fd, unsigned long what) {
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

/* Has the program set the size of its buffer? */
static bool is_size_set(const struct looking *l) {
  enum { BUF_LOCK = 72, RECEIVE = 2 };
  return get_number(l, BUF_LOCK) & RECEIVE;
}

struct room {
  int least, size;
  bool size_set;
};

/* The receiver has no room. SO_RCVLOWAT makes some, as if by itself, when the program has not set the size.
 */
static struct room widen(const struct looking *l) {
  const struct room before = {get_number(l, SO_RCVLOWAT), get_number(l, SO_RCVBUF), is_size_set(l)};
  if (before.size_set)
    set_number(l, SO_RCVBUF, A_LOT);
  set_number(l, SO_RCVLOWAT, A_LOT);
  return before;
}

/* Once nothing is on its way any more, which would be thrown away. */
static void narrow(const struct looking *l, const struct room *before) {
  set_number(l, SO_RCVLOWAT, before->least);
  if (before->size_set)
    set_number(l, SO_RCVBUF, before->size / 2);
}

/* A look at what waits tells the sender of the room. */
static void look_at_all(const struct looking *l) {
  int from = get_number(l, SO_PEEK_OFF), seen;
  set_number(l, SO_PEEK_OFF, -1);
  do {
    seen = tcp_count(l->fd, SIOCINQ);
    sys(SYS_(recvfrom), l->fd, l->peeked, LOOK, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
  } while (tcp_count(l->fd, SIOCINQ) > seen);
  set_number(l, SO_PEEK_OFF, from);
}

/* How many bytes have been written to the other end and are not here. */
static int64_t on_its_way(const struct looking *l, const struct tcp_end *from) {
  struct tcp_info here;
  return tcp_ask(l->fd, &here) < 0 ? 0 : (int64_t)(from->written - here.tcpi_bytes_received);
}

/* In the window that it has offered last, which only kernels since 6.2 tell; the program may have made its
 * buffer smaller since. */
static bool has_room(const struct looking *l, int64_t bytes) {
  enum { WINDOW = 232 / 4 }; /* tcpi_rcv_wnd */
  uint32_t info[WINDOW + 1] = {0};
  socklen_t size = sizeof info;
  return !is_size_set(l) && sys(SYS_(getsockopt), l->fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0 &&
         info[WINDOW] > bytes + tcp_count(l->fd, SIOCINQ);
}

/* Another CPU may be about to bring it, or another process to send it. What comes between the two looks makes
 * the wait end early, not never. */
static int64_t wait_for_more(const struct looking *l, const struct tcp_end *from) {
  struct pollfd poller = {.fd = l->fd, .events = POLLIN};
  int before = get_number(l, SO_RCVLOWAT), here = tcp_count(l->fd, SIOCINQ);
  int64_t missing = on_its_way(l, from);
  if (missing <= 0)
    return missing;
  set_number(l, SO_RCVLOWAT, here + (int)missing);
  sys(SYS_(poll), &poller, 1, A_WHILE_MS);
  set_number(l, SO_RCVLOWAT, before);
  return on_its_way(l, from);
}

/* What the other end has written and not yet sent cannot be read, but it can be made to arrive. Where memory
 * is short the kernel says that there is enough to read before all is there, and has no more news then. */
static bool has_arrived(struct looking *l, const struct tcp_end *from) {
  int64_t missing = on_its_way(l, from), before;
  uint64_t last = now_ns(CLOCK_MONOTONIC), now = last;
  while (missing > 0 && (now < l->c->deadline_ns || now - last <= WAIT_MS * 1000000ull)) {
    look_at_all(l);
    before = missing;
    missing = wait_for_more(l, from);
    now = now_ns(CLOCK_MONOTONIC);
    if (missing < before)
      last = now;
    else if (missing > 0)
      sys(SYS_(poll), NULL, 0, LOOK_MS);
  }
  return missing <= 0;
}

static long let_arrive(struct looking *l, const struct tcp_end *from) {
  int64_t missing = on_its_way(l, from);
  bool arrived = missing <= 0;
  if (!arrived && has_room(l, missing))
    arrived = wait_for_more(l, from) <= 0;
  if (arrived)
    return 0;
  const struct room before = widen(l);
  arrived = has_arrived(l, from);
  narrow(l, &before);
  return arrived ? 0 : refuse(l, "a TCP socket that the program has written more to than it takes");
}

/* ---- The other end ------------------------------------------------------------------------------------ */

static bool is_local(const struct tcp_end *end) {
  return end && memcmp(end->here.host, end->there.host, sizeof end->here.host) == 0;
}

/* Does nobody have the other end any more, which has more to send before it ends? */
static bool is_ending(const struct tcp_end *end, int domain) {
  struct tcp_table table;
  struct tcp_row row;
  bool found = false;
  if (tcp_table_open(&table, domain) < 0)
    return false;
  while (!found && tcp_table_next(&table, &row))
    found = !row.inode && row.state == TCP_STATE_FIN_WAIT1 && place_is(&end->there, row.here) &&
            place_is(&end->here, row.there);
  tcp_table_close(&table);
  return found;
}

/* The program may have closed the other end, and the rest of what that had written, with its end, has found
 * no room yet. Another CPU may be about to bring it. */
static void find_end(struct looking *l, const struct tcp_end *end, struct ckpt_socket *socket) {
  uint64_t last = now_ns(CLOCK_MONOTONIC);
  const struct room room = widen(l);
  look_at_all(l);
  for (int before = tcp_count(l->fd, SIOCINQ);
       !socket_polls(l, POLLRDHUP) && (is_ending(end, AF_INET) || is_ending(end, AF_INET6));) {
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (tcp_count(l->fd, SIOCINQ) > before)
      last = now;
    else if (now - last > WAIT_MS * 1000000ull)
      break;
    before = tcp_count(l->fd, SIOCINQ);
    sys(SYS_(poll), NULL, 0, LOOK_MS);
    look_at_all(l);
  }
  narrow(l, &room);
  if (socket_polls(l, POLLRDHUP))
    socket->shutdown |= 1;
}

long find_tcp_peer(struct looking *l, struct ckpt_socket *socket, bool here) {
  const struct tcp_end *end = tcp_end_of(l->c, socket->inode);
  if (!(socket->flags & CKPT_SOCKET_CONNECTED) ||
      (socket->state == TCP_STATE_CONNECTING && socket->peer_address_size))
    return 0;
  if (end && end->peer) {
    socket->peer = end->peer;
    socket->turn = end->turn;
    socket->flags |= end->waits ? CKPT_SOCKET_WAITS : 0;
    if (end->waits && end->written)
      return wait_for_accept(l, "a TCP socket");
    if (here && tcp_count(l->fd, SIOCOUTQNSD) > 0)
      push(l->fd);
    return 0;
  }
  if (here && !(socket->shutdown & 1) && is_local(end) && tcp_count(l->fd, SIOCINQ) > 0)
    find_end(l, end, socket);
  /* What the other side has ended can come to its end; all else is torn. */
  if (!(socket->shutdown & 1))
    socket->flags |= CKPT_SOCKET_RESET;
  return 0;
}

/* ---- What waits --------------------------------------------------------------------------------------- */

/* Reading stops in front of an urgent byte that has been read by itself, and so does the count of what waits,
 * but for a socket that has such bytes among the others. */
bool tcp_is_urgent(const struct looking *l) {
  int in_line = get_number(l, SO_OOBINLINE), here = tcp_count(l->fd, SIOCINQ);
  set_number(l, SO_OOBINLINE, 1);
  bool more = tcp_count(l->fd, SIOCINQ) > here;
  set_number(l, SO_OOBINLINE, in_line);
  return more || socket_polls(l, POLLPRI);
}

long peek_stream(struct looking *l, size_t description) {
  struct list packets = {0};
  struct ckpt_packet head = {.size = (uint32_t)tcp_count(l->fd, SIOCINQ)};
  int from = get_number(l, SO_PEEK_OFF);
  if (head.size == 0)
    return 0;
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

long peek_tcp(struct looking *l, const struct ckpt_socket *socket, size_t description) {
  const struct tcp_end *other = socket->peer ? tcp_end_of(l->c, socket->peer) : NULL;
  if (!(socket->flags & CKPT_SOCKET_CONNECTED) || socket->flags & CKPT_SOCKET_WAITS)
    return 0;
  long result = other ? let_arrive(l, other) : 0;
  if (other && result == 0 && tcp_is_urgent(l))
    return refuse(l, "a TCP socket with urgent data in it");
  return result < 0 ? result : peek_stream(l, description);
}
