/* The ports that the program's TCP sockets had, and what keeps them: for a minute after the end of a
 * connection the kernel lets nobody bind the port of the side that has closed it first (TIME_WAIT), unless
 * SO_REUSEADDR was set there. `save --kill` sets it; but the program may have closed connections before, or
 * been killed by somebody else. */
#include "ports.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/tcp_table.h"
#include "say.h"

enum {
  PORT_RANGE = 51,    /* IP_LOCAL_PORT_RANGE, since Linux 6.3 */
  LINGERS_MS = 70000, /* a minute, and the seconds by which the kernel's timers are late */
  TELL_MS = 2000,
  PAUSE_MOST_MS = 500,
};

/* Who has an address that cannot be bound. */
enum holder { NOBODY, REMAINS, SOMEBODY };

int port_socket(int domain) {
  int yes = 1, fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

in_port_t *port_of(union address *address) {
  return address->any.sa_family == AF_INET ? &address->four.sin_port : &address->six.sin6_port;
}

/* Whoever connects as if from any port shares one with connections that lead elsewhere. */
int port_take(int fd, const union address *address, socklen_t size) {
  union address wanted = *address;
  if (bind(fd, &address->any, size) == 0)
    return 0;
  uint32_t port = ntohs(*port_of(&wanted)), range = port | port << 16;
  return errno == EADDRINUSE ? setsockopt(fd, IPPROTO_IP, PORT_RANGE, &range, sizeof range) : -1;
}

/* ---- What lingers ------------------------------------------------------------------------------------- */

/* With privilege nobody is asked; the socket is an ordinary one again before it connects. */
static int take_by_force(int fd, const union address *address, socklen_t size) {
  int on = 1, off = -1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) < 0)
    return -1;
  int result = bind(fd, &address->any, size);
  return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off) < 0 ? -1 : result;
}

/* A side in TIME_WAIT answers whoever connects from the address of its other side with what belongs to the
 * old connection. Nobody has that any more, so the kernel replies with a reset, which ends it (RFC 1337). */
static void end_remains(int domain, const struct tcp_row *row) {
  union address here, there;
  memcpy(here.bytes, row->here, sizeof here.bytes);
  memcpy(there.bytes, row->there, sizeof there.bytes);
  int fd = port_socket(domain);
  if (fd < 0)
    return;
  if ((take_by_force(fd, &there, row->address_size) == 0 || port_take(fd, &there, row->address_size) == 0) &&
      fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
    (void)connect(fd, &here.any, row->address_size);
  close(fd);
}

/* In the words of IPv6. */
static struct in6_addr host_of(const union address *address) {
  struct in6_addr host = address->six.sin6_addr;
  if (address->any.sa_family == AF_INET)
    host = (struct in6_addr){.s6_addr32 = {0, 0, htonl(0xffff), address->four.sin_addr.s_addr}};
  return host;
}

static bool is_any(const struct in6_addr *host) {
  return IN6_IS_ADDR_UNSPECIFIED(host) || (IN6_IS_ADDR_V4MAPPED(host) && host->s6_addr32[3] == 0);
}

static bool overlap(union address *a, union address *b) {
  struct in6_addr one = host_of(a), other = host_of(b);
  return *port_of(a) == *port_of(b) && (IN6_ARE_ADDR_EQUAL(&one, &other) || is_any(&one) || is_any(&other));
}

/* Ends what can be ended of what lingers at this address. */
static enum holder look_through(int domain, union address *at, struct tcp_row *found) {
  struct tcp_table table;
  struct tcp_row row;
  enum holder holder = NOBODY;
  if (tcp_table_open(&table, domain) < 0)
    return NOBODY;
  while (holder != SOMEBODY && tcp_table_next(&table, &row)) {
    union address here;
    memcpy(here.bytes, row.here, sizeof here.bytes);
    if (!overlap(&here, at))
      continue;
    holder = row.inode ? SOMEBODY : REMAINS;
    *found = row;
    if (!row.inode && row.state == TCP_TIME_WAIT)
      end_remains(domain, &row);
  }
  tcp_table_close(&table);
  return holder;
}

static bool is_free(const union address *address, socklen_t size) {
  int fd = port_socket(address->any.sa_family);
  bool is_taken = fd >= 0 && bind(fd, &address->any, size) < 0 && errno == EADDRINUSE;
  if (fd >= 0)
    close(fd);
  return !is_taken;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void tell(const struct tcp_row *row) {
  union address here, there;
  char here_words[INET_WORDS], there_words[INET_WORDS];
  memcpy(here.bytes, row->here, sizeof here.bytes);
  memcpy(there.bytes, row->there, sizeof there.bytes);
  say_warning("waits, for about a minute at most, until the kernel gives up what is left of the connection "
              "from %s to %s",
              inet_words(&here, here_words), inet_words(&there, there_words));
}

/* Has the address, or what lingers at it, in `found`. */
static enum holder look(union address *at, struct tcp_row *found) {
  enum holder four = look_through(AF_INET, at, found);
  enum holder six = four == SOMEBODY ? SOMEBODY : look_through(AF_INET6, at, found);
  return four > six ? four : six;
}

/* What cannot be ended, such as a connection with another machine, goes by itself. The kernel has no news of
 * that. */
static void wait_until_free(union address *at, socklen_t size, int64_t begin) {
  struct tcp_row found;
  bool told = false;
  int pause = 0;
  while (!is_free(at, size) && look(at, &found) == REMAINS && !is_free(at, size)) {
    int64_t waited = now_ms() - begin;
    if (waited > LINGERS_MS)
      return;
    if (waited > TELL_MS && !told)
      tell(&found);
    told = waited > TELL_MS;
    pause = pause < PAUSE_MOST_MS ? 2 * pause + 1 : pause;
    poll(NULL, 0, pause);
  }
}

/* Those that come back with the address that they had. */
static bool keeps_address(const struct ckpt_socket *socket) {
  bool leads_outside =
      socket->flags & CKPT_SOCKET_CONNECTED && !socket->peer && socket->state != TCP_SYN_SENT;
  return socket->domain != AF_UNIX && socket->type == SOCK_STREAM && socket->flags & CKPT_SOCKET_BOUND &&
         !leads_outside;
}

void ports_free(const struct image *image) {
  int64_t begin = now_ms();
  for (uint32_t i = 0; i < image->sockets_count; i++) {
    union address at;
    if (!keeps_address(&image->sockets[i]))
      continue;
    socklen_t size = inet_address(&at, &image->sockets[i], image->sockets[i].address);
    wait_until_free(&at, size, begin);
  }
}
