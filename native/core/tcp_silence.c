#include "tcp_silence.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "sys.h"

long tcp_deafen(int fd) {
  struct sock_filter nothing = {.code = BPF_RET | BPF_K};
  struct sock_fprog program = {.len = 1, .filter = &nothing};
  return sys(SYS_(setsockopt), fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

long tcp_undeafen(int fd) {
  int unused = 0;
  return sys(SYS_(setsockopt), fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

/* ---- The rule ----------------------------------------------------------------------------------------- */

struct rule {
  struct nlmsghdr head;
  struct fib_rule_hdr body;
  uint8_t attributes[160];
};

static void add(struct rule *rule, uint16_t type, const void *value, uint16_t size) {
  struct rtattr attribute = {.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type};
  uint8_t *at = (uint8_t *)rule + rule->head.nlmsg_len;
  memcpy(at, &attribute, sizeof attribute);
  memcpy(at + RTA_LENGTH(0), value, size);
  rule->head.nlmsg_len += RTA_SPACE(size);
}

/* Of IPv4, also when the socket is one of IPv6. */
static uint8_t add_host(struct rule *rule, uint16_t type, const uint8_t *address) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  const uint8_t *six = address + offsetof(struct sockaddr_in6, sin6_addr);
  sa_family_t family;
  memcpy(&family, address, sizeof family);
  bool is_six = family == AF_INET6 && memcmp(six, mapped, sizeof mapped) != 0;
  const uint8_t *host = is_six               ? six
                        : family == AF_INET6 ? six + sizeof mapped
                                             : address + offsetof(struct sockaddr_in, sin_addr);
  uint16_t size = is_six ? sizeof(struct in6_addr) : sizeof(struct in_addr);
  rule->body.family = is_six ? AF_INET6 : AF_INET;
  add(rule, type, host, size);
  return (uint8_t)(size * 8);
}

static void add_port(struct rule *rule, uint16_t type, const uint8_t *address) {
  const uint8_t *port = address + offsetof(struct sockaddr_in, sin_port); /* at the same place in both */
  struct fib_rule_port_range range = {.start = (uint16_t)(port[0] << 8 | port[1])};
  range.end = range.start;
  add(rule, type, &range, sizeof range);
}

static long ask(const struct rule *rule) {
  struct {
    struct nlmsghdr head;
    struct nlmsgerr body;
    uint8_t rest[sizeof *rule];
  } answer;
  long fd = sys(SYS_(socket), AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0)
    return fd;
  long n = sys(SYS_(sendto), fd, rule, rule->head.nlmsg_len, 0, NULL, 0);
  if (n >= 0)
    do
      n = sys(SYS_(recvfrom), fd, &answer, sizeof answer, 0, NULL, NULL);
    while (n == -EINTR);
  sys(SYS_(close), fd);
  if (n < 0)
    return n;
  return n < (long)(NLMSG_LENGTH(sizeof answer.body)) || answer.head.nlmsg_type != NLMSG_ERROR
             ? -EPROTO
             : answer.body.error;
}

long tcp_silence(const uint8_t *here, const uint8_t *there, bool silent) {
  const uint8_t tcp = IPPROTO_TCP;
  const uint32_t no_mark = 0, all_bits = ~0u;
  struct rule rule = {
      .head = {.nlmsg_len = NLMSG_SPACE(sizeof rule.body),
               .nlmsg_type = silent ? RTM_NEWRULE : RTM_DELRULE,
               .nlmsg_flags =
                   (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (silent ? NLM_F_CREATE | NLM_F_EXCL : 0))},
      .body = {.action = FR_ACT_BLACKHOLE},
  };
  rule.body.src_len = add_host(&rule, FRA_SRC, here);
  rule.body.dst_len = add_host(&rule, FRA_DST, there);
  add(&rule, FRA_IP_PROTO, &tcp, sizeof tcp);
  add_port(&rule, FRA_SPORT_RANGE, here);
  add_port(&rule, FRA_DPORT_RANGE, there);
  add(&rule, FRA_FWMARK, &no_mark, sizeof no_mark);
  add(&rule, FRA_FWMASK, &all_bits, sizeof all_bits);
  long result = ask(&rule);
  return result == (silent ? -EEXIST : -ENOENT) || result == -EOPNOTSUPP ? 0 : result;
}
