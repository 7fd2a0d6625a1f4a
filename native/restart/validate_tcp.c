/* Do the notes about TCP connections to the outside make sense? */
#include <netinet/in.h>
#include <string.h>

#include "descriptors.h"
#include "image.h"

enum {
  SCALE_MOST = 14, /* RFC 7323 */
  SEGMENT_MOST = 65535,
  BYTES_MOST = 1 << 30,
};

/* All that waits is one piece, that of a stream. */
static bool is_one_piece(const struct image *image, const struct ckpt_description *d) {
  struct ckpt_packet head;
  if (d->data_size == 0)
    return true;
  memcpy(&head, image->blob + d->data, sizeof head);
  return head.rights == 0 && head.address_size == 0 && d->data_size == sizeof head + head.size &&
         head.size <= BYTES_MOST;
}

static bool is_address(const struct ckpt_socket *socket, uint32_t size) {
  return size == (socket->domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
}

static bool has_connection(const struct image *image, uint64_t inode) {
  uint32_t index = socket_find(image, inode);
  const struct ckpt_description *d = &image->descriptions[index];
  if (index == image->descriptions_count || d->kind != CKPT_DESC_SOCKET)
    return false;
  const struct ckpt_socket *socket = &image->sockets[d->a];
  return socket->type == SOCK_STREAM && socket->flags & CKPT_SOCKET_CONNECTED && socket->peer == 0 &&
         !(socket->flags & (CKPT_SOCKET_LISTENS | CKPT_SOCKET_WAITS)) &&
         is_address(socket, socket->address_size) && is_address(socket, socket->peer_address_size) &&
         is_one_piece(image, d);
}

static bool is_there_before(const struct image *image, uint32_t index) {
  for (uint32_t i = 0; i < index; i++)
    if (image->tcp[i].inode == image->tcp[index].inode)
      return true;
  return false;
}

int image_check_tcp(struct image *image) {
  for (uint32_t i = 0; i < image->tcp_count; i++) {
    const struct ckpt_tcp *tcp = &image->tcp[i];
    if (!has_connection(image, tcp->inode) || is_there_before(image, i) || tcp->data > image->blob_size ||
        tcp->data_size > image->blob_size - tcp->data || tcp->data_size > BYTES_MOST ||
        tcp->unsent > tcp->data_size || tcp->send_scale > SCALE_MOST || tcp->receive_scale > SCALE_MOST ||
        tcp->segment == 0 || tcp->segment > SEGMENT_MOST || tcp->send_window > tcp->send_window_most ||
        tcp->options & ~(uint32_t)(CKPT_TCP_TIMESTAMPS | CKPT_TCP_SACK | CKPT_TCP_SCALES))
      return image_refuse(image, "damaged: TCP connection %u makes no sense", i);
  }
  return 0;
}
