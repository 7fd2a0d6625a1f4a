/* TCP and UDP sockets: where they are bound, listen and lead. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "sockets.h"
#include "tcp.h"

static bool has_port(const uint8_t *address) {
  return address[2] || address[3]; /* where both kinds of address have it */
}

void describe_tcp(const struct looking *l, struct ckpt_socket *socket) {
  struct tcp_info info;
  if (tcp_ask(l->fd, &info) < 0)
    return;
  /* One that was connected, and is not any more, has its reading end shut. */
  bool ended = socket_polls(l, POLLRDHUP);
  socket->state = info.tcpi_state;
  if (info.tcpi_state == TCP_STATE_LISTEN) {
    socket->flags |= CKPT_SOCKET_LISTENS;
    socket->backlog = info.tcpi_sacked; /* what the kernel tells there of a listening socket */
    socket->waiting = info.tcpi_unacked;
    return;
  }
  if (info.tcpi_state == TCP_STATE_CLOSE && !ended)
    return;
  socket->flags |= CKPT_SOCKET_CONNECTED;
  if (socket_polls(l, POLLERR))
    socket->flags |= CKPT_SOCKET_RESET;
  socket->shutdown = (ended ? 1 : 0) | (tcp_has_said_end(info.tcpi_state) ? 2 : 0);
}

long describe_inet(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d) {
  socklen_t size = sizeof socket->address, peer_size = sizeof socket->peer_address;
  bool tcp = socket->type == SOCK_STREAM && socket->protocol == IPPROTO_TCP;
  bool udp = socket->type == SOCK_DGRAM && socket->protocol == IPPROTO_UDP;
  if (!tcp && !udp)
    return refuse_socket(l, socket);
  if (sys(SYS_(getsockname), l->fd, socket->address, &size) >= 0 && has_port(socket->address)) {
    socket->flags |= CKPT_SOCKET_BOUND;
    socket->address_size = size;
  }
  if (sys(SYS_(getpeername), l->fd, socket->peer_address, &peer_size) >= 0) {
    socket->flags |= CKPT_SOCKET_CONNECTED;
    socket->peer_address_size = peer_size;
  }
  if (tcp)
    describe_tcp(l, socket);
  long result = socket->state == TCP_STATE_CONNECTING ? find_destination(l, socket) : 0;
  return result < 0 ? result : add_socket(l, socket, d);
}
