/* TCP connections. One between two sockets of the program is made again, over the same addresses and ports
 * where they are to be had. Of one to the outside there is what had arrived: then it ends as the other side
 * had ended it, or is reset. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "inet.h"
#include "ports.h"
#include "say.h"
#include "tcp_repair.h"

enum { WAIT_MS = 5000 };

/* What a connection keeps of its addresses. */
enum keeps { KEEPS_ALL, KEEPS_SERVER, KEEPS_NOTHING };

static const struct ckpt_socket *socket_of(const struct image *image, uint32_t index) {
  return &image->sockets[image->descriptions[index].a];
}

static bool is_tcp(const struct image *image, uint32_t index, uint32_t flag) {
  return image->descriptions[index].kind == CKPT_DESC_SOCKET &&
         socket_of(image, index)->type == SOCK_STREAM && socket_of(image, index)->flags & flag;
}

/* ---- Connecting --------------------------------------------------------------------------------------- */

static int take_port(const struct ckpt_socket *client, int fd) {
  union address address;
  socklen_t size = inet_address(&address, client, client->address);
  return port_take(fd, &address, size);
}

/* Somebody else may have come first. */
static int accept_own(int listener, int client) {
  for (;;) {
    union address here, there;
    socklen_t here_size = sizeof here, there_size = sizeof there;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || (getsockname(client, &here.any, &here_size) == 0 &&
                   getpeername(fd, &there.any, &there_size) == 0 && *port_of(&here) == *port_of(&there)))
      return fd;
    close(fd);
  }
}

static int connect_to(const struct ckpt_socket *server, const struct ckpt_socket *client, enum keeps keeps,
                      int listener, int end) {
  union address at, to;
  socklen_t at_size = keeps == KEEPS_NOTHING ? inet_loopback(&at, server->domain)
                                             : inet_address(&at, server, server->address);
  socklen_t to_size = keeps == KEEPS_NOTHING ? inet_loopback(&to, client->domain)
                                             : inet_address(&to, client, client->peer_address);
  if (bind(listener, &at.any, at_size) < 0 || listen(listener, 1) < 0 ||
      getsockname(listener, &at.any, &at_size) < 0 || (keeps == KEEPS_ALL && take_port(client, end) < 0))
    return -1;
  *port_of(&to) = *port_of(&at);
  return connect(end, &to.any, to_size) < 0 ? -1 : accept_own(listener, end);
}

/* ends[0] is the one that was accepted. */
static int connect_pair(const struct ckpt_socket *server, const struct ckpt_socket *client, enum keeps keeps,
                        int ends[2]) {
  int listener = port_socket(server->domain);
  ends[1] = listener < 0 ? -1 : port_socket(client->domain);
  ends[0] = ends[1] < 0 ? -1 : connect_to(server, client, keeps, listener, ends[1]);
  int error = errno;
  if (listener >= 0)
    close(listener);
  if (ends[0] < 0 && ends[1] >= 0)
    close(ends[1]);
  errno = error;
  return ends[0] < 0 ? -1 : 0;
}

static int connect_somehow(const struct ckpt_socket *server, const struct ckpt_socket *client, int ends[2]) {
  union address here, there;
  char here_words[INET_WORDS], there_words[INET_WORDS];
  if (connect_pair(server, client, KEEPS_ALL, ends) == 0)
    return 0;
  int error = errno;
  inet_address(&here, client, client->address);
  inet_address(&there, server, server->address);
  say_warning("the program's own TCP connection from %s to %s comes back with other ports: %s",
              inet_words(&here, here_words), inet_words(&there, there_words), strerror(error));
  return connect_pair(server, client, KEEPS_SERVER, ends) == 0
             ? 0
             : connect_pair(server, client, KEEPS_NOTHING, ends);
}

/* Is it the accepted one? All of those share the port of what listened. */
static bool shares_port(const struct image *image, const struct ckpt_socket *socket) {
  for (uint32_t i = 0; i < image->sockets_count; i++)
    if (image->sockets[i].inode != socket->inode && image->sockets[i].type == SOCK_STREAM &&
        image->sockets[i].domain != AF_UNIX &&
        memcmp(image->sockets[i].address + 2, socket->address + 2, 2) == 0)
      return true;
  return false;
}

