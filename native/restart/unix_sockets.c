/* Unix sockets: connections first, through listeners of our own, then what listens or has a name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "say.h"
#include "unix_names.h"

static const struct ckpt_socket *socket_of(const struct image *image, uint32_t index) {
  return &image->sockets[image->descriptions[index].a];
}

static bool is_unix(const struct image *image, uint32_t index) {
  return image->descriptions[index].kind == CKPT_DESC_UNIX_SOCKET;
}

bool unix_is_paired(const struct image *image, const struct ckpt_socket *socket) {
  if (!(socket->flags & CKPT_SOCKET_CONNECTED) || socket->flags & CKPT_SOCKET_WAITS)
    return false;
  if (socket->type != SOCK_DGRAM)
    return true;
  uint32_t other = socket_find(image, socket->peer);
  return other == image->descriptions_count
             ? socket->peer_address_size == 0
             : socket_of(image, other) != socket && socket_of(image, other)->peer == socket->inode;
}

static int make_one(const struct child *child, const struct ckpt_socket *was) {
  return descriptor_lift(child, socket(AF_UNIX, was->type | SOCK_CLOEXEC, was->protocol), "a unix socket");
}

/* ---- Connections -------------------------------------------------------------------------------------- */

/* Somebody else may have come first. */
static int accept_own(int listener) {
  for (;;) {
    struct ucred who;
    socklen_t size = sizeof who;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.pid == getpid()))
      return fd;
    close(fd);
  }
}

/* The accepted end has the listener's name, as all that it has accepted: only accepting gives it. */
static int connect_through(const struct ckpt_socket *server, const struct ckpt_socket *client, int listener,
                           int end) {
  bool client_named = client && client->flags & CKPT_SOCKET_BOUND;
  if (unix_bind(server, listener) < 0)
    return -1;
  int accepted = -1;
  if (listen(listener, 1) == 0 && (!client_named || unix_bind(client, end) == 0) &&
      unix_connect(end, server->address, server->address_size) == 0)
    accepted = accept_own(listener);
  int error = errno;
  unix_settle_name(server);
  if (client_named)
    unix_settle_name(client);
  errno = error;
  return accepted;
}

static bool shares_name(const struct image *image, const struct ckpt_socket *socket) {
  for (uint32_t i = 0; i < image->sockets_count; i++)
    if (&image->sockets[i] != socket && image->sockets[i].domain == AF_UNIX &&
        image->sockets[i].flags & CKPT_SOCKET_BOUND && unix_same_name(&image->sockets[i], socket))
      return true;
  return false;
}

/* Makes a connection with names: ends[0] is that of `a`, ends[1] that of `b`, which may be missing. */
static int connect_named(const struct child *child, const struct ckpt_socket *a, const struct ckpt_socket *b,
                         int ends[2]) {
  bool b_named = b && b->flags & CKPT_SOCKET_BOUND;
  bool b_serves = b_named && (!(a->flags & CKPT_SOCKET_BOUND) || !shares_name(child->image, a));
  const struct ckpt_socket *server = b_serves ? b : a, *client = b_serves ? a : b;
  int listener = socket(AF_UNIX, a->type | SOCK_CLOEXEC, a->protocol);
  int end = socket(AF_UNIX, a->type | SOCK_CLOEXEC, a->protocol);
  int accepted = listener < 0 || end < 0 ? -1 : connect_through(server, client, listener, end);
  int error = errno;
  char words[UNIX_WORDS];
  if (listener >= 0)
    close(listener);
  if (accepted < 0) {
    if (end >= 0)
      close(end);
    say_warning("a unix socket comes back without its name %s: %s",
                unix_words(server->address, server->address_size, words), strerror(error));
    return socketpair(AF_UNIX, a->type | SOCK_CLOEXEC, a->protocol, ends);
  }
  ends[b_serves ? 1 : 0] = accepted;
  ends[b_serves ? 0 : 1] = end;
  return 0;
}

static int bind_again(const struct ckpt_socket *socket, int fd) {
  char words[UNIX_WORDS];
  if (!(socket->flags & CKPT_SOCKET_BOUND) || unix_bind(socket, fd) == 0)
    return 0;
  return say_problem("cannot give a unix socket its name %s again: %s",
                     unix_words(socket->address, socket->address_size, words), strerror(errno));
}

/* Datagram sockets have their names for themselves. */
static int name_datagram_ends(const struct ckpt_socket *a, const struct ckpt_socket *b, const int ends[2]) {
  if (bind_again(a, ends[0]) < 0 || (b && bind_again(b, ends[1]) < 0))
    return -1;
  unix_settle_name(a);
  if (b)
    unix_settle_name(b);
  return 0;
}

