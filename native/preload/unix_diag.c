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

enum { STATE_LISTEN = 10, ANSWER_MOST = 8192 };

struct question {
  struct nlmsghdr head;
  struct unix_diag_req body;
};

static void take_queue(struct unix_facts *facts, const void *value, size_t size) {
  uint32_t queue[2];
  if (!facts->listens || size < sizeof queue)
    return;
  memcpy(queue, value, sizeof queue);
  facts->waiting = queue[0];
  facts->backlog = queue[1];
}

static void take_clients(struct unix_facts *facts, const void *value, size_t size) {
  if (size > sizeof facts->clients)
    return;
  memcpy(facts->clients, value, size);
  facts->clients_count = (uint32_t)(size / sizeof facts->clients[0]);
}

static void take_attribute(struct unix_facts *facts, const struct rtattr *attribute, size_t size) {
  const void *value = (const char *)attribute + RTA_LENGTH(0);
  struct unix_diag_vfs file;
  if (attribute->rta_type == UNIX_DIAG_NAME)
    facts->named = true;
  if (attribute->rta_type == UNIX_DIAG_PEER && size >= sizeof facts->peer) {
    facts->connected = true;
    memcpy(&facts->peer, value, sizeof facts->peer);
  }
  if (attribute->rta_type == UNIX_DIAG_SHUTDOWN && size >= sizeof facts->shutdown)
    memcpy(&facts->shutdown, value, sizeof facts->shutdown);
  if (attribute->rta_type == UNIX_DIAG_VFS && size >= sizeof file) {
    memcpy(&file, value, sizeof file);
    facts->ino = file.udiag_vfs_ino;
    facts->dev = file.udiag_vfs_dev;
  }
  if (attribute->rta_type == UNIX_DIAG_RQLEN)
    take_queue(facts, value, size);
  if (attribute->rta_type == UNIX_DIAG_ICONS)
    take_clients(facts, value, size);
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
  facts->listens = body.udiag_state == STATE_LISTEN;
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

static long ask(uint64_t inode, uint32_t show, struct unix_facts *facts) {
  struct question question = {
      .head = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .body = {.sdiag_family = AF_UNIX,
               .udiag_states = ~0u,
               .udiag_ino = (uint32_t)inode,
               .udiag_show = show,
               .udiag_cookie = {~0u, ~0u}},
  };
  char answer[ANSWER_MOST] __attribute__((aligned(8)));
  memset(facts, 0, sizeof *facts);
  long fd = sys(SYS_(socket), AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0)
    return fd;
  long result = sys(SYS_(sendto), fd, &question, sizeof question, 0, NULL, 0);
  if (result >= 0)
    result = sys(SYS_(recvfrom), fd, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL);
  sys(SYS_(close), fd);
  return result < 0 ? result : take_answer(facts, answer, (size_t)result);
}

long unix_diag(uint64_t inode, struct unix_facts *facts) {
  const uint32_t show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
  long result = ask(inode, show | UDIAG_SHOW_ICONS, facts);
  return result == -EMSGSIZE ? ask(inode, show, facts) : result; /* too many wait to be accepted */
}
