/* Probes for `ckpt doctor`: each tries the real thing, in a child where it would change this process.
 * The caller has many threads, so between fork and _exit there are only system calls. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "core/text.h"
#include "helper/helper.h"

/* Linux 6.7; older headers do not have it. */
struct scan_arguments {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arguments)
#define SCAN_PRESENT (1u << 3)

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define FEATURE_WP_ASYNC (1u << 15)

int32_t ckpt_helper_probe_pagemap_scan(void) {
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  uint64_t page = (uint64_t)(uintptr_t)&fd & ~(uint64_t)4095;
  uint64_t found[3];
  struct scan_arguments scan = {.size = sizeof scan,
                                .start = page,
                                .end = page + 4096,
                                .vec = (uint64_t)(uintptr_t)found,
                                .vec_len = 1,
                                .category_mask = SCAN_PRESENT,
                                .return_mask = SCAN_PRESENT};
  int result = ioctl(fd, SCAN, &scan) < 0 ? -errno : 1;
  close(fd);
  return result;
}

int32_t ckpt_helper_probe_userfaultfd(void) {
  long fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  if (fd < 0)
    return -errno;
  struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_WP_ASYNC};
  int result = ioctl((int)fd, UFFDIO_API, &api) < 0 ? -errno : 1;
  close((int)fd);
  return result;
}

int32_t ckpt_helper_probe_set_mm(void) {
  unsigned size = 0;
  return prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) ? -errno : 1;
}

/* The child's exit status as it gave it: an errno, 0 for success. */
static int32_t finish(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return -errno;
  if (!WIFEXITED(status))
    return -EINTR;
  return WEXITSTATUS(status) ? -WEXITSTATUS(status) : 1;
}

int32_t ckpt_helper_probe_set_tid(void) {
  /* An id that was in use a moment ago is free now. */
  pid_t number = fork();
  if (number < 0)
    return -errno;
  if (number == 0)
    _exit(0);
  int32_t result = finish(number);
  if (result < 0)
    return result;
  struct clone_args arguments = {
      .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&number, .set_tid_size = 1};
  long child = sys(SYS_(clone3), &arguments, sizeof arguments);
  if (child == 0)
    _exit(0);
  return child < 0 ? (int32_t)child : finish((pid_t)child);
}

static int write_file(const char *path, const char *words) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return errno;
  long result = sys_write_full(fd, words, strlen(words));
  close(fd);
  return (int)-result;
}

static int map_self(const char *path, uint32_t id) {
  char line[64];
  struct text text = text_in(line, sizeof line);
  text_format(&text, "%u %u 1", (uint64_t)id, (uint64_t)id);
  return write_file(path, line);
}

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* In a child that has the rights: an errno. */
static int make_clocks(void) {
  return unshare(CLONE_NEWTIME) ? errno : write_file("/proc/self/timens_offsets", "monotonic 1 0");
}

/* What is tried in a namespace. */
enum in_namespace { NOTHING, OWN_PROC, OWN_CLOCKS };

/* In a child: an errno. */
static int enter_namespace(enum in_namespace what) {
  uint32_t uid = geteuid(), gid = getegid();
  /* Without this, /proc/self belongs to root when the file behind this process is not readable. */
  prctl(PR_SET_DUMPABLE, 1);
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS))
    return errno;
  int error = write_file("/proc/self/setgroups", "deny");
  if (!error)
    error = map_self("/proc/self/gid_map", gid);
  if (!error)
    error = map_self("/proc/self/uid_map", uid);
  if (error || what == OWN_CLOCKS)
    return error ? error : make_clocks();
  pid_t first = fork();
  if (first < 0)
    return errno;
  if (first == 0) {
    if (what != OWN_PROC)
      _exit(0);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
      _exit(errno);
    _exit(0);
  }
  int32_t result = finish(first);
  return result < 0 ? -result : 0;
}

static int32_t try_namespace(enum in_namespace what) {
  pid_t child = fork();
  if (child < 0)
    return -errno;
  if (child == 0)
    _exit(enter_namespace(what));
  return finish(child);
}

int32_t ckpt_helper_probe_namespace(void) {
  return try_namespace(NOTHING);
}

int32_t ckpt_helper_probe_namespace_proc(void) {
  return try_namespace(OWN_PROC);
}

int32_t ckpt_helper_probe_repair(void) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  int error = fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) < 0 ? errno : 0;
  if (fd >= 0)
    close(fd);
  return error ? -error : 1;
}

int32_t ckpt_helper_probe_clocks(void) {
  pid_t child = fork();
  if (child < 0)
    return -errno;
  if (child == 0)
    _exit(make_clocks());
  int32_t result = finish(child);
  return result > 0 ? result : try_namespace(OWN_CLOCKS);
}