static int make_pair(struct child *child, uint32_t first) {
  const struct image *image = child->image;
  const struct ckpt_socket *a = socket_of(image, first);
  uint32_t other = a->peer ? socket_find(image, a->peer) : image->descriptions_count;
  const struct ckpt_socket *b = other < image->descriptions_count ? socket_of(image, other) : NULL;
  const char *name = image_string(image, image->descriptions[first].name);
  bool named = a->flags & CKPT_SOCKET_BOUND || (b && b->flags & CKPT_SOCKET_BOUND);
  int ends[2];
  if (b && (b->peer != a->inode || b == a || b->domain != AF_UNIX || b->type != a->type ||
            child->descriptions[other] >= 0))
    return say_problem("%s: the image contradicts itself about its other end", name);
  int result = named && a->type != SOCK_DGRAM
                   ? connect_named(child, a, b, ends)
                   : socketpair(AF_UNIX, a->type | SOCK_CLOEXEC, a->protocol, ends);
  if (result < 0)
    return say_problem("cannot make a pair of sockets: %s", strerror(errno));
  if ((ends[0] = descriptor_lift(child, ends[0], name)) < 0 ||
      (ends[1] = descriptor_lift(child, ends[1], name)) < 0)
    return -1;
  child->descriptions[first] = ends[0];
  child->others[first] = ends[1];
  if (b) {
    child->descriptions[other] = ends[1];
    child->others[other] = ends[0];
  }
  return a->type == SOCK_DGRAM ? name_datagram_ends(a, b, ends) : 0;
}

/* ---- All others --------------------------------------------------------------------------------------- */

static uint32_t find_client(const struct image *image, const struct ckpt_socket *listener, uint32_t turn) {
  for (uint32_t i = 0; i < image->descriptions_count; i++)
    if (is_unix(image, i) && socket_of(image, i)->flags & CKPT_SOCKET_WAITS &&
        socket_of(image, i)->peer == listener->inode && socket_of(image, i)->turn == turn)
      return i;
  return image->descriptions_count;
}

static int connect_client(struct child *child, uint32_t index, const struct ckpt_socket *listener) {
  const struct ckpt_socket *was = socket_of(child->image, index);
  char words[UNIX_WORDS];
  int fd = make_one(child, was);
  if (fd < 0 || bind_again(was, fd) < 0)
    return -1;
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || unix_connect(fd, listener->address, listener->address_size) < 0 ||
      fcntl(fd, F_SETFL, 0) < 0)
    return say_problem("cannot connect to the unix socket %s again: %s",
                       unix_words(listener->address, listener->address_size, words), strerror(errno));
  unix_settle_name(was);
  child->descriptions[index] = fd;
  return 0;
}

/* Those that wait to be accepted come before everybody else, since the name is not yet for others. */
static int listen_again(struct child *child, const struct ckpt_socket *was, int fd) {
  if (!(was->flags & CKPT_SOCKET_LISTENS))
    return 0;
  if (listen(fd, (int)was->backlog) < 0)
    return say_problem("a unix socket cannot listen again: %s", strerror(errno));
  for (uint32_t turn = 1; turn <= was->waiting && turn <= child->image->sockets_count; turn++) {
    uint32_t client = find_client(child->image, was, turn);
    if (client < child->image->descriptions_count && connect_client(child, client, was) < 0)
      return -1;
  }
  return 0;
}

static int make_alone(struct child *child, uint32_t index) {
  const struct ckpt_socket *was = socket_of(child->image, index);
  int fd = child->descriptions[index] = make_one(child, was);
  if (fd < 0 || bind_again(was, fd) < 0 || listen_again(child, was, fd) < 0)
    return -1;
  unix_settle_name(was);
  return 0;
}

/* A name that is not found any more must have come and gone before somebody else gets it. */
static int make_those(struct child *child, bool paired, bool found) {
  const struct image *image = child->image;
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    if (!is_unix(image, i) || child->descriptions[i] >= 0)
      continue;
    const struct ckpt_socket *socket = socket_of(image, i);
    if (socket->flags & CKPT_SOCKET_WAITS || unix_is_paired(image, socket) != paired ||
        (socket->flags & CKPT_SOCKET_FILE || !unix_has_path(socket)) != found)
      continue;
    if ((paired ? make_pair(child, i) : make_alone(child, i)) < 0)
      return -1;
  }
  return 0;
}

static int make_all(struct child *child) {
  for (int round = 0; round < 4; round++)
    if (make_those(child, round < 2, round & 1) < 0)
      return -1;
  for (uint32_t i = 0; i < child->image->descriptions_count; i++)
    if (is_unix(child->image, i) && child->descriptions[i] < 0)
      return say_problem("%s: the image contradicts itself about whom it waits for",
                         image_string(child->image, child->image->descriptions[i].name));
  return 0;
}

int unix_in_cwd(struct child *child, int (*step)(struct child *)) {
  if (child->image->sockets_count == 0)
    return 0;
  int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (here < 0)
    return say_problem("cannot open restart's working directory: %s", strerror(errno));
  int result = child_change_directory(child) < 0 ? -1 : step(child);
  if (fchdir(here) < 0)
    result = say_problem("cannot go back to restart's working directory: %s", strerror(errno));
  close(here);
  return result;
}

int unix_make_all(struct child *child) {
  return unix_in_cwd(child, make_all);
}
