/* fd_other KIND|PATH: holds such a descriptor as number 9. Where there is none to be had, it ends with 77. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "rights.h"

/* It watches a descriptor that has become another one, while what it was lives on. */
static int epoll_on_a_reused_number(void) {
  struct epoll_event event = {.events = EPOLLIN};
  int set = epoll_create1(0), watched = eventfd(0, 0);
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, watched, &event) == 0);
  CHECK(dup(watched) >= 0 && close(watched) == 0 && eventfd(0, 0) == watched);
  return set;
}

/* The same of a signalfd, which tells of signals to the process that has added it. */
static int epoll_on_a_moved_signalfd(void) {
  struct epoll_event event = {.events = EPOLLIN};
  sigset_t signals;
  sigemptyset(&signals);
  int set = epoll_create1(0), watched = signalfd(-1, &signals, 0);
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, watched, &event) == 0);
  CHECK(dup(watched) >= 0 && close(watched) == 0);
  return set;
}

/* Sent away and received by nobody, in a socket that is given back. */
static int in_flight(int fd) {
  int way[2];
  CHECK(fd >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0);
  send_descriptor(way[1], fd);
  CHECK(close(fd) == 0);
  return way[0];
}

static int half_read_in_flight(void) {
  char byte;
  int fd = open("/proc/self/status", O_RDONLY);
  CHECK(read(fd, &byte, 1) == 1);
  return in_flight(fd);
}

static int signals_in_flight(void) {
  int ends[2];
  CHECK(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_ASYNC) == 0);
  return in_flight(ends[0]);
}

static int lease_in_flight(void) {
  int fd = memfd_create("leased", 0), again;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  again = open(path, O_RDONLY);
  CHECK(close(fd) == 0 && fcntl(again, F_SETLEASE, F_RDLCK) == 0);
  return in_flight(again);
}

/* In eBPF: "return 0". */
static int with_filter(void) {
  struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
                         .insn_cnt = 2,
                         .insns = (uint64_t)code,
                         .license = (uint64_t) "GPL"};
  int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  int fd = program < 0 ? -1 : socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) == 0);
  CHECK(fd < 0 || close(program) == 0);
  return fd;
}

/* TLS in the kernel, on one end of a connection; the other is in another process's hands. */
static int with_tls(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  CHECK(connect(fd, (struct sockaddr *)&address, size) == 0);
  return setsockopt(fd, IPPROTO_TCP, 31 /* TCP_ULP */, "tls", 4) == 0 ? fd : -1;
}

static int from_one_sender(void) {
  struct ip_mreq_source from = {.imr_multiaddr.s_addr = htonl(0xe8010101), /* 232.1.1.1 */
                                .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
                                .imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &from, sizeof from) == 0 ? fd : -1;
}

static int inotify_on_a_deleted_file(void) {
  char path[] = "/tmp/ckpt-watched-XXXXXX";
  int instance = inotify_init1(0);
  CHECK(mkstemp(path) >= 0 && inotify_add_watch(instance, path, IN_MODIFY) == 1 && unlink(path) == 0);
  return instance;
}

static int under_a_lease(void) {
  char path[] = "/tmp/ckpt-lease-XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && unlink(path) == 0);
  return fd;
}

static int waiting_message(void) {
  struct nlmsghdr nothing = {.nlmsg_len = sizeof nothing, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  CHECK(send(fd, &nothing, sizeof nothing, 0) == sizeof nothing);
  return fd;
}

/* A process that is no descendant any more has all that is open now, for as long as this one is there. */
static void let_another_have_it(void) {
  pid_t self = getpid(), child = fork();
  if (child == 0) {
    if (fork() > 0)
      _exit(0);
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, self, 0), .events = POLLIN};
    CHECK(close(0) == 0 && close(1) == 0 && close(2) == 0);
    if (end.fd >= 0)
      poll(&end, 1, -1);
    _exit(0);
  }
  CHECK(child > 0 && waitpid(child, NULL, 0) == child);
}