static int make_connection(struct child *child, uint32_t first) {
  const struct image *image = child->image;
  const struct ckpt_socket *a = socket_of(image, first);
  uint32_t other = a->peer ? socket_find(image, a->peer) : image->descriptions_count;
  const struct ckpt_socket *b = other < image->descriptions_count ? socket_of(image, other) : NULL;
  const char *name = image_string(image, image->descriptions[first].name);
  int ends[2];
  if (b && (b->peer != a->inode || b == a || !is_tcp(image, other, CKPT_SOCKET_CONNECTED) ||
            child->descriptions[other] >= 0))
    return say_problem("%s: the image contradicts itself about its other end", name);
  bool first_serves = !b || shares_port(image, a);
  int result = !b ? connect_pair(a, a, KEEPS_NOTHING, ends)
                  : connect_somehow(first_serves ? a : b, first_serves ? b : a, ends);
  if (result < 0)
    return say_problem("cannot make a TCP connection over a local address: %s", strerror(errno));
  if ((ends[0] = descriptor_lift(child, ends[0], name)) < 0 ||
      (ends[1] = descriptor_lift(child, ends[1], name)) < 0)
    return -1;
  int mine = ends[first_serves ? 0 : 1], its = ends[first_serves ? 1 : 0];
  child->descriptions[first] = mine;
  child->others[first] = its;
  if (b) {
    child->descriptions[other] = its;
    child->others[other] = mine;
  }
  return 0;
}

static bool is_connecting(const struct image *image, uint32_t index) {
  return is_tcp(image, index, CKPT_SOCKET_CONNECTED) && socket_of(image, index)->state == TCP_SYN_SENT &&
         socket_of(image, index)->peer_address_size;
}

/* Nothing has come of it yet: it tries again. */
static int begin_to_connect(struct child *child, uint32_t index) {
  const struct ckpt_socket *was = socket_of(child->image, index);
  union address to;
  char words[INET_WORDS];
  socklen_t size = inet_address(&to, was, was->peer_address);
  int fd = child->descriptions[index] = descriptor_lift(child, port_socket(was->domain), "a TCP socket");
  if (fd < 0)
    return -1;
  (void)take_port(was, fd); /* else it comes from another one */
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || (connect(fd, &to.any, size) < 0 && errno != EINPROGRESS))
    say_warning("the program was about to connect to %s, which cannot be tried again: %s",
                inet_words(&to, words), strerror(errno));
  return 0;
}

/* It waits to be accepted, with nothing sent yet. */
static int connect_client(struct child *child, uint32_t index) {
  const struct ckpt_socket *was = socket_of(child->image, index);
  union address to;
  char words[INET_WORDS];
  socklen_t size = inet_address(&to, was, was->peer_address);
  int fd = descriptor_lift(child, port_socket(was->domain), "a TCP socket");
  if (fd < 0)
    return -1;
  if (take_port(was, fd) < 0 || connect(fd, &to.any, size) < 0) {
    close(fd);
    fd = descriptor_lift(child, port_socket(was->domain), "a TCP socket");
    if (fd < 0 || connect(fd, &to.any, size) < 0)
      return say_problem("cannot connect to %s again: %s", inet_words(&to, words), strerror(errno));
  }
  child->descriptions[index] = fd;
  return 0;
}

static int connect_clients(struct child *child) {
  const struct image *image = child->image;
  for (uint32_t turn = 1, left = 1; left && turn <= image->sockets_count; turn++) {
    left = 0;
    for (uint32_t i = 0; i < image->descriptions_count; i++) {
      if (!is_tcp(image, i, CKPT_SOCKET_WAITS) || child->descriptions[i] >= 0)
        continue;
      left = 1;
      if (socket_of(image, i)->turn <= turn && connect_client(child, i) < 0)
        return -1;
    }
  }
  return 0;
}

static bool is_established(const struct image *image, uint32_t index) {
  return is_tcp(image, index, CKPT_SOCKET_CONNECTED) && !is_tcp(image, index, CKPT_SOCKET_WAITS) &&
         !is_connecting(image, index);
}

static bool is_within(const struct image *image, uint32_t index) {
  return is_established(image, index) && socket_of(image, index)->peer;
}

static bool listens(const struct image *image, uint32_t index) {
  return is_tcp(image, index, CKPT_SOCKET_LISTENS);
}

static int make_listener(struct child *child, uint32_t index) {
  child->descriptions[index] = inet_make(child, &child->image->descriptions[index]);
  return child->descriptions[index] < 0 ? -1 : 0;
}

static int make_each(struct child *child, bool (*is_one)(const struct image *, uint32_t),
                     int (*make)(struct child *, uint32_t)) {
  for (uint32_t i = 0; i < child->image->descriptions_count; i++)
    if (is_one(child->image, i) && child->descriptions[i] < 0 && make(child, i) < 0)
      return -1;
  return 0;
}

