/* Which open file descriptions the processes of a job share. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/dir.h"
#include "core/sort.h"
#include "core/sys.h"
#include "core/text.h"
#include "describe.h"
#include "members.h"
#include "open_files.h"
#include "tcp_ends.h"

static int option_of(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  sys(SYS_(getsockopt), fd, SOL_SOCKET, name, &value, &size);
  return value;
}

static long add_own(struct checkpoint *c, int fd) {
  struct stat st;
  long flags = sys(SYS_(fcntl), fd, F_GETFL), result = sys(SYS_(fstat), fd, &st);
  bool socket = result == 0 && S_ISSOCK(st.st_mode);
  bool unix_socket = socket && option_of(fd, SO_DOMAIN) == AF_UNIX;
  struct open_file *entry =
      flags < 0 || result < 0 ? NULL : list_add(&c->arena, &c->open_files, sizeof *entry);
  if (!entry)
    return flags < 0 ? flags : result < 0 ? result : -ENOMEM;
  bool master = false;
  uint32_t terminal = S_ISCHR(st.st_mode) ? pty_of(fd, &master) : 0;
  *entry = (struct open_file){
      .terminal = terminal,
      .master = master,
      .in_flight = is_in_flight(c, fd),
      .dev = st.st_dev,
      .ino = st.st_ino,
      .process = c->order->process,
      .pid = c->process.pid,
      .fd = fd,
      .flags = (uint32_t)flags,
      .outside = (uint32_t)(1 + outside_number(fd, st.st_dev, st.st_ino)),
      .nameless = st.st_nlink == 0,
      .tcp = socket && option_of(fd, SO_PROTOCOL) == IPPROTO_TCP,
      .unix_listener = unix_socket && option_of(fd, SO_ACCEPTCONN) == 1,
      .unix_end = unix_socket && option_of(fd, SO_ACCEPTCONN) == 0,
  };
  return 0;
}

/* The calling process's own. */
long open_files_list(struct checkpoint *c) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  uint64_t fd;
  if (!dir)
    return -ENOMEM;
  long result = dir_open(dir, AT_FDCWD, "/proc/thread-self/fd");
  if (result < 0)
    return fail(c, result, "/proc/self/fd: %s", text_errno(result));
  for (const char *name; result == 0 && (name = dir_next(dir));)
    if (text_is_decimal(name, &fd) && (int)fd != dir->fd && !is_own_descriptor(c, (int)fd))
      result = add_own(c, (int)fd);
  if (result == 0)
    result = dir->error;
  dir_close(dir);
  return result == 0 ? shared_maps_list(c) : result;
}

/* ---- Comparing ---------------------------------------------------------------------------------------- */

static bool is_before(const void *first, const void *second) {
  const struct open_file *a = first, *b = second;
  if (a->ino != b->ino)
    return a->ino < b->ino;
  if (a->dev != b->dev)
    return a->dev < b->dev;
  if (a->flags != b->flags)
    return a->flags < b->flags;
  return a->process != b->process ? a->process < b->process : a->fd < b->fd;
}

/* One of its threads: of one that has ended, as the main thread may have, the kernel knows no descriptors. */
static int32_t thread_of(const struct checkpoint *c, uint32_t process) {
  const struct member *members = c->job->members.entries;
  return process == 0 ? (int32_t)sys(SYS_(gettid)) : members[process - 1].tid;
}

/* 1: the same open file description, 0: others. */
static long is_same(struct checkpoint *c, const struct open_file *a, const struct open_file *b) {
  const struct file_of first = {thread_of(c, a->process), a}, second = {thread_of(c, b->process), b};
  return is_same_file(c, &first, &second);
}

/* Of the files from `first` on, all openings of one inode: each that an earlier one shares gets its id. */
static long compare_group(struct checkpoint *c, struct open_file *files, size_t count, uint32_t *last_id) {
  for (size_t i = 0; i < count; i++) {
    if (files[i].id || files[i].fd < 0)
      continue;
    bool shared = false;
    for (size_t j = i + 1; j < count; j++) {
      bool other = files[j].fd >= 0 && !files[j].id && files[j].process != files[i].process;
      long same = other ? is_same(c, &files[i], &files[j]) : 0;
      if (same < 0)
        return same;
      if (!same)
        continue;
      if (!shared)
        files[i].id = ++*last_id;
      if (*last_id > CKPT_SHARED_MOST)
        return fail(c, -E2BIG, "its processes share more than %u open files", (uint64_t)CKPT_SHARED_MOST);
      shared = true;
      files[j].id = files[i].id;
    }
    /* Duplicates in the same process. */
    for (size_t j = i + 1; shared && j < count; j++)
      if (files[j].fd >= 0 && !files[j].id && files[j].process == files[i].process) {
        long same = is_same(c, &files[i], &files[j]);
        if (same < 0)
          return same;
        files[j].id = same ? files[i].id : 0;
      }
  }
  return 0;
}

long open_files_compare(struct checkpoint *c) {
  struct open_file *files = c->open_files.entries;
  size_t count = c->open_files.count;
  uint32_t last_id = 0;
  long result = 0;
  for (size_t i = 0; i < count; i++)
    files[i].id = 0;
  sort_entries(files, count, sizeof *files, is_before);
  for (size_t first = 0, end; first < count && result == 0; first = end) {
    for (end = first + 1; end < count && files[end].ino == files[first].ino &&
                          files[end].dev == files[first].dev && files[end].flags == files[first].flags;)
      end++;
    result = compare_group(c, files + first, end - first, &last_id);
  }
  return result;
}

