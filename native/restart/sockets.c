/* What sockets of all families have: options, what was in them, ways that are shut. */
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "inet.h"
#include "say.h"
#include "unix_names.h"

enum { RIGHTS_MOST = 253, PATIENCE_MS = 5000 };

static bool is_socket(const struct image *image, uint32_t index) {
  uint32_t kind = image->descriptions[index].kind;
  return kind == CKPT_DESC_UNIX_SOCKET || kind == CKPT_DESC_SOCKET;
}

uint32_t socket_find(const struct image *image, uint64_t inode) {
  uint32_t i = 0;
  while (i < image->descriptions_count &&
         (!is_socket(image, i) || image->sockets[image->descriptions[i].a].inode != inode))
    i++;
  return i;
}

static int set_number(int fd, int name, int value) {
  return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}

/* ---- Options ------------------------------------------------------------------------------------------ */

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
  /* What an end of a connection was bound to may have settled that one, and nothing comes of it any more. */
  if (option->level == IPPROTO_IPV6 && option->name == IPV6_V6ONLY &&
      child->image->sockets[d->a].flags & CKPT_SOCKET_CONNECTED)
    return;
  if (getsockopt(fd, option->level, option->name, now, &size) == 0 && size == option->size &&
      memcmp(now, option->value, size) == 0)
    return;
  bool buffer = option->level == SOL_SOCKET && (option->name == SO_SNDBUF || option->name == SO_RCVBUF);
  if ((buffer ? set_buffer(fd, option)
              : setsockopt(fd, option->level, option->name, option->value, option->size)) < 0 &&
      errno != EADDRINUSE) /* a group that it has joined already */
    say_warning("%s: cannot set its option %d.%d as it was: %s", image_string(child->image, d->name),
                option->level, option->name, strerror(errno));
}

/* The first option of this socket, or of one behind it. */
static uint32_t find_options(const struct image *image, uint64_t socket) {
  uint32_t low = 0, high = image->options_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (image->options[middle].socket < socket)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void socket_set_options(const struct child *child, const struct ckpt_description *d, int fd) {
  const struct image *image = child->image;
  for (uint32_t i = find_options(image, d->a); i < image->options_count && image->options[i].socket == d->a;
       i++)
    set_option(child, d, fd, &image->options[i]);
}

int socket_attach_filter(const struct child *child, const struct ckpt_description *d, int fd) {
  const struct ckpt_socket *was = &child->image->sockets[d->a];
  struct sock_filter filter[CKPT_FILTER_MOST];
  struct sock_fprog program = {.len = (unsigned short)was->filter_length, .filter = filter};
  memcpy(filter, child->image->blob + was->filter, was->filter_length * sizeof *filter);
  if ((program.len && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) ||
      (was->flags & CKPT_SOCKET_FILTER_LOCKED && set_number(fd, SO_LOCK_FILTER, 1) < 0))
    return say_problem("%s: cannot attach its filter: %s", image_string(child->image, d->name),
                       strerror(errno));
  return 0;
}

/* ---- What waits to be read ---------------------------------------------------------------------------- */

/* One packet as it is sent again. */
struct sending {
  struct ckpt_packet head;
  const uint8_t *rights, *address, *bytes;
  char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MOST * sizeof(int))]
      __attribute__((aligned(8)));
  size_t control_size;
};

static void *add_control(struct sending *s, int type, size_t size) {
  struct cmsghdr *head = (struct cmsghdr *)(void *)(s->control + s->control_size);
  *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = CMSG_LEN(size)};
  s->control_size += CMSG_SPACE(size);
  return CMSG_DATA(head);
}

static void set_control(const struct child *child, struct sending *s, const struct ucred *who) {
  memset(s->control, 0, sizeof s->control);
  s->control_size = 0;
  if (s->head.pid)
    memcpy(add_control(s, SCM_CREDENTIALS, sizeof *who), who, sizeof *who);
  if (!s->head.rights)
    return;
  uint8_t *fds = add_control(s, SCM_RIGHTS, s->head.rights * sizeof(int));
  for (uint32_t i = 0; i < s->head.rights; i++) {
    uint32_t description;
    memcpy(&description, s->rights + i * sizeof description, sizeof description);
    memcpy(fds + i * sizeof(int), &child->descriptions[description], sizeof(int));
  }
}

