/* TCP and UDP sockets: where they are bound, listen and lead. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "sockets.h"

enum { STATE_CLOSE = 7, STATE_LISTEN = 10 };

static bool has_port(const uint8_t *address) {
  return address[2] || address[3]; /* where both kinds of address have it */
}

static void describe_tcp(const struct looking *l, struct ckpt_socket *socket) {
  struct tcp_info info;
  socklen_t size = sizeof info;
  struct pollfd poller = {.fd = l->fd, .events = POLLRDHUP};
  memset(&info, 0, sizeof info);
  if (sys(SYS_(getsockopt), l->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
    return;
  /* One that was connected, and is not any more, has its reading end shut. */
  bool was_connected = sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & POLLRDHUP;
  if (info.tcpi_state == STATE_LISTEN) {
    socket->flags |= CKPT_SOCKET_LISTENS;
    socket->backlog = info.tcpi_sacked; /* what the kernel tells there of a listening socket */
    socket->waiting = info.tcpi_unacked;
  } else if (info.tcpi_state != STATE_CLOSE || was_connected) {
    socket->flags |= CKPT_SOCKET_CONNECTED;
  }
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
  if (tcp)
    describe_tcp(l, socket);
  if (sys(SYS_(getpeername), l->fd, socket->peer_address, &peer_size) >= 0) {
    socket->flags |= CKPT_SOCKET_CONNECTED;
    socket->peer_address_size = peer_size;
  }
  return add_socket(l, socket, d);
}
