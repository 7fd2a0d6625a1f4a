/* Netlink sockets. */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "descriptors.h"
#include "say.h"

static int bind_again(const struct child *child, const struct ckpt_description *d, int fd) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK}, peer;
  const struct ckpt_socket *was = &child->image->sockets[d->a];
  memcpy(&address.nl_pid, was->address + offsetof(struct sockaddr_nl, nl_pid), sizeof address.nl_pid);
  memcpy(&peer, was->peer_address, sizeof peer);
  peer.nl_family = AF_NETLINK;
  if (address.nl_pid && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    say_warning("%s: its netlink address %u is taken, it gets another", image_string(child->image, d->name),
                address.nl_pid);
    address.nl_pid = 0;
    if (errno != EADDRINUSE || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
      return -1;
  }
  bool leads = peer.nl_pid || peer.nl_groups;
  return leads && connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0 ? -1 : 0;
}

int netlink_make(const struct child *child, const struct ckpt_description *d) {
  const struct ckpt_socket *was = &child->image->sockets[d->a];
  int fd =
      descriptor_lift(child, socket(AF_NETLINK, was->type | SOCK_CLOEXEC, was->protocol), "a netlink socket");
  if (fd < 0)
    return -1;
  if (bind_again(child, d, fd) < 0)
    return say_problem("%s: cannot bind a netlink socket again: %s", image_string(child->image, d->name),
                       strerror(errno));
  socket_set_options(child, d, fd);
  return socket_attach_filter(child, d, fd) < 0 ? -1 : fd;
}
