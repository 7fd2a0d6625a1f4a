/* The restartable-sequence area is registered again: the kernel keeps cpu_id right, and a second
 * registration is refused as busy. */
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "check.h"

static void check_cpu(void) {
  for (int i = 0; i < 4; i++) {
    /* The scheduler may move us between the two questions: only a lasting difference is wrong. */
    int tries = 100;
    unsigned cpu;
    do {
      CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
    } while (sched_getcpu() != (int)cpu && --tries > 0);
    CHECK(tries > 0);
  }
}

int main(void) {
  struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
  if (__rseq_size == 0) {
    say("note: rseq is not registered here\n");
  }
  check_cpu();
  ready();
  wait_for_go();
  check_cpu();
  if (__rseq_size != 0) {
    cpu_set_t one;
    CHECK(sched_getaffinity(0, sizeof one, &one) == 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &one))
        continue;
      cpu_set_t only;
      CPU_ZERO(&only);
      CPU_SET(cpu, &only);
      CHECK(sched_setaffinity(0, sizeof only, &only) == 0);
      CHECK(*(volatile unsigned *)&area->cpu_id == (unsigned)cpu);
    }
    CHECK(syscall(SYS_rseq, area, 32, 0, RSEQ_SIG) == -1 && errno == EBUSY);
  }
  success();
}
