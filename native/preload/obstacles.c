/* Why a process cannot be a member. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "format/control.h"
#include "members.h"

/* The dynamic loader itself may have been started with a program as its argument. */
static bool is_loader(int32_t pid) {
  char path[64], target[PROC_PATH_MAX];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/exe", (int64_t)pid);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, target, sizeof target - 1);
  target[n > 0 ? n : 0] = 0;
  return text_starts(text_base(target), "ld-");
}

/* What the kernel has told a program as it began it. */
static uint64_t told(int32_t pid, uint64_t type, uint64_t otherwise) {
  enum { PAIRS = 64 };
  Elf64_auxv_t values[PAIRS];
  long n = proc_read(pid, "auxv", (char *)values, sizeof values);
  for (long i = 0; (i + 1) * (long)sizeof *values <= n; i++)
    if (values[i].a_type == type)
      return values[i].a_un.a_val;
  return otherwise;
}

/* The address of the dynamic loader that the kernel has started a program with is 0 when there is none. A
 * restarted program bears a mark, whatever /proc/PID/exe leads to. */
static bool has_loader(int32_t pid) {
  return told(pid, AT_BASE, 1) != 0 || told(pid, AT_NULL, 0) == CKPT_AUXV_MARK;
}

/* Some bring a loader that the kernel does not know of, as Wine does. */
static bool maps_libckpt(struct checkpoint *c, int32_t pid) {
  char path[64];
  struct proc_lines lines;
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/maps", (int64_t)pid);
  if (proc_lines_open(&lines, path, c->scratch, SCRATCH) < 0)
    return false;
  bool found = false;
  for (char *line; !found && (line = proc_lines_next(&lines));) {
    struct proc_map map;
    found = proc_parse_map(line, &map) && text_starts(text_base(map.name), "libckpt.so");
  }
  proc_lines_close(&lines);
  return found;
}

/* A program that names no dynamic loader preloads nothing. */
static bool is_static(struct checkpoint *c, int32_t pid) {
  if (has_loader(pid))
    return false;
  enum { MOST = 64 };
  struct {
    Elf64_Ehdr elf;
    Elf64_Phdr headers[MOST];
  } file;
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/exe", (int64_t)pid);
  long fd = sys(SYS_(openat), AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool whole = sys_pread_full((int)fd, &file.elf, sizeof file.elf, 0) == sizeof file.elf &&
               memcmp(file.elf.e_ident, ELFMAG, SELFMAG) == 0 && file.elf.e_ident[EI_CLASS] == ELFCLASS64 &&
               file.elf.e_phentsize == sizeof *file.headers && file.elf.e_phnum <= MOST;
  long size = whole ? (long)(file.elf.e_phnum * sizeof *file.headers) : -1;
  whole = whole && sys_pread_full((int)fd, file.headers, (size_t)size, file.elf.e_phoff) == size;
  sys(SYS_(close), fd);
  for (uint32_t i = 0; whole && i < file.elf.e_phnum; i++)
    if (file.headers[i].p_type == PT_INTERP)
      return false;
  return whole && !is_loader(pid) && !maps_libckpt(c, pid);
}

/* Such a program loads only what its owner trusts, also when it has given those rights up since. */
static bool has_gained_rights(int32_t pid) {
  char status[4096];
  uint64_t ids[2];
  if (told(pid, AT_SECURE, 0))
    return true;
  if (proc_read(pid, "status", status, sizeof status) <= 0)
    return false;
  return (proc_fields(status, "Uid", ids, 2) == 2 && ids[0] != ids[1]) ||
         (proc_fields(status, "Gid", ids, 2) == 2 && ids[0] != ids[1]);
}

/* Rather than none as yet, or none any more. */
static bool has_empty_environment(int32_t pid) {
  char stat[1024];
  if (proc_read(pid, "stat", stat, sizeof stat) <= 0)
    return false;
  uint64_t start = proc_stat_field(stat, 50), end = proc_stat_field(stat, 51);
  return start && start == end;
}

/* What handles the control signal has libckpt, unless it is static: then the handler is its own. One that was
 * started with libckpt may not have come to loading it; and one that ends or begins another program has no
 * environment for a moment. */
const char *find_obstacle(struct checkpoint *c, int32_t pid, bool handles_signal) {
  static const char gained[] =
      "runs with the rights of another user or group (set-uid), and so without libckpt";
  if (is_static(c, pid))
    return "is statically linked, and so runs without libckpt";
  if (handles_signal)
    return NULL;
  if (has_gained_rights(pid))
    return gained;
  long n = proc_read(pid, "environ", c->scratch, SCRATCH);
  if (n == -EACCES)
    return gained;
  if (n < 0 || (n == 0 && !has_empty_environment(pid)))
    return NULL;
  for (long at = 0; at < n; at += (long)strlen(c->scratch + at) + 1)
    if (text_starts(c->scratch + at, "LD_PRELOAD="))
      return NULL;
  return "does not run under libckpt: LD_PRELOAD was taken from it";
}

/* Is what this link of /proc leads to another than ours? What may not be looked at counts as the same. */
static bool differs(int32_t pid, const char *link) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  struct stat own, other;
  text_format(&text, "/proc/%d/%s", (int64_t)pid, link);
  if (sys(SYS_(newfstatat), AT_FDCWD, path, &other, 0) < 0)
    return false;
  text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/%s", link);
  return sys(SYS_(newfstatat), AT_FDCWD, path, &own, 0) == 0 &&
         (own.st_dev != other.st_dev || own.st_ino != other.st_ino);
}

/* A restart makes one world for all. A thread has the other namespaces of its process, or else directories of
 * its own as well. */
const char *find_other_world(int32_t pid, bool of_thread) {
  static const struct {
    const char *link, *words;
    bool of_thread;
  } worlds[] = {{"root", "has another root directory (chroot)", false},
                {"ns/mnt", "is in another mount namespace", false},
                {"ns/pid", "is in another pid namespace", false},
                {"ns/net", "is in another network namespace", true},
                {"ns/ipc", "is in another IPC namespace", true},
                {"ns/uts", "is in another UTS namespace", true},
                {"ns/user", "is in another user namespace", false},
                {"ns/time", "is in another time namespace", false}};
  for (size_t i = sizeof worlds / sizeof *worlds; i-- > 0;)
    if ((!of_thread || worlds[i].of_thread) && differs(pid, worlds[i].link))
      return worlds[i].words;
  return NULL;
}
