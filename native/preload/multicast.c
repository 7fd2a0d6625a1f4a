/* The multicast groups that a socket has joined. The kernel lists those of the machine, and tells a socket
 * that asks about one whether it is a member. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "core/sys.h"
#include "core/text.h"
#include "format/socket_options.h"
#include "sockets.h"
#include "tcp.h"

enum { LINE_MOST = 4096, FILTER = 48 /* MCAST_MSFILTER, in both families */, INCLUDE = 1 };

/* The kernel's struct group_filter, without any sender. */
struct filter {
  uint32_t interface;
  uint32_t pad;
  struct sockaddr_storage group;
  uint32_t mode;
  uint32_t senders;
};

static bool is_member(const struct looking *l, const struct socket_option *kind, struct filter *filter) {
  socklen_t size = sizeof *filter;
  return sys(SYS_(getsockopt), l->fd, kind->level, FILTER, filter, &size) >= 0;
}

static long add_membership(struct looking *l, uint32_t index, const struct socket_option *kind,
                           struct filter *filter, const void *value) {
  struct ckpt_option option = {.socket = index, .level = kind->level, .name = kind->name, .size = kind->size};
  if (!is_member(l, kind, filter))
    return 0;
  if (filter->mode == INCLUDE || filter->senders > 0)
    return refuse(l, "a socket that takes a multicast group from some senders only");
  memcpy(option.value, value, kind->size);
  return add_option(l, &option);
}

/* "1 lo : 1 V3" for an interface, then a line with the group's number after tabs for each. */
static long look_at_four(struct looking *l, uint32_t index, const char *line, uint32_t *interface) {
  struct sockaddr_in group = {.sin_family = AF_INET};
  if (*line != '\t') {
    *interface = (uint32_t)text_take_decimal(&line);
    return 0;
  }
  while (*line == '\t')
    line++;
  group.sin_addr.s_addr = text_take_hex_digits(&line, 8);
  struct ip_mreqn value = {.imr_multiaddr = group.sin_addr, .imr_ifindex = (int)*interface};
  struct filter filter = {.interface = *interface};
  memcpy(&filter.group, &group, sizeof group);
  return add_membership(l, index, &socket_memberships[0], &filter, &value);
}

/* "1 lo ff020000000000000000000000000001 1 0000000C 0" */
static long look_at_six(struct looking *l, uint32_t index, const char *line) {
  struct sockaddr_in6 group = {.sin6_family = AF_INET6};
  struct filter filter = {.interface = (uint32_t)text_take_decimal(&line)};
  text_skip_spaces(&line);
  while (*line && *line != ' ')
    line++;
  text_skip_spaces(&line);
  for (int i = 0; i < 4; i++)
    group.sin6_addr.s6_addr32[i] = htonl(text_take_hex_digits(&line, 8));
  struct ipv6_mreq value = {.ipv6mr_multiaddr = group.sin6_addr, .ipv6mr_interface = filter.interface};
  memcpy(&filter.group, &group, sizeof group);
  return add_membership(l, index, &socket_memberships[1], &filter, &value);
}

static long look_through(struct looking *l, uint32_t index, const char *path, bool six) {
  struct proc_lines lines;
  uint32_t interface = 0;
  char buffer[LINE_MOST];
  long result = proc_lines_open(&lines, path, buffer, sizeof buffer);
  if (result == -ENOENT)
    return 0; /* not in this kernel */
  if (result < 0)
    return fail(l->c, result, "%s: %s", path, text_errno(result));
  for (char *line; result == 0 && (line = proc_lines_next(&lines));)
    result = six ? look_at_six(l, index, line) : look_at_four(l, index, line, &interface);
  proc_lines_close(&lines);
  return result < 0 ? result : lines.error;
}

long add_memberships(struct looking *l, uint32_t index) {
  long result = look_through(l, index, "/proc/thread-self/net/igmp", false);
  return result < 0 ? result : look_through(l, index, "/proc/thread-self/net/igmp6", true);
}
