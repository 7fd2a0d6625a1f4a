/* Every general register in a loop that makes no system call, so that a checkpoint falls between two
 * instructions; SIGUSR1 ends it. The red zone below the stack pointer is part of the state. */
#include <signal.h>

#include "check.h"

static volatile int stop;
static volatile unsigned long result;

static void on_signal(int signal) {
  (void)signal;
  stop = 1;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_signal};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  ready();
  __asm__ volatile("push %%rbp\n\t"
                   "movq $0x5a5a5a5, -8(%%rsp)\n\t"
                   "movq $0x7b7b7b7, -120(%%rsp)\n\t"
                   "mov $1, %%rax\n\t"
                   "mov $2, %%rbx\n\t"
                   "mov $3, %%rcx\n\t"
                   "mov $4, %%rdx\n\t"
                   "mov $5, %%rsi\n\t"
                   "mov $6, %%rdi\n\t"
                   "mov $7, %%rbp\n\t"
                   "mov $8, %%r8\n\t"
                   "mov $9, %%r9\n\t"
                   "mov $10, %%r10\n\t"
                   "mov $11, %%r11\n\t"
                   "mov $12, %%r12\n\t"
                   "mov $13, %%r13\n\t"
                   "mov $14, %%r14\n\t"
                   "mov $15, %%r15\n\t"
                   "1: lea (%%rax,%%rbx,1), %%rax\n\t"
                   "sub %%rbx, %%rax\n\t"
                   "cmpl $0, %[stop]\n\t"
                   "je 1b\n\t"
                   "imul $3, %%rbx\n\t"
                   "imul $5, %%rcx\n\t"
                   "imul $7, %%rdx\n\t"
                   "imul $11, %%rsi\n\t"
                   "imul $13, %%rdi\n\t"
                   "imul $17, %%rbp\n\t"
                   "imul $19, %%r8\n\t"
                   "imul $23, %%r9\n\t"
                   "imul $29, %%r10\n\t"
                   "imul $31, %%r11\n\t"
                   "imul $37, %%r12\n\t"
                   "imul $41, %%r13\n\t"
                   "imul $43, %%r14\n\t"
                   "imul $47, %%r15\n\t"
                   "add %%rbx, %%rax\n\t"
                   "add %%rcx, %%rax\n\t"
                   "add %%rdx, %%rax\n\t"
                   "add %%rsi, %%rax\n\t"
                   "add %%rdi, %%rax\n\t"
                   "add %%rbp, %%rax\n\t"
                   "add %%r8, %%rax\n\t"
                   "add %%r9, %%rax\n\t"
                   "add %%r10, %%rax\n\t"
                   "add %%r11, %%rax\n\t"
                   "add %%r12, %%rax\n\t"
                   "add %%r13, %%rax\n\t"
                   "add %%r14, %%rax\n\t"
                   "add %%r15, %%rax\n\t"
                   "add -8(%%rsp), %%rax\n\t"
                   "add -120(%%rsp), %%rax\n\t"
                   "mov %%rax, %[result]\n\t"
                   "pop %%rbp\n\t"
                   : [result] "=m"(result)
                   : [stop] "m"(stop)
                   : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                     "r15", "memory", "cc");
  unsigned long expected = 1 + 0x5a5a5a5 + 0x7b7b7b7;
  static const unsigned long factors[] = {3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47};
  for (unsigned long i = 0; i < 14; i++)
    expected += (i + 2) * factors[i];
  if (result != expected)
    FAIL("the registers sum up to %lu, not %lu", result, expected);
  success();
}
