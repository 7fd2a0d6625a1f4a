/* Netlink sockets: one that asks, with an address and options, and one that is told about links. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "check.h"

static struct sockaddr_nl name_of(int fd) {
  struct sockaddr_nl name;
  socklen_t size = sizeof name;
  CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0 && size == sizeof name);
  return name;
}

static int option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, level, option, &value, &size) == 0);
  return value;
}

/* Asks for the interfaces, and is told about lo. */
static bool finds_lo(int fd) {
  static char answer[1 << 16];
  struct {
    struct nlmsghdr head;
    struct ifinfomsg link;
  } ask = {.head = {.nlmsg_len = sizeof ask,
                    .nlmsg_type = RTM_GETLINK,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  CHECK(send(fd, &ask, sizeof ask, 0) == sizeof ask);
  bool found = false;
  for (;;) {
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    CHECK(n > 0);
    size_t left = (size_t)n;
    for (struct nlmsghdr *at = (struct nlmsghdr *)answer; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
      if (at->nlmsg_type == NLMSG_DONE)
        return found;
      found |= at->nlmsg_type == RTM_NEWLINK &&
               ((struct ifinfomsg *)NLMSG_DATA(at))->ifi_index == (int)if_nametoindex("lo");
    }
  }
}

int main(void) {
  int asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
      told = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  struct sockaddr_nl name = {.nl_family = AF_NETLINK},
                     links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
  int group = RTNLGRP_NSID, yes = 1, small = 4096;
  CHECK(bind(asks, (struct sockaddr *)&name, sizeof name) == 0 &&
        bind(told, (struct sockaddr *)&links, sizeof links) == 0);
  CHECK(setsockopt(told, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0);
  CHECK(setsockopt(asks, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof yes) == 0);
  CHECK(setsockopt(told, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
  struct sockaddr_nl first = name_of(asks), second = name_of(told);
  CHECK(first.nl_pid && second.nl_pid && finds_lo(asks));

  ready();
  wait_for_go();

  unsigned groups[4] = {0};
  socklen_t size = sizeof groups;
  CHECK(name_of(asks).nl_pid == first.nl_pid && name_of(told).nl_pid == second.nl_pid);
  CHECK(getsockopt(told, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size) == 0);
  CHECK(groups[0] == (1u << (RTNLGRP_LINK - 1) | 1u << (RTNLGRP_NSID - 1)) && groups[1] == 0);
  CHECK(option_of(asks, SOL_NETLINK, NETLINK_EXT_ACK) == 1 &&
        option_of(told, SOL_NETLINK, NETLINK_EXT_ACK) == 0);
  CHECK(option_of(told, SOL_SOCKET, SO_RCVBUF) == 2 * small &&
        option_of(told, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM);
  CHECK(finds_lo(asks));
  success();
}
