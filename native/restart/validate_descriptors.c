/* Do the notes about descriptors make sense? Every number that restart acts on is looked at here, once. */
#include <linux/filter.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "format/socket_options.h"
#include "image.h"
#include "unix_names.h"

enum {
  SIGNALS = 64,
  DESCRIPTOR_MOST = 1 << 20,
  RIGHTS_MOST = 253,
  ADDRESS_MOST = sizeof(struct sockaddr_un),
  MQ_PRIO_MAX = 32768,
  NO_NAME = offsetof(struct sockaddr_un, sun_path),
};

static int damaged(struct image *image, const char *what, uint64_t index) {
  return image_refuse(image, "damaged: %s %llu makes no sense", what, (unsigned long long)index);
}

static bool rights_ok(const struct image *image, const uint8_t *at, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t description;
    memcpy(&description, at + i * sizeof description, sizeof description);
    if (description >= image->descriptions_count)
      return false;
  }
  return true;
}

/* Each packet lies inside of the data, and the last ends with it. */
static bool packets_ok(const struct image *image, const struct ckpt_description *d) {
  uint64_t left = d->data_size;
  for (const uint8_t *at = image->blob + d->data; left;) {
    struct ckpt_packet packet;
    if (left < sizeof packet)
      return false;
    memcpy(&packet, at, sizeof packet);
    uint64_t size = sizeof packet + packet.rights * sizeof(uint32_t) + packet.address_size + packet.size;
    if (packet.rights > RIGHTS_MOST || packet.address_size > ADDRESS_MOST || left < size ||
        !rights_ok(image, at + sizeof packet, packet.rights))
      return false;
    at += size;
    left -= size;
  }
  return true;
}

static bool waiting_ok(const struct image *image, const struct ckpt_description *d) {
  uint64_t left = d->data_size;
  for (const uint8_t *at = image->blob + d->data; left;) {
    struct ckpt_waiting waiting;
    if (left < sizeof waiting)
      return false;
    memcpy(&waiting, at, sizeof waiting);
    if (waiting.kind < CKPT_WAITING_OUTPUT || waiting.kind > CKPT_WAITING_REST ||
        left - sizeof waiting < waiting.size)
      return false;
    at += sizeof waiting + waiting.size;
    left -= sizeof waiting + waiting.size;
  }
  return true;
}

static bool notification_ok(const struct ckpt_notification *n) {
  return n->notify <= SIGEV_THREAD && n->signal <= SIGNALS && (n->notify != SIGEV_SIGNAL || n->signal);
}

static bool queue_ok(const struct image *image, const struct ckpt_description *d) {
  const uint8_t *at = image->blob + d->data;
  uint64_t left = d->data_size, size = d->b & UINT32_MAX;
  if (image->strings[d->name] != '/' || (d->a & UINT32_MAX) > INT32_MAX || size > INT32_MAX)
    return false;
  if (d->b & CKPT_QUEUE_NOTIFIES) {
    struct ckpt_notification notification;
    if (left < sizeof notification)
      return false;
    memcpy(&notification, at, sizeof notification);
    at += sizeof notification;
    left -= sizeof notification;
    if (!notification_ok(&notification))
      return false;
  }
  for (struct ckpt_message head; left; at += sizeof head + head.size, left -= sizeof head + head.size) {
    if (left < sizeof head)
      return false;
    memcpy(&head, at, sizeof head);
    if (head.size > size || left - sizeof head < head.size || head.type < 0 || head.type >= MQ_PRIO_MAX)
      return false;
  }
  return true;
}

static bool is_inet(const struct ckpt_socket *socket) {
  return socket->domain == AF_INET || socket->domain == AF_INET6;
}

