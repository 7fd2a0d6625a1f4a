/* Every option that a socket of each kind lets be set and read, away from its default; and packet filters,
 * which are not to see what waits already, with one that is locked. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

enum { FOUR = 1, SIX = 2, STREAM = 4, DATAGRAM = 8, UNIX = 16, ALL = FOUR | SIX | STREAM | DATAGRAM };

static const struct {
  int level, name, value, kinds;
} options[] = {
    {SOL_SOCKET, SO_WIFI_STATUS, 1, ALL | UNIX},
    {SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1, ALL | UNIX},
    {SOL_SOCKET, SO_RXQ_OVFL, 1, ALL},
    {SOL_SOCKET, SO_OOBINLINE, 1, ALL},
    {SOL_SOCKET, SO_RCVLOWAT, 3, ALL | UNIX},
    {SOL_SOCKET, 74 /* SO_TXREHASH */, 0, FOUR | SIX | STREAM},
    {SOL_SOCKET, 72 /* SO_BUF_LOCK */, 3, ALL},
    {IPPROTO_IP, IP_TOS, 0x28, FOUR | STREAM | DATAGRAM},
    {IPPROTO_IP, IP_TTL, 7, FOUR | STREAM | DATAGRAM},
    {IPPROTO_IP, IP_MINTTL, 3, FOUR | STREAM | DATAGRAM},
    {IPPROTO_IP, IP_RECVOPTS, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, IP_RETOPTS, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, IP_RECVORIGDSTADDR, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, IP_PASSSEC, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, IP_CHECKSUM, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, IP_RECVFRAGSIZE, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, 26 /* IP_RECVERR_RFC4884 */, 1, FOUR | DATAGRAM},
    {IPPROTO_IP, IP_UNICAST_IF, 1 << 24, FOUR | DATAGRAM},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, SIX | STREAM | DATAGRAM},
    {IPPROTO_IPV6, IPV6_MINHOPCOUNT, 3, SIX | STREAM | DATAGRAM},
    {IPPROTO_IPV6, IPV6_DONTFRAG, 1, SIX | STREAM | DATAGRAM},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0, SIX | STREAM | DATAGRAM},
    {IPPROTO_IPV6, IPV6_FREEBIND, 1, SIX | STREAM | DATAGRAM},
    {IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_RECVRTHDR, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_RECVPATHMTU, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_UNICAST_IF, 1 << 24, SIX | DATAGRAM},
    {IPPROTO_IPV6, 29 /* IPV6_MULTICAST_ALL */, 0, SIX | DATAGRAM},
    {IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */, 1, SIX | DATAGRAM},
    {IPPROTO_IPV6, IPV6_2292HOPLIMIT, 1, SIX | DATAGRAM},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, FOUR | SIX | STREAM},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1, FOUR | SIX | STREAM},
    {IPPROTO_TCP, 44 /* TCP_RTO_MAX_MS */, 5000, FOUR | SIX | STREAM},
    {SOL_SOCKET, SO_PRIORITY, 5, ALL | UNIX}, /* after IP_TOS, which sets it */
    {IPPROTO_UDP, 101 /* UDP_NO_CHECK6_TX */, 1, SIX | DATAGRAM},
    {IPPROTO_UDP, 102 /* UDP_NO_CHECK6_RX */, 1, SIX | DATAGRAM},
};

enum { OPTIONS = sizeof options / sizeof *options };

/* A socket of each kind, with all of its options; -1 where there are none such. */
static struct {
  int domain, type, kinds, fd, values[OPTIONS], set[OPTIONS];
} sockets[] = {
    {AF_INET, SOCK_STREAM, FOUR | STREAM, 0, {0}, {0}}, {AF_INET, SOCK_DGRAM, FOUR | DATAGRAM, 0, {0}, {0}},
    {AF_INET6, SOCK_STREAM, SIX | STREAM, 0, {0}, {0}}, {AF_INET6, SOCK_DGRAM, SIX | DATAGRAM, 0, {0}, {0}},
    {AF_UNIX, SOCK_STREAM, UNIX, 0, {0}, {0}},
};

