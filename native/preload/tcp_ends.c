/* Which two sockets of a job are one TCP connection, and which wait to be accepted by it. */
#include "tcp_ends.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sort.h"
#include "core/sys.h"
#include "tcp.h"

enum { NETNS_COOKIE = 71 /* SO_NETNS_COOKIE, since Linux 5.14 */ };

static struct place place_of(const uint8_t *address) {
  struct place place = {.host = {[10] = 0xff, [11] = 0xff}};
  sa_family_t family;
  memcpy(&family, address, sizeof family);
  memcpy(place.port, address + offsetof(struct sockaddr_in, sin_port), sizeof place.port);
  if (family == AF_INET)
    memcpy(place.host + 12, address + offsetof(struct sockaddr_in, sin_addr), 4);
  else
    memcpy(place.host, address + offsetof(struct sockaddr_in6, sin6_addr), sizeof place.host);
  return place;
}

bool place_is(const struct place *place, const uint8_t *address) {
  struct place other = place_of(address);
  return memcmp(place, &other, sizeof other) == 0;
}

static bool take_place(int fd, long call, struct place *place) {
  uint8_t address[sizeof(struct sockaddr_in6)] = {0};
  socklen_t size = sizeof address;
  if (sys(call, fd, address, &size) < 0)
    return false;
  *place = place_of(address);
  return true;
}

/* What was written and has not been sent counts an end that waits behind it, too. */
static uint64_t bytes_written(const struct tcp_info *info) {
  uint64_t unsent = info->tcpi_notsent_bytes;
  if (unsent && tcp_has_said_end(info->tcpi_state))
    unsent--;
  return info->tcpi_bytes_sent - info->tcpi_bytes_retrans + unsent;
}

long add_tcp_end(struct checkpoint *c, int fd, uint64_t inode) {
  struct tcp_end end = {.inode = inode};
  struct tcp_info info;
  socklen_t size = sizeof end.net;
  if (tcp_ask(fd, &info) < 0 || !take_place(fd, SYS_(getsockname), &end.here))
    return 0;
  end.listens = info.tcpi_state == TCP_STATE_LISTEN;
  if (!end.listens && !take_place(fd, SYS_(getpeername), &end.there))
    return 0;
  if (sys(SYS_(getsockopt), fd, SOL_SOCKET, NETNS_COOKIE, &end.net, &size) < 0)
    end.net = 0;
  end.waiting = end.listens ? info.tcpi_unacked : 0;
  end.written = bytes_written(&info);
  end.silent = info.tcpi_bytes_received == 0; /* which counts an end, too */
  struct tcp_end *entry = list_add(&c->arena, &c->tcp_ends, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = end;
  return 0;
}

const struct tcp_end *tcp_end_of(const struct checkpoint *c, uint64_t inode) {
  const struct tcp_end *ends = c->tcp_ends.entries;
  for (size_t i = 0; i < c->tcp_ends.count; i++)
    if (ends[i].inode == inode)
      return &ends[i];
  return NULL;
}

/* ---- Who belongs together ----------------------------------------------------------------------------- */

/* What listens comes first; then in the order of both addresses. */
static int order_of(const struct tcp_end *a, const struct tcp_end *b) {
  if (a->listens != b->listens)
    return a->listens ? -1 : 1;
  if (a->net != b->net)
    return a->net < b->net ? -1 : 1;
  int order = memcmp(&a->here, &b->here, sizeof a->here);
  return order ? order : memcmp(&a->there, &b->there, sizeof a->there);
}

static bool is_before(const void *a, const void *b) {
  const struct tcp_end *here = a, *there = b;
  int order = order_of(here, there);
  return order ? order < 0 : here->inode < there->inode;
}

static const struct tcp_end *other_end(const struct list *all, const struct tcp_end *end) {
  struct tcp_end wanted = {.net = end->net, .here = end->there, .there = end->here};
  const struct tcp_end *ends = all->entries;
  size_t low = 0, high = all->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (order_of(&ends[middle], &wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low < all->count && &ends[low] != end && order_of(&ends[low], &wanted) == 0 ? &ends[low] : NULL;
}

/* Where the job itself listens, at this host, and not all who wait there are known. */
static struct tcp_end *find_listener(const struct list *all, const struct tcp_end *end, const uint8_t *host) {
  struct tcp_end *ends = all->entries;
  for (size_t i = 0; i < all->count && ends[i].listens; i++)
    if (ends[i].net == end->net && ends[i].turn < ends[i].waiting &&
        memcmp(ends[i].here.port, end->there.port, sizeof end->there.port) == 0 &&
        memcmp(ends[i].here.host, host, sizeof ends[i].here.host) == 0)
      return &ends[i];
  return NULL;
}

/* Whoever waits to be accepted has an other end that nobody has yet. */
static void find_place_to_wait(const struct list *all, struct tcp_end *end) {
  static const uint8_t any[16], any_four[16] = {[10] = 0xff, [11] = 0xff};
  struct tcp_end *listener = find_listener(all, end, end->there.host);
  if (!listener && memcmp(end->there.host, any_four, 12) == 0)
    listener = find_listener(all, end, any_four);
  if (!listener)
    listener = find_listener(all, end, any);
  if (!listener)
    return;
  listener->turn++;
  end->peer = listener->inode;
  end->waits = 1;
}

/* In which order they wait the kernel does not tell: it is taken to be that in which they were made. */
static uint32_t turn_of(const struct list *all, const struct tcp_end *end) {
  const struct tcp_end *ends = all->entries;
  uint32_t turn = 1;
  for (size_t i = 0; i < all->count; i++)
    turn += ends[i].waits && ends[i].peer == end->peer && ends[i].inode < end->inode;
  return turn;
}

void match_tcp_ends(struct checkpoint *c) {
  struct tcp_end *ends = c->tcp_ends.entries;
  sort_entries(ends, c->tcp_ends.count, sizeof *ends, is_before);
  for (size_t i = 0; i < c->tcp_ends.count; i++) {
    const struct tcp_end *other = ends[i].listens || ends[i].peer ? NULL : other_end(&c->tcp_ends, &ends[i]);
    if (other)
      ends[i].peer = other->inode;
  }
  for (size_t i = 0; i < c->tcp_ends.count; i++)
    if (!ends[i].listens && !ends[i].peer && ends[i].silent)
      find_place_to_wait(&c->tcp_ends, &ends[i]);
  for (size_t i = 0; i < c->tcp_ends.count; i++)
    if (ends[i].waits)
      ends[i].turn = turn_of(&c->tcp_ends, &ends[i]);
}
