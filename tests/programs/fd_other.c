/* fd_other KIND: holds a descriptor of that kind as number 9. */
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "check.h"

/* It watches a descriptor that has become another one, while what it was lives on. */
static int epoll_on_a_reused_number(void) {
  struct epoll_event event = {.events = EPOLLIN};
  int set = epoll_create1(0), watched = eventfd(0, 0);
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, watched, &event) == 0);
  CHECK(dup(watched) >= 0 && close(watched) == 0 && eventfd(0, 0) == watched);
  return set;
}

static int with_filter(void) {
  struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
  struct sock_fprog program = {.len = 1, .filter = &all};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  return fd;
}

/* By the system calls, which take names without the slash; its name is gone at once. */
static int message_queue(void) {
  char name[32];
  snprintf(name, sizeof name, "ckpt-test-%d", getpid());
  int fd = (int)syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
  CHECK(fd >= 0 && syscall(SYS_mq_unlink, name) == 0);
  return fd;
}

static int open_kind(const char *kind) {
  if (strcmp(kind, "socket") == 0)
    return socket(AF_NETLINK, SOCK_RAW, 0);
  if (strcmp(kind, "filter") == 0)
    return with_filter();
  if (strcmp(kind, "epoll") == 0)
    return epoll_on_a_reused_number();
  if (strcmp(kind, "inotify") == 0)
    return inotify_init1(0);
  if (strcmp(kind, "queue") == 0)
    return message_queue();
  if (strcmp(kind, "pidfd") == 0)
    return (int)syscall(SYS_pidfd_open, getppid(), 0);
  FAIL("no such kind: %s", kind);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open_kind(argv[1]);
  CHECK(fd >= 0 && dup2(fd, 9) == 9 && (fd == 9 || close(fd) == 0));
  ready();
  wait_for_go();
  CHECK(fcntl(9, F_GETFD) == 0);
  success();
}
