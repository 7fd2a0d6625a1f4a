/* What the kernel tells about a unix socket: who its other end is, and which way is shut. */
#include "unix_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sys.h"

struct question {
  struct nlmsghdr head;
  struct unix_diag_req body;
};

static void take_attribute(struct unix_facts *facts, const struct rtattr *attribute, size_t size) {
  const void *value = (const char *)attribute + RTA_LENGTH(0);
  uint32_t queue[2];
  if (attribute->rta_type == UNIX_DIAG_NAME)
    facts->named = true;
  if (attribute->rta_type == UNIX_DIAG_PEER && size >= sizeof facts->peer) {
    facts->connected = true;
    memcpy(&facts->peer, value, sizeof facts->peer);
  }
  if (attribute->rta_type == UNIX_DIAG_SHUTDOWN && size >= sizeof facts->shutdown)
    memcpy(&facts->shutdown, value, sizeof facts->shutdown);
  if (attribute->rta_type == UNIX_DIAG_RQLEN && size >= sizeof queue) {
    memcpy(queue, value, sizeof queue);
    facts->backlog = queue[1];
  }
}

static long take_answer(struct unix_facts *facts, const char *answer, size_t size) {
  struct nlmsghdr head;
  struct unix_diag_msg body;
  if (size < sizeof head)
    return -EPROTO;
  memcpy(&head, answer, sizeof head);
  if (head.nlmsg_type == NLMSG_ERROR) {
    struct nlmsgerr error;
    if (size < NLMSG_LENGTH(sizeof error))
      return -EPROTO;
    memcpy(&error, answer + NLMSG_LENGTH(0), sizeof error);
    return error.error < 0 ? error.error : -EPROTO;
  }
  if (head.nlmsg_len > size || head.nlmsg_len < NLMSG_LENGTH(sizeof body))
    return -EPROTO;
  memcpy(&body, answer + NLMSG_LENGTH(0), sizeof body);
  facts->state = body.udiag_state;
  for (size_t at = NLMSG_LENGTH(sizeof body); at + sizeof(struct rtattr) <= head.nlmsg_len;) {
    struct rtattr attribute;
    memcpy(&attribute, answer + at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > head.nlmsg_len - at)
      return -EPROTO;
    take_attribute(facts, (const struct rtattr *)(answer + at), attribute.rta_len - sizeof attribute);
    at += RTA_ALIGN(attribute.rta_len);
  }
  return 0;
}

long unix_diag(uint64_t inode, struct unix_facts *facts) {
  struct question question = {
      .head = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .body = {.sdiag_family = AF_UNIX,
               .udiag_states = ~0u,
               .udiag_ino = (uint32_t)inode,
               .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN,
               .udiag_cookie = {~0u, ~0u}},
  };
  char answer[1024] __attribute__((aligned(8)));
  *facts = (struct unix_facts){0};
  long fd = sys(SYS_(socket), AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0)
    return fd;
  long result = sys(SYS_(sendto), fd, &question, sizeof question, 0, NULL, 0);
  if (result >= 0)
    result = sys(SYS_(recvfrom), fd, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL);
  sys(SYS_(close), fd);
  return result < 0 ? result : take_answer(facts, answer, (size_t)result);
}
