/* A counter for each CPU that threads add to in restartable sequences, which are long, so that a checkpoint
 * falls into some of them: one that is gone on with instead of begun again overwrites what others have added.
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/rseq.h>

#include "check.h"

enum { THREADS = 3, CPUS = 1024 };

static struct {
  long count;
  char alone[56];
} counters[CPUS];
static long added[THREADS];
static bool stop;

/* False when it was interrupted. */
static bool add_one(volatile struct rseq *area) {
  unsigned cpu = area->cpu_id_start;
  CHECK(cpu < CPUS);
  __asm__ goto volatile(".pushsection __rseq_cs, \"aw\"\n\t"
                        ".balign 32\n"
                        "3: .long 0, 0\n\t"
                        ".quad 1f, 2f - 1f, 4f\n\t"
                        ".popsection\n\t"
                        "leaq 3b(%%rip), %%rax\n\t"
                        "movq %%rax, %[sequence]\n"
                        "1: cmpl %[cpu], %[now]\n\t"
                        "jne %l[interrupted]\n\t"
                        "movq %[count], %%rax\n\t"
                        "movl $500, %%ecx\n"
                        "5: pause\n\t"
                        "decl %%ecx\n\t"
                        "jnz 5b\n\t"
                        "incq %%rax\n\t"
                        "movq %%rax, %[count]\n"
                        "2:\n\t"
                        ".pushsection .text.unlikely, \"ax\"\n\t"
                        ".long 0x53053053\n"
                        "4: jmp %l[interrupted]\n\t"
                        ".popsection"
                        :
                        : [sequence] "m"(area->rseq_cs), [now] "m"(area->cpu_id), [cpu] "r"(cpu),
                          [count] "m"(counters[cpu].count)
                        : "memory", "cc", "rax", "rcx"
                        : interrupted);
  return true;
interrupted:
  return false;
}

static void *add(void *number) {
  struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
    if (add_one(area))
      ++*(long *)number;
  return number;
}

int main(void) {
  pthread_t threads[THREADS];
  if (__rseq_size == 0)
    say("note: rseq is not registered here\n");
  for (int i = 0; i < THREADS && __rseq_size; i++)
    CHECK(pthread_create(&threads[i], NULL, add, &added[i]) == 0);
  for (int i = 0; i < THREADS && __rseq_size; i++)
    while (__atomic_load_n(&added[i], __ATOMIC_RELAXED) == 0)
      sched_yield();
  ready();
  wait_for_go();
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  long wanted = 0, counted = 0;
  for (int i = 0; i < THREADS && __rseq_size; i++) {
    CHECK(pthread_join(threads[i], NULL) == 0 && added[i] > 0);
    wanted += added[i];
  }
  for (int i = 0; i < CPUS; i++)
    counted += counters[i].count;
  if (counted != wanted)
    FAIL("the counters hold %ld, and %ld were added", counted, wanted);
  success();
}