static int pipe_from_another(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  let_another_have_it();
  CHECK(close(ends[1]) == 0);
  return ends[0];
}

/* Its input is another process's business. */
static int of_a_thread_elsewhere(void) {
  struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = getppid()};
  int ends[2];
  CHECK(pipe(ends) == 0 && fcntl(ends[0], F_SETOWN_EX, &owner) == 0);
  return ends[0];
}

/* Wakes whoever polls it when tasks have waited for a processor 100 ms within 2 s. */
static int pressure_trigger(void) {
  const char trigger[] = "some 100000 2000000";
  int fd = open("/proc/pressure/cpu", O_RDWR | O_NONBLOCK);
  return fd >= 0 && write(fd, trigger, sizeof trigger) == sizeof trigger ? fd : -1;
}

static int message_queue(void) {
  struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
  char name[64];
  snprintf(name, sizeof name, "/ckpt-test-%d", getpid());
  int fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  CHECK(fd < 0 || mq_unlink(name) == 0);
  if (fd >= 0)
    let_another_have_it();
  return fd;
}

static int io_uring(void) {
  char parameters[120] = {0}; /* struct io_uring_params */
  return (int)syscall(SYS_io_uring_setup, 1, parameters);
}

static int perf_event(void) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
                                  .size = sizeof event,
                                  .config = PERF_COUNT_SW_TASK_CLOCK,
                                  .exclude_kernel = 1};
  return (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
}

static int bpf_map(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
}

static int landlock(void) {
  uint64_t files = 1; /* struct landlock_ruleset_attr: one kind of access */
  return (int)syscall(SYS_landlock_create_ruleset, &files, sizeof files, 0);
}

static int open_kind(const char *kind) {
  const struct {
    const char *kind;
    int (*make)(void);
  } made[] = {{"filter", with_filter},
              {"tls", with_tls},
              {"senders", from_one_sender},
              {"epoll", epoll_on_a_reused_number},
              {"signals", epoll_on_a_moved_signalfd},
              {"half-read", half_read_in_flight},
              {"signalling", signals_in_flight},
              {"leased", lease_in_flight},
              {"inotify", inotify_on_a_deleted_file},
              {"lease", under_a_lease},
              {"message", waiting_message},
              {"queue", message_queue},
              {"pipe", pipe_from_another},
              {"owner", of_a_thread_elsewhere},
              {"pressure", pressure_trigger},
              {"io_uring", io_uring},
              {"perf", perf_event},
              {"bpf", bpf_map},
              {"landlock", landlock}};
  for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
    if (strcmp(kind, made[i].kind) == 0)
      return made[i].make();
  if (strcmp(kind, "netlink") == 0)
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_FIB_LOOKUP);
  if (strcmp(kind, "packet") == 0)
    return socket(AF_PACKET, SOCK_RAW, 0);
  if (strcmp(kind, "pidfd") == 0)
    return (int)syscall(SYS_pidfd_open, getppid(), 0);
  if (strcmp(kind, "userfaultfd") == 0)
    return (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);
  if (strcmp(kind, "fanotify") == 0)
    return (int)syscall(SYS_fanotify_init, 0, O_RDONLY);
  if (strcmp(kind, "fscontext") == 0)
    return (int)syscall(SYS_fsopen, "tmpfs", 0);
  if (strcmp(kind, "secret") == 0)
    return (int)syscall(SYS_memfd_secret, 0);
  CHECK(kind[0] == '/');
  return open(kind, O_RDONLY | O_NONBLOCK);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  int fd = open_kind(argv[1]);
  if (fd < 0)
    return 77;
  CHECK(dup2(fd, 9) == 9 && (fd == 9 || close(fd) == 0));
  ready();
  wait_for_go();
  CHECK(fcntl(9, F_GETFD) == 0);
  success();
}