/* ---- Passing them on ---------------------------------------------------------------------------------- */

long open_files_send(struct checkpoint *c) {
  uint64_t files = c->open_files.count * sizeof(struct open_file);
  long fd = sys(SYS_(memfd_create), "ckpt", MFD_CLOEXEC);
  if (fd < 0)
    return fd;
  long result = sys_pwrite_full((int)fd, c->open_files.entries, files, 0);
  uint64_t left_out = ignore_size(c->left_out.count);
  if (result == 0)
    result = sys_pwrite_full((int)fd, c->left_out.entries, left_out, files);
  if (result == 0)
    result = sys_pwrite_full((int)fd, c->tcp_ends.entries, c->tcp_ends.count * sizeof(struct tcp_end),
                             files + left_out);
  if (result == 0)
    return fd;
  sys(SYS_(close), fd);
  return result;
}

/* What lies in [at, end) of a memfd, at the end of a list. */
static long receive(struct checkpoint *c, int fd, struct list *list, size_t size, uint64_t at, uint64_t end) {
  char bytes[4096];
  while (at < end) {
    uint64_t most = sizeof bytes / size * size, left = end - at;
    long n = sys_pread_full(fd, bytes, left < most ? left : most, at);
    if (n <= 0 || (size_t)n % size)
      return n < 0 ? n : -EPROTO;
    for (size_t i = 0; i < (size_t)n; i += size) {
      void *entry = list_add(&c->arena, list, size);
      if (!entry)
        return -ENOMEM;
      memcpy(entry, bytes + i, size);
    }
    at += (uint64_t)n;
  }
  return 0;
}

long open_files_receive(struct checkpoint *c, int fd, uint64_t files, uint32_t process) {
  struct stat st;
  size_t first = process ? c->open_files.count : 0;
  long result = sys(SYS_(fstat), fd, &st);
  if (result < 0)
    return result;
  /* Who is left out the leader alone tells. */
  uint64_t left_out = files * sizeof(struct open_file), tcp_ends = left_out;
  if (!process) {
    c->open_files.count = c->left_out.count = c->tcp_ends.count = 0;
    tcp_ends += ignore_size(c->order->left_out);
  }
  result = receive(c, fd, &c->open_files, sizeof(struct open_file), 0, left_out);
  if (result == 0)
    result = receive(c, fd, &c->left_out, ignore_size(1), left_out, tcp_ends);
  if (result == 0)
    result = receive(c, fd, &c->tcp_ends, sizeof(struct tcp_end), tcp_ends, (uint64_t)st.st_size);
  struct open_file *entries = c->open_files.entries;
  for (size_t i = first; process && i < c->open_files.count; i++)
    entries[i].process = process;
  return result;
}

bool is_in_job(const struct checkpoint *c, int32_t pid) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < c->open_files.count; i++)
    if (files[i].pid == pid)
      return true;
  return false;
}

/* ---- Sockets ------------------------------------------------------------------------------------------ */

bool open_files_have_ends(const struct checkpoint *c, size_t first) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = first; i < c->open_files.count; i++)
    if (files[i].tcp || files[i].unix_end)
      return true;
  return false;
}

static long list_tcp_ends(struct checkpoint *c) {
  const struct open_file *files = c->open_files.entries;
  long result = 0;
  for (size_t i = 0; i < c->open_files.count && result == 0; i++)
    if (files[i].tcp && files[i].process == c->order->process && carries_shared(c, files[i].id) &&
        !tcp_end_of(c, files[i].ino))
      result = add_tcp_end(c, files[i].fd, files[i].ino);
  return result;
}

long open_files_list_more(struct checkpoint *c) {
  size_t known = c->in_flight.count;
  long result = list_tcp_ends(c);
  if (result == 0)
    result = find_in_flight(c);
  for (size_t i = known; i < c->in_flight.count && result == 0; i++)
    result = add_own(c, ((const struct ckpt_descriptor *)c->in_flight.entries)[i].fd);
  return result;
}

/* ---- What they tell ----------------------------------------------------------------------------------- */

uint32_t shared_id(const struct checkpoint *c, int fd) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < c->open_files.count; i++)
    if (files[i].process == c->order->process && files[i].fd == fd)
      return files[i].id;
  return 0;
}

bool carries_shared(const struct checkpoint *c, uint32_t id) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; id && i < c->open_files.count; i++)
    if (files[i].id == id && files[i].process < c->order->process)
      return false;
  return true;
}

bool another_has(const struct checkpoint *c, int fd, uint64_t inode) {
  const struct open_file *files = c->open_files.entries;
  uint64_t dev = 0;
  for (size_t i = 0; i < c->open_files.count; i++)
    if (files[i].process == c->order->process && files[i].fd == fd)
      dev = files[i].dev;
  for (size_t i = 0; dev && i < c->open_files.count; i++)
    if (files[i].fd >= 0 && files[i].ino == inode && files[i].dev == dev)
      return true;
  return false;
}

bool carries_inode(const struct checkpoint *c, uint64_t dev, uint64_t ino) {
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < c->open_files.count; i++)
    if (files[i].fd >= 0 && files[i].ino == ino && files[i].dev == dev &&
        (files[i].flags & O_ACCMODE) != O_WRONLY && files[i].process < c->order->process)
      return false;
  return true;
}
