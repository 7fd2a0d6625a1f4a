/* Pairs of unix sockets, and what was in them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "say.h"

static int set_number(int fd, int name, int value) {
  return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}

/* The kernel doubles what it is told, and only root may go beyond wmem_max and rmem_max. */
static int set_buffer(int fd, const struct ckpt_option *option) {
  int size, now = 0;
  socklen_t length = sizeof now;
  memcpy(&size, option->value, sizeof size);
  if (set_number(fd, option->name, size / 2) < 0)
    return -1;
  if (getsockopt(fd, SOL_SOCKET, option->name, &now, &length) == 0 && now == size)
    return 0;
  return set_number(fd, option->name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, size / 2);
}

static void set_option(const struct child *child, const struct ckpt_description *d, int fd,
                       const struct ckpt_option *option) {
  uint8_t now[sizeof option->value];
  socklen_t size = option->size;
  if (getsockopt(fd, option->level, option->name, now, &size) == 0 && size == option->size &&
      memcmp(now, option->value, size) == 0)
    return;
  bool buffer = option->level == SOL_SOCKET && (option->name == SO_SNDBUF || option->name == SO_RCVBUF);
  if ((buffer ? set_buffer(fd, option)
              : setsockopt(fd, option->level, option->name, option->value, option->size)) < 0)
    say_warning("%s: cannot set its option %d.%d as it was: %s", image_string(child->image, d->name),
                option->level, option->name, strerror(errno));
}

void socket_set_options(const struct child *child, const struct ckpt_description *d, int fd) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->options_count; i++)
    if (image->options[i].socket == d->a)
      set_option(child, d, fd, &image->options[i]);
}

/* Through the other end, packet by packet. Each carries our credentials, which are the program's, in case
 * that it asks for them. */
static int fill(const struct child *child, const struct ckpt_description *d, int end, int other) {
  const uint8_t *at = child->image->blob + d->data, *last = at + d->data_size;
  /* The kernel cuts this to what it allows. */
  if (d->data_size &&
      set_number(other, SO_SNDBUFFORCE, (int)(d->data_size < 1 << 28 ? d->data_size * 2 : 1 << 29)) < 0)
    (void)set_number(other, SO_SNDBUF, 1 << 28);
  if (set_number(end, SO_PASSCRED, 1) < 0)
    return say_problem("cannot set up a socket: %s", strerror(errno));
  while (at < last) {
    uint32_t length;
    memcpy(&length, at, sizeof length);
    ssize_t n = send(other, at + sizeof length, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n != (ssize_t)length)
      return say_problem("cannot put %u bytes back into %s: %s", length, image_string(child->image, d->name),
                         n < 0 ? strerror(errno) : "it takes no more");
    at += sizeof length + length;
  }
  return set_number(end, SO_PASSCRED, 0);
}

static int shut(int fd, uint32_t how) {
  return how == 0 ? 0 : shutdown(fd, how == 3 ? SHUT_RDWR : how == 1 ? SHUT_RD : SHUT_WR);
}

/* The description of the other end, or count when it was closed. */
static uint32_t find_other(const struct image *image, uint32_t first) {
  const struct ckpt_socket *socket = &image->sockets[image->descriptions[first].a];
  uint32_t other = first + 1;
  while (other < image->descriptions_count &&
         (socket->peer == 0 || image->descriptions[other].kind != CKPT_DESC_SOCKET_PAIR ||
          image->sockets[image->descriptions[other].a].inode != socket->peer))
    other++;
  return other;
}

int socket_pair_make(struct child *child, uint32_t first) {
  const struct image *image = child->image;
  const struct ckpt_description *d = &image->descriptions[first];
  const struct ckpt_socket *socket = &image->sockets[d->a];
  const char *name = image_string(image, d->name);
  uint32_t other = find_other(image, first);
  bool both = other < image->descriptions_count;
  const struct ckpt_description *e = both ? &image->descriptions[other] : NULL;
  int ends[2];
  if (socketpair(AF_UNIX, socket->type | SOCK_CLOEXEC, socket->protocol, ends) < 0)
    return say_problem("cannot make a pair of sockets: %s", strerror(errno));
  if ((ends[0] = descriptor_lift(child, ends[0], name)) < 0 ||
      (ends[1] = descriptor_lift(child, ends[1], name)) < 0)
    return -1;
  child->descriptions[first] = ends[0];
  if (fill(child, d, ends[0], ends[1]) < 0 || (both && fill(child, e, ends[1], ends[0]) < 0))
    return -1;
  socket_set_options(child, d, ends[0]);
  if (!both) {
    /* Something unread when an end is closed is an error at the other one. */
    if (socket->flags & CKPT_SOCKET_RESET && send(ends[0], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      return say_problem("%s: cannot break it: %s", name, strerror(errno));
    close(ends[1]);
    return 0;
  }
  child->descriptions[other] = ends[1];
  socket_set_options(child, e, ends[1]);
  if (shut(ends[0], socket->shutdown) < 0 || shut(ends[1], image->sockets[e->a].shutdown) < 0)
    return say_problem("%s: cannot shut it: %s", name, strerror(errno));
  return 0;
}
