/* Datagrams that waited in UDP sockets. Each is sent again by the socket of the program's that has sent it,
 * or by one of ours in its place. A sender on another machine nobody can stand in for. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "inet.h"
#include "say.h"

static bool is_any(const union address *address) {
  static const struct in6_addr any = IN6ADDR_ANY_INIT;
  return address->any.sa_family == AF_INET ? address->four.sin_addr.s_addr == 0
                                           : memcmp(&address->six.sin6_addr, &any, sizeof any) == 0;
}

/* Is it what a socket bound to `bound` sends from? */
static bool sends_from(const union address *bound, const union address *from) {
  if (from->any.sa_family == AF_INET)
    return bound->four.sin_port == from->four.sin_port &&
           (is_any(bound) || bound->four.sin_addr.s_addr == from->four.sin_addr.s_addr);
  return bound->six.sin6_port == from->six.sin6_port &&
         (is_any(bound) || memcmp(&bound->six.sin6_addr, &from->six.sin6_addr, sizeof(struct in6_addr)) == 0);
}

static int find_sender(const struct child *child, const union address *from, socklen_t size, int *own) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    if (image->descriptions[i].kind != CKPT_DESC_SOCKET)
      continue;
    const struct ckpt_socket *socket = &image->sockets[image->descriptions[i].a];
    union address bound;
    inet_address(&bound, socket, socket->address);
    if (socket->type == SOCK_DGRAM && socket->flags & CKPT_SOCKET_BOUND &&
        socket->domain == from->any.sa_family && sends_from(&bound, from))
      return child->descriptions[i];
  }
  *own = socket(from->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
  return *own < 0 || bind(*own, &from->any, size) < 0 ? -1 : *own;
}

/* A socket that takes what comes to any address is found where the sender is. */
static void find_receiver(union address *to, const union address *from) {
  if (is_any(to) && to->any.sa_family == AF_INET)
    to->four.sin_addr = from->four.sin_addr;
  else if (is_any(to))
    to->six.sin6_addr = from->six.sin6_addr;
}

static void send_again(const struct child *child, const struct ckpt_description *d,
                       const struct ckpt_packet *packet, const uint8_t *rest) {
  const struct ckpt_socket *socket = &child->image->sockets[d->a];
  union address from, to;
  char words[INET_WORDS];
  int own = -1;
  socklen_t size = inet_address(&to, socket, socket->address);
  memset(&from, 0, sizeof from);
  if (packet->address_size < size)
    return;
  memcpy(&from, rest, size);
  from.any.sa_family = (sa_family_t)socket->domain;
  int through = find_sender(child, &from, size, &own);
  find_receiver(&to, &from);
  if (through < 0 ||
      sendto(through, rest + packet->address_size, packet->size, MSG_DONTWAIT, &to.any, size) < 0)
    say_warning("%s: a datagram from %s that waited is lost: %s", image_string(child->image, d->name),
                inet_words(&from, words), strerror(errno));
  if (own >= 0)
    close(own);
}

void udp_fill(const struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  const uint8_t *at = child->image->blob + d->data, *last = at + d->data_size;
  while (at < last) {
    struct ckpt_packet packet;
    memcpy(&packet, at, sizeof packet);
    at += sizeof packet + packet.rights * sizeof(uint32_t);
    send_again(child, d, &packet, at);
    at += packet.address_size + packet.size;
  }
}
