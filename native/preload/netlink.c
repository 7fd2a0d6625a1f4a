/* Netlink sockets: of the families in which the kernel keeps nothing else for a socket. */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "format/socket_options.h"
#include "sockets.h"

enum { SET_BITS = 32, SETS = 32 /* of groups: more than any family has */ };

static bool is_known(int protocol) {
  return protocol == NETLINK_ROUTE || protocol == NETLINK_SOCK_DIAG || protocol == NETLINK_KOBJECT_UEVENT ||
         protocol == NETLINK_GENERIC;
}

/* A message that is looked at stays, but the error that tells of lost ones would go with the look: ask
 * neither. */
static bool has_messages(const struct looking *l) {
  struct pollfd poller = {.fd = l->fd, .events = POLLIN};
  return sys(SYS_(poll), &poller, 1, 0) != 0;
}

static long add_groups(struct looking *l, uint32_t index) {
  uint32_t groups[SETS] = {0};
  socklen_t size = sizeof groups;
  if (sys(SYS_(getsockopt), l->fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size) < 0)
    return 0;
  for (uint32_t i = 0; i < SETS * SET_BITS; i++) {
    struct ckpt_option option = {
        .socket = index, .level = SOL_NETLINK, .name = NETLINK_ADD_MEMBERSHIP, .size = sizeof(uint32_t)};
    uint32_t group = i + 1;
    if (!(groups[i / SET_BITS] & 1u << i % SET_BITS))
      continue;
    __builtin_memcpy(option.value, &group, sizeof group);
    long result = add_option(l, &option);
    if (result < 0)
      return result;
  }
  return 0;
}

long describe_netlink(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d) {
  socklen_t size = sizeof(struct sockaddr_nl), peer_size = size;
  if (!is_known(socket->protocol))
    return refuse(l, "a netlink socket of a family that is not known");
  if (has_messages(l))
    return refuse(l, "a netlink socket with messages that nobody has read");
  long result = sys(SYS_(getsockname), l->fd, socket->address, &size);
  if (result >= 0)
    result = sys(SYS_(getpeername), l->fd, socket->peer_address, &peer_size);
  if (result < 0)
    return result;
  socket->address_size = size;
  socket->peer_address_size = peer_size;
  result = add_socket(l, socket, d);
  return result < 0 ? result : add_groups(l, (uint32_t)d->a);
}