static bool description_ok(const struct image *image, const struct ckpt_description *d) {
  if (d->name >= image->strings_size || d->file > image->files_count || d->pos > INT64_MAX || d->signal < 0 ||
      d->shared > CKPT_SHARED_MOST || d->signal > SIGNALS || d->owner == INT32_MIN || d->owner_type > 1 ||
      d->data > image->blob_size || d->data_size > image->blob_size - d->data)
    return false;
  switch (d->kind) {
  case CKPT_DESC_OUTSIDE:
    return d->a <= DESCRIPTOR_MOST;
  case CKPT_DESC_FILE:
  case CKPT_DESC_DEVICE:
    return d->file != 0;
  case CKPT_DESC_PIPE:
    return (d->b & ~CKPT_PIPE_PACKETS) <= INT32_MAX && d->data_size <= INT32_MAX &&
           (!(d->b & CKPT_PIPE_PACKETS) || packets_ok(image, d));
  case CKPT_DESC_TERMINAL:
  case CKPT_DESC_EVENTFD:
  case CKPT_DESC_EPOLL:
  case CKPT_DESC_SIGNALFD:
  case CKPT_DESC_INOTIFY:
    return true;
  case CKPT_DESC_PIDFD:
    return d->a <= 1 && d->b <= INT32_MAX;
  case CKPT_DESC_UNIX_SOCKET:
    return d->a < image->sockets_count && image->sockets[d->a].domain == AF_UNIX && packets_ok(image, d);
  case CKPT_DESC_SOCKET:
    return d->a < image->sockets_count && is_inet(&image->sockets[d->a]) &&
           image->sockets[d->a].type != SOCK_SEQPACKET && packets_ok(image, d);
  case CKPT_DESC_QUEUE:
    return queue_ok(image, d);
  case CKPT_DESC_NETLINK:
    return d->a < image->sockets_count && image->sockets[d->a].domain == AF_NETLINK;
  case CKPT_DESC_PTY_MASTER:
    return d->data_size == 0 || (d->a < image->ptys_count && waiting_ok(image, d));
  case CKPT_DESC_PTY_SLAVE:
    return d->a <= UINT32_MAX;
  case CKPT_DESC_TIMERFD:
    return d->a < image->timerfds_count;
  default:
    return false;
  }
}

const struct ckpt_descriptor *image_find_descriptor(const struct image *image, int32_t fd) {
  uint32_t low = 0, high = image->descriptors_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (image->descriptors[middle].fd < fd)
      low = middle + 1;
    else
      high = middle;
  }
  bool found = low < image->descriptors_count && image->descriptors[low].fd == fd;
  return found ? &image->descriptors[low] : NULL;
}

/* Whose it is when another process has it is looked at once all are known (check_watches). */
static bool watch_ok(const struct image *image, const struct ckpt_watch *watch) {
  if (watch->set >= image->descriptions_count || image->descriptions[watch->set].kind != CKPT_DESC_EPOLL ||
      watch->fd < 0 || watch->fd >= DESCRIPTOR_MOST || watch->pid < 0)
    return false;
  if (watch->pid)
    return watch->target && watch->target <= DESCRIPTOR_MOST;
  return watch->target ? watch->target <= image->descriptions_count
                       : image_find_descriptor(image, watch->fd) != NULL;
}

static bool option_ok(const struct ckpt_option *option) {
  for (size_t i = 0; i < SOCKET_OPTIONS; i++)
    if (socket_options[i].level == option->level && socket_options[i].name == option->name)
      return option->size == socket_options[i].size;
  for (size_t i = 0; i < sizeof socket_memberships / sizeof socket_memberships[0]; i++)
    if (socket_memberships[i].level == option->level && socket_memberships[i].name == option->name)
      return option->size == socket_memberships[i].size;
  return false;
}

static bool address_ok(const struct ckpt_socket *socket, uint32_t size, bool wanted) {
  return socket->domain != AF_UNIX || (size <= ADDRESS_MOST && (size > NO_NAME || (size == 0 && !wanted)));
}

