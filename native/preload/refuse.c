/* What cannot be saved, said before anything is written: borrowed memory, seccomp filters.
 * Regions and descriptors refuse in their own files. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "checkpoint.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"

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
  return result;
}
