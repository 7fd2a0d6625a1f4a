/* TCP connections to the outside, for --tcp=repair. The kernel shows what it knows of one in "repair mode",
 * where a close sends nothing; a filter that takes no packet keeps it from changing meanwhile. A program that
 * goes on has both for some milliseconds: what comes in these comes again. One that is to end keeps both
 * until it has ended, and its connections with it, without a word to the other side. */
#include <asm/ioctls.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/sys.h"
#include "core/tcp_silence.h"
#include "core/text.h"
#include "job.h"
#include "sockets.h"
#include "tcp.h"

enum {
  SOL_OF_TCP = 6,
  A_LOT = 1 << 30,
  PARTLY_SENT = 64 << 10, /* more than the first packet of those that are not acknowledged holds */
};

/* A connection that is to stand still, and does so from `held` on. */
struct chosen_tcp {
  struct ckpt_socket socket;
  size_t description;
  int fd;
  int reuse; /* SO_REUSEADDR, which repair mode forgets */
  bool held;
  bool silent;
};

/* Is there still something to come, on either way? */
static bool is_alive(uint32_t state) {
  return state == TCP_STATE_ESTABLISHED || state == TCP_STATE_CLOSE_WAIT ||
         (tcp_has_said_end(state) && state != TCP_STATE_TIME_WAIT && state != TCP_STATE_CLOSE);
}

static long set(int fd, int name, int value) {
  return sys(SYS_(setsockopt), fd, SOL_OF_TCP, name, &value, sizeof value);
}

static long get(int fd, int name, void *value, socklen_t size) {
  return sys(SYS_(getsockopt), fd, SOL_OF_TCP, name, value, &size);
}

/* ---- Standing still ----------------------------------------------------------------------------------- */

/* A process that is left out of the image goes on with it. */
static bool is_anothers(struct checkpoint *c, int fd) {
  struct stat st;
  if (!(c->request.flags & CKPT_REQUEST_KILL) || sys(SYS_(fstat), fd, &st) < 0)
    return false;
  struct inode inode = {st.st_dev, st.st_ino, fd};
  return ignored_has(c, &inode, 2 /* O_RDWR */);
}

static const char *find_obstacle(struct looking *l, const struct ckpt_socket *socket) {
  if (socket->state == TCP_STATE_SYN_RECV) /* accepted with what its first packet brought */
    return "a TCP socket whose connection is just being made";
  if (tcp_is_urgent(l))
    return "a TCP socket with urgent data in it";
  if (socket->flags & CKPT_SOCKET_FILTER_LOCKED)
    return "a TCP socket with a filter that is locked";
  return is_anothers(l->c, l->fd) ? "a TCP socket that a process which is left out has, too" : NULL;
}

static long stand_still(struct checkpoint *c, struct chosen_tcp *chosen) {
  const struct ckpt_socket *socket = &chosen->socket;
  long result = set(chosen->fd, TCP_REPAIR, TCP_REPAIR_ON);
  if (result == -EPERM)
    return fail(c, result,
                "descriptor %d is a TCP connection to another process: --tcp=repair needs CAP_NET_ADMIN, in "
                "the user namespace that its network namespace belongs to",
                (int64_t)chosen->fd);
  chosen->held = true;
  if (result == 0)
    result = tcp_deafen(chosen->fd);
  if (result == 0 && c->request.flags & CKPT_REQUEST_KILL) {
    result = tcp_silence(socket->address, socket->peer_address, true);
    chosen->silent = result == 0;
  }
  return result < 0 ? fail(c, result, "descriptor %d: the TCP connection cannot be held: %s",
                           (int64_t)chosen->fd, text_errno(result))
                    : 0;
}

/* Another CPU may have a packet in its hands that has come past the filter before that was there. The kernel
 * handles packets where this waits for. */
static long settle(struct checkpoint *c) {
  long result = sys(SYS_(membarrier), MEMBARRIER_CMD_GLOBAL, 0, 0);
  return result < 0 ? fail(c, result, "membarrier, for TCP connections: %s", text_errno(result)) : 0;
}

