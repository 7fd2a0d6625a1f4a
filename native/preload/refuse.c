/* What cannot be saved, said before anything is written: other processes, seccomp filters.
 * Regions and descriptors refuse in their own files. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "checkpoint.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"

/* The name in /proc/PREFIXpid/comm, without its newline; "?" when it cannot be read. */
static void read_name(const char *prefix, uint64_t pid, char *name, size_t size) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "%s%u/comm", prefix, pid);
  long n = sys_read_file(path, name, size);
  if (n <= 0)
    text_copy(name, size, "?");
  else if (name[n - 1] == '\n')
    name[n - 1] = 0;
}

static long refuse_seccomp(struct checkpoint *c) {
  char status[4096];
  uint64_t mode = 0;
  long n = sys_read_file("/proc/thread-self/status", status, sizeof status);
  if (n < 0)
    return fail(c, n, "/proc/self/status cannot be read: %s", text_errno(n));
  if (proc_field(status, "Seccomp", 10, &mode) && mode)
    return fail(c, -EOPNOTSUPP, "it runs under a seccomp filter, which cannot be read back");
  return 0;
}

static long refuse_children(struct checkpoint *c) {
  siginfo_t info;
  long result =
      sys(SYS_(waitid), P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT | __WALL, NULL);
  if (result == -ECHILD)
    return 0;
  char list[256], name[32];
  const char *at = list;
  uint64_t child = 0;
  if (sys_read_file("/proc/thread-self/children", list, sizeof list) > 0)
    child = text_take_decimal(&at);
  if (!child && result == 0)
    child = (uint64_t)info.si_pid;
  read_name("/proc/", child, name, sizeof name);
  return fail(c, -EOPNOTSUPP,
              "it has a child process (%u, \"%s\"), and only a single process can be saved yet", child, name);
}

/* A signal to a whole group finds such children of shells: the image would be one of the parent's memory. */
static long refuse_borrowed_memory(struct checkpoint *c) {
  enum { COMPARE_MEMORY = 1 /* KCMP_VM */ };
  if (sys(SYS_(kcmp), sys(SYS_(gettid)), sys(SYS_(getppid)), COMPARE_MEMORY, 0, 0) != 0)
    return 0;
  return fail(c, -EOPNOTSUPP, "it is about to start a program (vfork) and still has its parent's memory");
}

long refuse_company(struct checkpoint *c) {
  long result = refuse_borrowed_memory(c);
  if (result == 0)
    result = refuse_seccomp(c);
  return result < 0 ? result : refuse_children(c);
}