/* Those to the outside that have been made already. */
static void take_repaired(struct child *child) {
  for (uint32_t i = 0; i < child->image->descriptions_count; i++)
    if (is_tcp(child->image, i, CKPT_SOCKET_CONNECTED))
      child->descriptions[i] = repair_find(child->job, socket_of(child->image, i)->inode);
}

/* Those for which any port will do come last. */
int tcp_make_all(struct child *child) {
  take_repaired(child);
  ports_free(child->image);
  return make_each(child, is_within, make_connection) < 0 || make_each(child, listens, make_listener) < 0 ||
                 connect_clients(child) < 0 || make_each(child, is_connecting, begin_to_connect) < 0 ||
                 make_each(child, is_established, make_connection) < 0
             ? -1
             : 0;
}

/* ---- Filling, and as they were ------------------------------------------------------------------------ */

/* The sender keeps nothing back, and what the receiver waits for there is room for. */
int tcp_make_room(const struct child *child, uint32_t index, uint64_t size) {
  int yes = 1, wanted = size < 1 << 30 ? (int)size : 1 << 30;
  if (setsockopt(child->others[index], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0 ||
      setsockopt(child->descriptions[index], SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted) < 0)
    return say_problem("cannot set up a TCP socket: %s", strerror(errno));
  return 0;
}

static int wait_until(const struct child *child, uint32_t index, short event) {
  struct pollfd poller = {.fd = child->descriptions[index], .events = event};
  return poll(&poller, 1, WAIT_MS) == 1
             ? 0
             : say_problem("%s: what was sent to it does not arrive",
                           image_string(child->image, child->image->descriptions[index].name));
}

int tcp_wait_for(const struct child *child, uint32_t index) {
  return wait_until(child, index, POLLIN);
}

/* One that was alive, and cannot be so again. */
static bool is_torn(const struct ckpt_socket *socket) {
  return socket->flags & CKPT_SOCKET_RESET && socket->state != TCP_CLOSE;
}

const struct ckpt_socket *connection_to_outside(const struct image *image, uint32_t description) {
  return is_tcp(image, description, CKPT_SOCKET_CONNECTED) && is_torn(socket_of(image, description))
             ? socket_of(image, description)
             : NULL;
}

void check_connections(const struct image *image, const struct options *options) {
  char words[INET_WORDS];
  for (uint32_t i = 0; i < image->descriptors_count && options->tcp == TCP_MODE_REFUSE; i++) {
    const struct ckpt_socket *socket = connection_to_outside(image, image->descriptors[i].description);
    union address peer;
    if (!socket)
      continue;
    inet_address(&peer, socket, socket->peer_address);
    say_problem(
        "descriptor %d was a TCP connection to %s, which does not come back so: --tcp=reset lets the program "
        "find it reset, --tcp=repair brings it back",
        image->descriptors[i].fd, inet_words(&peer, words));
  }
}

/* An end that nobody has. */
static int close_other(const struct child *child, uint32_t index, const struct ckpt_socket *socket) {
  struct linger at_once = {.l_onoff = 1};
  if (socket->flags & CKPT_SOCKET_RESET &&
      setsockopt(child->others[index], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
    return say_problem("cannot set up a TCP socket: %s", strerror(errno));
  close(child->others[index]);
  if (wait_until(child, index, POLLRDHUP) < 0)
    return -1;
  if (is_torn(socket))
    say_warning("%s was a TCP connection: the program finds it reset by the other side",
                image_string(child->image, child->image->descriptions[index].name));
  return 0;
}

int tcp_finish(const struct child *child, uint32_t index) {
  const struct image *image = child->image;
  const struct ckpt_socket *socket = socket_of(image, index);
  int fd = child->descriptions[index];
  if (!is_tcp(image, index, CKPT_SOCKET_CONNECTED) || repair_find(child->job, socket->inode) >= 0)
    return 0;
  socket_set_options(child, &image->descriptions[index], fd);
  bool alone = child->others[index] >= 0 && socket_find(image, socket->peer) == image->descriptions_count;
  if (alone && close_other(child, index, socket) < 0)
    return -1;
  if (alone && socket->flags & CKPT_SOCKET_RESET)
    return 0;
  if (socket->shutdown & 1 && shutdown(fd, SHUT_RD) < 0 && errno != ENOTCONN)
    return say_problem("cannot shut a TCP socket: %s", strerror(errno));
  if (socket->shutdown & 2 && shutdown(fd, SHUT_WR) < 0 && errno != ENOTCONN)
    return say_problem("cannot shut a TCP socket: %s", strerror(errno));
  return 0;
}