/* What came instead of its own filter goes. */
static void hear_again(const struct checkpoint *c, const struct chosen_tcp *chosen) {
  struct sock_fprog own = {
      .len = (unsigned short)chosen->socket.filter_length,
      .filter = (struct sock_filter *)(void *)((char *)c->blob.entries + chosen->socket.filter)};
  if (own.len)
    sys(SYS_(setsockopt), chosen->fd, SOL_SOCKET, SO_ATTACH_FILTER, &own, sizeof own);
  else
    tcp_undeafen(chosen->fd);
}

void let_tcp_go(struct checkpoint *c) {
  struct chosen_tcp *chosen = c->chosen_tcp.entries;
  for (size_t i = 0; i < c->chosen_tcp.count; i++) {
    if (!chosen[i].held)
      continue;
    set(chosen[i].fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    sys(SYS_(setsockopt), chosen[i].fd, SOL_SOCKET, SO_REUSEADDR, &chosen[i].reuse, sizeof chosen[i].reuse);
    hear_again(c, &chosen[i]);
    if (chosen[i].silent)
      tcp_silence(chosen[i].socket.address, chosen[i].socket.peer_address, false);
    chosen[i].held = chosen[i].silent = false;
  }
}

/* ---- What it is --------------------------------------------------------------------------------------- */

static long take_queue(int fd, int queue, uint32_t *seq) {
  long result = set(fd, TCP_REPAIR_QUEUE, queue);
  return result < 0 ? result : get(fd, TCP_QUEUE_SEQ, seq, sizeof *seq);
}

/* Of the first packet some may be acknowledged already. */
static long take_written(struct looking *l, struct ckpt_tcp *tcp) {
  size_t room = tcp->data_size + PARTLY_SENT;
  char *bytes = room > PEEK_MOST ? arena_take(&l->c->arena, room) : l->peeked;
  if (tcp->data_size == 0)
    return 0;
  if (!bytes)
    return -ENOMEM;
  long n = sys(SYS_(recvfrom), l->fd, bytes, room, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
  if (n < 0)
    return n;
  if ((uint64_t)n < tcp->data_size)
    return -EIO;
  tcp->data = l->c->blob.count;
  n = list_add_bytes(&l->c->arena, &l->c->blob, bytes + (uint64_t)n - tcp->data_size, tcp->data_size);
  return n < 0 ? n : 0;
}

/* An end that the program has said has a number, too, and is among the bytes that are counted: the restart
 * says it again. */
static long take_sent(struct looking *l, const struct ckpt_socket *socket, struct ckpt_tcp *tcp) {
  int unacknowledged = tcp_count(l->fd, SIOCOUTQ), unsent = tcp_count(l->fd, SIOCOUTQNSD);
  long result = take_queue(l->fd, TCP_SEND_QUEUE, &tcp->send_seq);
  if (result < 0)
    return result;
  if (socket->shutdown & 2) {
    tcp->send_seq--;
    unacknowledged -= unacknowledged > 0;
    unsent -= unsent > 0;
  }
  /* All that the other side has room for may be sent at any moment, and an acknowledgement of what does not
   * count as sent would be ignored for ever: so it does count. */
  int most = unacknowledged - (int)(tcp->send_window < A_LOT ? tcp->send_window : A_LOT);
  tcp->data_size = (uint64_t)unacknowledged;
  tcp->unsent = (uint32_t)(most < 0 ? 0 : most < unsent ? most : unsent);
  return take_written(l, tcp);
}

static long take_agreed(int fd, struct ckpt_tcp *tcp) {
  struct tcp_repair_window window;
  struct tcp_info info;
  long result = tcp_ask(fd, &info);
  if (result == 0)
    result = get(fd, TCP_MAXSEG, &tcp->segment, sizeof tcp->segment);
  if (result == 0)
    result = get(fd, TCP_TIMESTAMP, &tcp->timestamp, sizeof tcp->timestamp);
  if (result == 0)
    result = get(fd, TCP_REPAIR_WINDOW, &window, sizeof window);
  if (result < 0)
    return result;
  tcp->options = info.tcpi_options & (CKPT_TCP_TIMESTAMPS | CKPT_TCP_SACK | CKPT_TCP_SCALES);
  tcp->send_scale = info.tcpi_snd_wscale;
  tcp->receive_scale = info.tcpi_rcv_wscale;
  tcp->window_seq = window.snd_wl1;
  tcp->send_window = window.snd_wnd;
  tcp->send_window_most = window.max_window;
  tcp->receive_window = window.rcv_wnd;
  tcp->receive_window_seq = window.rcv_wup;
  return 0;
}

static long describe_alive(struct looking *l, const struct ckpt_socket *socket, struct ckpt_tcp *tcp) {
  long result = take_agreed(l->fd, tcp);
  if (result == 0)
    result = take_sent(l, socket, tcp);
  struct ckpt_tcp *entry = result == 0 ? list_add(&l->c->arena, &l->c->tcp, sizeof *entry) : NULL;
  if (result == 0 && !entry)
    return -ENOMEM;
  if (entry)
    *entry = *tcp;
  return result;
}

static long describe(struct looking *l, const struct chosen_tcp *chosen) {
  struct ckpt_socket *socket = socket_by_inode(l->c, chosen->socket.inode);
  struct ckpt_tcp tcp = {.inode = socket->inode};
  l->fd = chosen->fd;
  long result = take_queue(l->fd, TCP_RECV_QUEUE, &tcp.receive_seq);
  if (result == 0)
    result = peek_stream(l, chosen->description);
  describe_tcp(l, socket);
  /* It may have ended, or been ended, before it stood still. */
  if (result == 0 && is_alive(socket->state))
    result = describe_alive(l, socket, &tcp);
  if (result == 0)
    result = set(l->fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
  return result < 0 ? fail(l->c, result, "descriptor %d: the TCP connection cannot be described: %s",
                           (int64_t)l->fd, text_errno(result))
                    : 0;
}

/* ---- All of them -------------------------------------------------------------------------------------- */

bool is_to_be_repaired(const struct checkpoint *c, const struct ckpt_socket *socket) {
  return c->request.flags & CKPT_REQUEST_TCP_REPAIR && socket->flags & CKPT_SOCKET_CONNECTED &&
         !socket->peer && socket->peer_address_size &&
         (is_alive(socket->state) || socket->state == TCP_STATE_SYN_RECV);
}

long choose_tcp(struct looking *l, const struct ckpt_socket *socket, size_t description) {
  const char *obstacle = find_obstacle(l, socket);
  if (obstacle)
    return refuse(l, obstacle);
  struct chosen_tcp *chosen = list_add(&l->c->arena, &l->c->chosen_tcp, sizeof *chosen);
  if (!chosen)
    return -ENOMEM;
  *chosen = (struct chosen_tcp){
      .socket = *socket, .description = description, .fd = l->fd, .reuse = get_number(l, SO_REUSEADDR)};
  return 0;
}

/* In a program that goes on they stand still no longer than it takes to look at them. */
long repair_tcp(struct checkpoint *c) {
  struct chosen_tcp *chosen = c->chosen_tcp.entries;
  size_t count = c->chosen_tcp.count;
  struct looking *l = count ? arena_take(&c->arena, sizeof *l) : NULL;
  if (count == 0)
    return 0;
  if (!l || !(l->peeked = arena_take(&c->arena, PEEK_MOST)))
    return -ENOMEM;
  l->c = c;
  long result = 0;
  for (size_t i = 0; i < count && result == 0; i++)
    result = stand_still(c, &chosen[i]);
  if (result == 0)
    result = settle(c);
  for (size_t i = 0; i < count && result == 0; i++)
    result = describe(l, &chosen[i]);
  if (!(c->request.flags & CKPT_REQUEST_KILL))
    let_tcp_go(c);
  return result;
}