static bool file_ok(const struct ckpt_socket *socket) {
  return socket->file[sizeof socket->file - 1] == 0 && (!socket->file[0] || unix_has_path(socket));
}

static bool filter_ok(const struct image *image, const struct ckpt_socket *socket) {
  uint64_t size = socket->filter_length * sizeof(struct sock_filter);
  return socket->filter_length <= CKPT_FILTER_MOST && socket->filter <= image->blob_size &&
         size <= image->blob_size - socket->filter;
}

static int check_sockets(struct image *image) {
  for (uint32_t i = 0; i < image->sockets_count; i++) {
    const struct ckpt_socket *socket = &image->sockets[i];
    bool known = socket->domain == AF_UNIX || socket->domain == AF_NETLINK || is_inet(socket);
    bool raw = socket->domain == AF_NETLINK && socket->type == SOCK_RAW;
    if (!known || !address_ok(socket, socket->address_size, socket->flags & CKPT_SOCKET_BOUND) ||
        !address_ok(socket, socket->peer_address_size, false) || !file_ok(socket) || socket->shutdown > 3 ||
        socket->backlog > INT32_MAX || !filter_ok(image, socket) ||
        (!raw && socket->type != SOCK_STREAM && socket->type != SOCK_DGRAM && socket->type != SOCK_SEQPACKET))
      return damaged(image, "socket", i);
  }
  for (uint32_t i = 0; i < image->options_count; i++)
    if (image->options[i].socket >= image->sockets_count || !option_ok(&image->options[i]) ||
        (i > 0 && image->options[i].socket < image->options[i - 1].socket))
      return damaged(image, "socket option", i);
  return 0;
}

static int check_events(struct image *image) {
  for (uint32_t i = 0; i < image->watches_count; i++)
    if (!watch_ok(image, &image->watches[i]))
      return damaged(image, "epoll watch", i);
  for (uint32_t i = 0; i < image->inotify_count; i++) {
    const struct ckpt_inotify *watch = &image->inotify[i];
    if (watch->instance >= image->descriptions_count || !watch->file || watch->file > image->files_count ||
        image->descriptions[watch->instance].kind != CKPT_DESC_INOTIFY || watch->number < 1 ||
        watch->number > CKPT_INOTIFY_MOST)
      return damaged(image, "inotify watch", i);
  }
  for (uint32_t i = 0; i < image->ptys_count; i++)
    if (image->ptys[i].device == 0 || image->ptys[i].number > INT32_MAX || image->ptys[i].mode > 07777)
      return damaged(image, "pseudoterminal", i);
  for (uint32_t i = 0; i < image->timerfds_count; i++)
    if (image->timerfds[i].value_ns < 0 || image->timerfds[i].interval_ns < 0)
      return damaged(image, "timerfd", i);
  return 0;
}

static int check_all(struct image *image) {
  int32_t last = -1;
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (!description_ok(image, &image->descriptions[i]))
      return damaged(image, "open file", i);
  for (uint32_t i = 0; i < image->descriptors_count; i++) {
    const struct ckpt_descriptor *d = &image->descriptors[i];
    if (d->fd <= last || d->fd >= DESCRIPTOR_MOST || d->description >= image->descriptions_count)
      return damaged(image, "descriptor", i);
    last = d->fd;
  }
  for (uint32_t i = 0; i < image->locks_count; i++) {
    const struct ckpt_lock *lock = &image->locks[i];
    if (lock->description >= image->descriptions_count || lock->kind < CKPT_LOCK_POSIX ||
        lock->kind > CKPT_LOCK_LEASE || lock->start > INT64_MAX || lock->length > INT64_MAX - lock->start)
      return damaged(image, "lock", i);
  }
  return 0;
}

int image_check_descriptors(struct image *image) {
  if (check_sockets(image) < 0 || check_all(image) < 0)
    return -1;
  return check_events(image) < 0 ? -1 : image_check_tcp(image);
}
