/* What cannot be saved, said before anything is written: seccomp filters, and what is not shared as a restart
 * shares it (apart.c). Regions and descriptors refuse in their own files. */
#include <errno.h>

#include "checkpoint.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"

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

long refuse_company(struct checkpoint *c) {
  long result = refuse_in_common(c);
  if (result == 0)
    result = refuse_seccomp(c);
  return result == 0 ? refuse_threads_apart(c) : result;
}
