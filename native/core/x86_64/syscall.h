/* Raw system calls, x86-64: number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax (negative
 * errno on failure); rcx and r11 are lost. */
#ifndef CKPT_X86_64_SYSCALL_H
#define CKPT_X86_64_SYSCALL_H

static inline long syscall6(long nr, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#define SYS_ARG(x) ((long)(x))
#define SYSCALL_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define SYSCALL0(n) syscall6(n, 0, 0, 0, 0, 0, 0)
#define SYSCALL1(n, a) syscall6(n, SYS_ARG(a), 0, 0, 0, 0, 0)
#define SYSCALL2(n, a, b) syscall6(n, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define SYSCALL3(n, a, b, c) syscall6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define SYSCALL4(n, a, b, c, d) syscall6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define SYSCALL5(n, a, b, c, d, e) syscall6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)
#define SYSCALL6(n, a, b, c, d, e, f)                                                                        \
  syscall6(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))

/* sys(SYS_read, fd, buffer, size): any number of arguments of any scalar type. */
#define sys(...)                                                                                             \
  SYSCALL_PICK(__VA_ARGS__, SYSCALL6, SYSCALL5, SYSCALL4, SYSCALL3, SYSCALL2, SYSCALL1, SYSCALL0, ~)         \
  (__VA_ARGS__)

#endif
