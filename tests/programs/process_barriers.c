/* What a process has registered for with membarrier(), and nothing else, is there: a fence that works. */
#include <linux/membarrier.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "check.h"

/* The kernel tells since Linux 6.3. */
enum { GET_REGISTRATIONS = 1 << 9 };

static long barrier(int command) {
  return syscall(SYS_membarrier, command, 0, 0);
}

int main(void) {
  CHECK(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0 && errno == EPERM);
  CHECK(barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0);
  CHECK(barrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0);
  bool has_cores = barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) == 0;
  long registered = barrier(GET_REGISTRATIONS);

  ready();
  wait_for_go();

  CHECK(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0);
  CHECK((barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == 0) == has_cores);
  CHECK(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) < 0);
  CHECK(barrier(GET_REGISTRATIONS) == registered);
  success();
}
