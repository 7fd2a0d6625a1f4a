#include "core/carrier.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "core/proc.h"

bool carrier_is_traced(const char *status) {
  uint64_t tracer;
  return proc_field(status, "TracerPid", 10, &tracer) && tracer != 0;
}

int carrier_choose(int32_t tid) {
  static const int carriers[] = {SIGURG, SIGWINCH, SIGCHLD};
  char status[4096];
  uint64_t blocked;
  if (proc_read(tid, "status", status, sizeof status) <= 0 || !carrier_is_traced(status) ||
      !proc_field(status, "SigBlk", 16, &blocked))
    return -EAGAIN;
  for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++)
    if (!(blocked >> (carriers[i] - 1) & 1))
      return carriers[i];
  return 0;
}