static ssize_t send_bytes(const struct child *child, struct sending *s, int through,
                          const struct ckpt_socket *to, size_t from) {
  struct ucred who = {.pid = s->head.pid, .uid = s->head.uid, .gid = s->head.gid};
  struct iovec piece = {.iov_base = (void *)(uintptr_t)(s->bytes + from), .iov_len = s->head.size - from};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = s->control};
  if (to) {
    message.msg_name = (void *)(uintptr_t)to->address;
    message.msg_namelen = to->address_size;
  }
  set_control(child, s, &who);
  message.msg_controllen = s->control_size;
  ssize_t n = sendmsg(through, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0 || !s->head.pid || (errno != EPERM && errno != ESRCH && errno != EINVAL))
    return n;
  /* Sent by somebody whom we may not speak for. */
  who = (struct ucred){.pid = getpid(), .uid = getuid(), .gid = getgid()};
  set_control(child, s, &who);
  return sendmsg(through, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* TCP takes more once some of it has arrived. */
static bool takes_more(int through) {
  struct pollfd poller = {.fd = through, .events = POLLOUT};
  return errno == EAGAIN && poll(&poller, 1, PATIENCE_MS) == 1;
}

/* A stream may take it in pieces; what goes with it goes with the first. */
static int send_packet(const struct child *child, const struct ckpt_description *d, struct sending *s,
                       int through, const struct ckpt_socket *to) {
  size_t sent = 0;
  do {
    ssize_t n = send_bytes(child, s, through, to, sent);
    if (n < 0 && d->kind == CKPT_DESC_SOCKET && takes_more(through))
      continue;
    if (n < 0)
      return say_problem("cannot put %zu bytes back into %s: %s", s->head.size - sent,
                         image_string(child->image, d->name), strerror(errno));
    sent += (size_t)n;
    s->head.rights = 0;
  } while (sent < s->head.size);
  return 0;
}

/* Who sent a datagram: a socket of the program's with that name, or one of ours that is closed then. */
static int find_sender(const struct child *child, const struct sending *s, int *own) {
  const struct image *image = child->image;
  struct ckpt_socket name = {.address_size = s->head.address_size};
  char words[UNIX_WORDS];
  if (s->head.address_size) {
    memcpy(name.address, s->address, s->head.address_size);
    for (uint32_t i = 0; i < image->descriptions_count; i++)
      if (image->descriptions[i].kind == CKPT_DESC_UNIX_SOCKET) {
        const struct ckpt_socket *socket = &image->sockets[image->descriptions[i].a];
        if (socket->type == SOCK_DGRAM && socket->flags & CKPT_SOCKET_BOUND && unix_same_name(socket, &name))
          return child->descriptions[i];
      }
    say_warning("a datagram that waits to be read comes back without the name of who sent it, %s",
                unix_words(name.address, name.address_size, words));
  }
  return *own = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* The kernel cuts this to what it allows. The options are set as they were afterwards. */
static void give_room(int fd, uint64_t size) {
  if (set_number(fd, SO_SNDBUFFORCE, (int)(size < 1 << 28 ? size * 2 : 1 << 29)) < 0)
    (void)set_number(fd, SO_SNDBUF, 1 << 28);
}

static int fill(const struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  const struct ckpt_socket *socket = &child->image->sockets[d->a];
  const uint8_t *at = child->image->blob + d->data, *last = at + d->data_size;
  bool tcp = d->kind == CKPT_DESC_SOCKET && socket->type == SOCK_STREAM;
  int other = child->others[index], result = 0;
  if (d->kind == CKPT_DESC_SOCKET && !tcp) {
    udp_fill(child, index);
    return 0;
  }
  if (d->data_size == 0 || (tcp && other < 0))
    return 0;
  if (tcp)
    result = tcp_make_room(child, index, d->data_size - sizeof(struct ckpt_packet));
  else if (other >= 0)
    give_room(other, d->data_size);
  while (at < last && result == 0) {
    struct sending s;
    int own = -1;
    memcpy(&s.head, at, sizeof s.head);
    s.rights = at + sizeof s.head;
    s.address = s.rights + s.head.rights * sizeof(uint32_t);
    s.bytes = s.address + s.head.address_size;
    at = s.bytes + s.head.size;
    result = send_packet(child, d, &s, other >= 0 ? other : find_sender(child, &s, &own),
                         other >= 0 ? NULL : socket);
    if (own >= 0)
      close(own);
  }
  return result == 0 && tcp ? tcp_wait_for(child, index) : result;
}

/* ---- As they were ------------------------------------------------------------------------------------- */

static int shut(int fd, uint32_t how) {
  return how == 0 ? 0 : shutdown(fd, how == 3 ? SHUT_RDWR : how == 1 ? SHUT_RD : SHUT_WR);
}

/* An end that nobody has. Something unread when it is closed is an error at the other one. */
static int close_other(const struct child *child, uint32_t index, const struct ckpt_socket *socket) {
  const char *name = image_string(child->image, child->image->descriptions[index].name);
  int fd = child->descriptions[index];
  if (socket->flags & CKPT_SOCKET_RESET && send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return say_problem("%s: cannot break it: %s", name, strerror(errno));
  close(child->others[index]);
  if (socket->flags & CKPT_SOCKET_RESET && socket->shutdown != 3)
    say_warning("%s was a connection to another process: the program finds it broken", name);
  return 0;
}

static int finish_unix(const struct child *child, uint32_t index) {
  const struct image *image = child->image;
  const struct ckpt_description *d = &image->descriptions[index];
  const struct ckpt_socket *socket = &image->sockets[d->a];
  char words[UNIX_WORDS];
  int fd = child->descriptions[index];
  bool paired = unix_is_paired(image, socket);
  socket_set_options(child, d, fd);
  if (paired && socket_find(image, socket->peer) == image->descriptions_count)
    return close_other(child, index, socket);
  if (socket->flags & CKPT_SOCKET_CONNECTED && !(socket->flags & CKPT_SOCKET_WAITS) && !paired &&
      unix_connect(fd, socket->peer_address, socket->peer_address_size) < 0)
    say_warning("a datagram socket cannot be connected to %s again: %s",
                unix_words(socket->peer_address, socket->peer_address_size, words), strerror(errno));
  if (shut(fd, socket->shutdown) < 0)
    return say_problem("%s: cannot shut it: %s", image_string(image, d->name), strerror(errno));
  return 0;
}

static int finish(const struct child *child, uint32_t index) {
  const struct ckpt_description *d = &child->image->descriptions[index];
  int result = d->kind == CKPT_DESC_UNIX_SOCKET ? finish_unix(child, index) : tcp_finish(child, index);
  return result < 0 ? result : socket_attach_filter(child, d, child->descriptions[index]);
}

static int finish_all(struct child *child) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (is_socket(image, i) && fill(child, i) < 0)
      return -1;
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (is_socket(image, i) && finish(child, i) < 0)
      return -1;
  return 0;
}

int sockets_finish(struct child *child) {
  return unix_in_cwd(child, finish_all);
}