enum { SOCKETS = sizeof sockets / sizeof *sockets };

static int value_of(int fd, int level, int name) {
  int value = -4711;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : -4711;
}

static void set_options(void) {
  int set = 0;
  for (int i = 0; i < SOCKETS; i++) {
    sockets[i].fd = socket(sockets[i].domain, sockets[i].type, 0);
    for (int j = 0; j < OPTIONS && sockets[i].fd >= 0; j++) {
      int before = value_of(sockets[i].fd, options[j].level, options[j].name);
      if ((options[j].kinds & sockets[i].kinds) != sockets[i].kinds || before == -4711 ||
          setsockopt(sockets[i].fd, options[j].level, options[j].name, &options[j].value, sizeof(int)) < 0)
        continue; /* not in this kernel */
      CHECK(value_of(sockets[i].fd, options[j].level, options[j].name) != before);
      sockets[i].set[j] = 1;
      set++;
    }
    for (int j = 0; j < OPTIONS; j++)
      if (sockets[i].set[j])
        sockets[i].values[j] = value_of(sockets[i].fd, options[j].level, options[j].name);
  }
  CHECK(set > 20);
}

static void expect_options(void) {
  for (int i = 0; i < SOCKETS; i++)
    for (int j = 0; j < OPTIONS && sockets[i].fd >= 0; j++)
      if (sockets[i].set[j] &&
          value_of(sockets[i].fd, options[j].level, options[j].name) != sockets[i].values[j])
        FAIL("socket %d: option %d.%d is another", i, options[j].level, options[j].name);
}

/* ---- Filters ------------------------------------------------------------------------------------------ */

/* Packets shorter than `least`, with their headers, are dropped. */
static void filter_from(int fd, unsigned least) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, least, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}

static void expect_filtered(int from, int to) {
  char bytes[64];
  CHECK(recv(to, bytes, sizeof bytes, MSG_DONTWAIT) == 1);
  CHECK(send(from, "no", 2, MSG_DONTWAIT) >= -1); /* a unix socket tells its sender */
  CHECK(send(from, "long enough", 11, MSG_DONTWAIT) == 11);
  struct pollfd poller = {.fd = to, .events = POLLIN};
  CHECK(poll(&poller, 1, 60000) == 1 && recv(to, bytes, sizeof bytes, MSG_DONTWAIT) == 11);
}

static void udp_pair(int ends[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  ends[0] = socket(AF_INET, SOCK_DGRAM, 0);
  ends[1] = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(bind(ends[1], (struct sockaddr *)&address, size) == 0);
  CHECK(getsockname(ends[1], (struct sockaddr *)&address, &size) == 0);
  CHECK(connect(ends[0], (struct sockaddr *)&address, size) == 0);
}

int main(void) {
  int yes = 1, udp[2], pair[2];
  set_options();
  udp_pair(udp);
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
  CHECK(send(udp[0], "1", 1, 0) == 1 && send(pair[0], "1", 1, 0) == 1);
  struct pollfd arrives = {.fd = udp[1], .events = POLLIN};
  CHECK(poll(&arrives, 1, 60000) == 1); /* before there is a filter */
  filter_from(udp[1], 8 /* of UDP's header */ + 8);
  filter_from(pair[1], 8);
  CHECK(setsockopt(pair[1], SOL_SOCKET, SO_LOCK_FILTER, &yes, sizeof yes) == 0);

  ready();
  wait_for_go();

  expect_options();
  expect_filtered(udp[0], udp[1]);
  expect_filtered(pair[0], pair[1]);
  CHECK(setsockopt(pair[1], SOL_SOCKET, SO_DETACH_FILTER, &yes, sizeof yes) == -1 && errno == EPERM);
  CHECK(setsockopt(udp[1], SOL_SOCKET, SO_DETACH_FILTER, &yes, sizeof yes) == 0);
  success();
}
