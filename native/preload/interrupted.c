/* How a thread is taken out of the system call that our signal has interrupted, and put back. */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/sys.h"
#include "core/text.h"
#include "core/waits.h"
#include "state.h"
#include "thread.h"

enum { CODE = 40, CODE_OF_CALLER = 64 };

/* Reads what is there of the `size` bytes in front of `end`, into the end of `code`, and the rest as zeros.
 */
static bool read_code(uint64_t end, uint8_t *code, size_t size) {
  long mem = sys(SYS_(openat), AT_FDCWD, "/proc/thread-self/mem", CKPT_READ_ONLY);
  if (mem < 0)
    return false;
  __builtin_memset(code, 0, size);
  long n = sys_pread_full((int)mem, code, size, end - size);
  size_t in_page = end % CKPT_PAGE;
  if (n != (long)size && in_page && in_page < size)
    n = sys_pread_full((int)mem, code + size - in_page, in_page, end - in_page) == (long)in_page ? (long)size
                                                                                                 : -1;
  sys(SYS_(close), mem);
  return n == (long)size;
}

static uint32_t number_at(const uint8_t *code) {
  return code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
}

/* The last `mov $n,%REG` before `end` with the number of a wait: compilers put other arguments' instructions
 * between that and the call. */
static bool find_move(const uint8_t *code, size_t end, uint8_t opcode, uint32_t *number) {
  for (size_t at = end; at >= 5; at--) {
    *number = number_at(code + at - 4);
    if (code[at - 5] == opcode && *number && wait_ends_with_eintr(*number))
      return true;
  }
  return false;
}

/* glibc's syscall() moves its arguments up by one: the number was its caller's first. */
static bool is_syscall_function(const uint8_t code[CODE]) {
  static const uint8_t moves[] = {0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca,
                                  0x4d, 0x89, 0xc2, 0x4d, 0x89, 0xc8, 0x4c, 0x8b, 0x4c, 0x24, 0x08};
  return __builtin_memcmp(code + CODE - 2 - sizeof moves, moves, sizeof moves) == 0;
}

/* musl's __syscall_cp_asm, which makes the cancellable calls: their number was its second argument, too. */
static bool is_cancellable_of_musl(const uint8_t code[CODE]) {
  static const uint8_t moves[] = {0x49, 0x89, 0xfb, 0x48, 0x89, 0xf0, 0x48, 0x89, 0xd7, 0x48, 0x89,
                                  0xce, 0x4c, 0x89, 0xc2, 0x4d, 0x89, 0xca, 0x4c, 0x8b, 0x44, 0x24,
                                  0x08, 0x4c, 0x8b, 0x4c, 0x24, 0x10, 0x4c, 0x89, 0x5c, 0x24, 0x08};
  return __builtin_memcmp(code + CODE - 2 - sizeof moves, moves, sizeof moves) == 0;
}

/* Its caller needs the number afterwards, in a register that a call preserves: the one that the last
 * `mov %REG,%rsi` in front of the call has read. */
static bool find_preserved(const greg_t *regs, const uint8_t caller[CODE_OF_CALLER], uint32_t *number) {
  static const struct {
    uint8_t prefix, operands, reg;
  } moves[] = {{0x48, 0xde, REG_RBX}, {0x48, 0xee, REG_RBP}, {0x4c, 0xe6, REG_R12},
               {0x4c, 0xee, REG_R13}, {0x4c, 0xf6, REG_R14}, {0x4c, 0xfe, REG_R15}};
  enum { CALL = 5 };
  if (caller[CODE_OF_CALLER - CALL] != 0xe8)
    return false;
  for (const uint8_t *at = caller + CODE_OF_CALLER - CALL - 3; at >= caller; at--)
    for (size_t i = 0; at[1] == 0x89 && i < sizeof moves / sizeof moves[0]; i++)
      if (at[0] == moves[i].prefix && at[2] == moves[i].operands) {
        *number = (uint32_t)regs[moves[i].reg];
        return regs[moves[i].reg] == (greg_t)*number && wait_ends_with_eintr(*number);
      }
  return false;
}

/* The number of the call that the `syscall` at the end of `code` made, read from the instruction that put it
 * into rax: the kernel has forgotten it, and rax holds the result. */
static bool number_before(const uint8_t code[CODE], const greg_t *regs, uint32_t *number) {
  uint8_t caller[CODE_OF_CALLER];
  if (code[CODE - 2] != 0x0f || code[CODE - 1] != 0x05)
    return false;
  if (code[CODE - 4] == 0x31 && code[CODE - 3] == 0xc0) { /* xor %eax,%eax */
    *number = 0;
    return true;
  }
  bool cancellable = is_cancellable_of_musl(code);
  if (!cancellable && !is_syscall_function(code))
    return find_move(code, CODE - 2, 0xb8, number) || find_move(code, CODE - 2, 0xc0, number);
  uint64_t from;
  __builtin_memcpy(&from, (const void *)regs[REG_RSP], sizeof from);
  if (!read_code(from, caller, sizeof caller))
    return false;
  return cancellable ? find_preserved(regs, caller, number) : find_move(caller, sizeof caller, 0xbf, number);
}

void known_call_parse(struct known_call *call, const char *line) {
  if (line[0] < '0' || line[0] > '9')
    return;
  uint64_t words[9] = {text_take_decimal(&line)};
  for (int i = 1; i < 9; i++) {
    text_skip_spaces(&line);
    if (!text_starts(line, "0x"))
      return;
    line += 2;
    words[i] = text_take_hex(&line);
  }
  *call = (struct known_call){true, (uint32_t)words[0], words[8], words[7], words[1]};
}

/* The kernel may have told the leader before the signal was sent; else the code must. */
static bool find_number(const ucontext_t *frame, const struct known_call *call, uint32_t *number) {
  const greg_t *regs = frame->uc_mcontext.gregs;
  if (call && call->known && call->number != __NR_restart_syscall && call->rip == (uint64_t)regs[REG_RIP] &&
      call->rsp == (uint64_t)regs[REG_RSP]) {
    *number = call->number;
    return true;
  }
  uint8_t code[CODE];
  return read_code((uint64_t)regs[REG_RIP], code, sizeof code) && number_before(code, regs, number);
}

/* Does the thread stand in front of a call that the kernel is going to make again? */
static bool stands_before_call(const ucontext_t *frame) {
  const greg_t *regs = frame->uc_mcontext.gregs;
  uint8_t code[2];
  return regs[REG_RAX] >= 0 && regs[REG_RAX] <= UINT16_MAX && wait_is_made_again((uint32_t)regs[REG_RAX]) &&
         read_code((uint64_t)regs[REG_RIP] + sizeof code, code, sizeof code) && code[0] == 0x0f &&
         code[1] == 0x05;
}

/* After a stop the kernel goes on with some waits by restart_syscall, made by the same instruction; our
 * handler has made it forget which one that was. */
static void undo_restart_syscall(ucontext_t *frame) {
  greg_t *regs = frame->uc_mcontext.gregs;
  uint8_t code[2];
  if (regs[REG_RAX] == __NR_restart_syscall &&
      read_code((uint64_t)regs[REG_RIP] + sizeof code, code, sizeof code) && code[0] == 0x0f &&
      code[1] == 0x05) {
    regs[REG_RAX] = -EINTR;
    regs[REG_RIP] += 2;
  }
}

/* Nothing but a time limit of its own makes these calls end with EINTR. */
static bool has_no_time_limit(int fd, int option) {
  struct stat st;
  char modes[64]; /* the kernel's struct termios has 36 bytes */
  struct timeval limit = {0};
  uint32_t size = sizeof limit;
  if (sys(SYS_(fstat), fd, &st) < 0)
    return false;
  switch (st.st_mode & S_IFMT) {
  case S_IFIFO:
  case 0: /* eventfd, timerfd, signalfd, inotify */
    return true;
  case S_IFCHR:
    return sys(SYS_(ioctl), fd, TCGETS, modes) == 0;
  case S_IFSOCK:
    return sys(SYS_(getsockopt), fd, SOL_SOCKET, option, &limit, &size) == 0 && limit.tv_sec == 0 &&
           limit.tv_usec == 0;
  default:
    return false; /* what a file system in user space answers is its own business */
  }
}

/* Does this call, once our handler has interrupted it, stand before its `syscall` (SA_RESTART)? Then EINTR is
 * from a handler of the program's, from which the thread was returning in this very moment. */
static bool is_made_again_by_kernel(const greg_t *regs, uint32_t number) {
  if (ckpt_state.others_interrupt)
    return false;
  switch (number) {
  case __NR_futex:
    return regs[REG_R10] == 0;
  case __NR_read:
  case __NR_recvfrom:
  case __NR_recvmsg:
  case __NR_recvmmsg:
  case __NR_accept:
  case __NR_accept4:
    return has_no_time_limit((int)regs[REG_RDI], SO_RCVTIMEO);
  case __NR_write:
  case __NR_sendto:
  case __NR_sendmsg:
    return has_no_time_limit((int)regs[REG_RDI], SO_SNDTIMEO);
  default:
    return false;
  }
}

/* Has musl's pthread_cancel ended this call? Its handler, during which ours had to wait, has blocked its
 * signal for the thread and sent it once more. What looks for that is the call's result. */
static bool is_cancelled(const ucontext_t *frame) {
  const uint64_t cancel = 1ull << CKPT_CONTROL_SIGNAL; /* the next signal */
  uint8_t code[CODE];
  uint64_t mask;
  __builtin_memcpy(&mask, &frame->uc_sigmask, sizeof mask);
  return mask & cancel && pending_for_thread() & cancel &&
         read_code((uint64_t)frame->uc_mcontext.gregs[REG_RIP], code, sizeof code) &&
         is_cancellable_of_musl(code);
}

void leave_kernel(struct leaving *leaving, ucontext_t *frame, const struct known_call *call) {
  greg_t *regs = frame->uc_mcontext.gregs;
  uint32_t number;
  undo_restart_syscall(frame);
  leaving->frame = NULL;
  leaving->made_again = stands_before_call(frame);
  if (leaving->made_again) {
    leaving->frame = frame;
    leaving->rdi = regs[REG_RDI];
    leaving->rdx = regs[REG_RDX];
    leaving->rip = regs[REG_RIP] + 2;
    return;
  }
  if (regs[REG_RAX] != -EINTR || !find_number(frame, call, &number) || !wait_ends_with_eintr(number) ||
      is_made_again_by_kernel(regs, number) || is_cancelled(frame))
    return;
  leaving->frame = frame;
  leaving->rdi = regs[REG_RDI];
  leaving->rdx = regs[REG_RDX];
  leaving->rip = regs[REG_RIP];
  /* The kernel has left the remainder where the caller asked for it: sleep on with that. */
  if (number == __NR_nanosleep && regs[REG_RSI])
    regs[REG_RDI] = regs[REG_RSI];
  if (number == __NR_clock_nanosleep && regs[REG_R10] && !(regs[REG_RSI] & 1 /* TIMER_ABSTIME */))
    regs[REG_RDX] = regs[REG_R10];
  regs[REG_RAX] = number;
  regs[REG_RIP] -= 2;
}

/* Does the program handle it, and does that end the wait? Ours never do. */
static bool ends_wait(int signal, bool made_again) {
  struct kernel_sigaction action;
  return sys(SYS_(rt_sigaction), signal, NULL, &action, sizeof action.mask) == 0 &&
         action.handler != SIG_IGN && action.handler != SIG_DFL &&
         action.handler != (void *)ckpt_signal_entry && !(made_again && (action.flags & SA_RESTART));
}

/* Is there a pending signal that ends the wait, now that the program's own mask is about to be restored? One
 * that waits for the whole process ends the wait of one thread only, which takes it for itself here. */
static bool signal_waits(const struct leaving *leaving) {
  uint64_t mask, own = 0;
  __builtin_memcpy(&mask, &leaving->frame->uc_sigmask, sizeof mask);
  uint64_t waiting = pending_signals() & ~mask;
  if (waiting)
    own = pending_for_thread();
  for (int signal = 1; signal <= 64; signal++)
    if ((waiting >> (signal - 1) & 1) && ends_wait(signal, leaving->made_again) &&
        ((own >> (signal - 1) & 1) || take_for_thread(signal)))
      return true;
  return false;
}

void enter_kernel(const struct leaving *leaving) {
  if (!leaving->frame || !signal_waits(leaving))
    return;
  greg_t *regs = leaving->frame->uc_mcontext.gregs;
  regs[REG_RAX] = -EINTR;
  regs[REG_RDI] = leaving->rdi;
  regs[REG_RDX] = leaving->rdx;
  regs[REG_RIP] = leaving->rip;
}

void thread_pass_by(ucontext_t *frame, const struct known_call *call) {
  struct leaving leaving;
  leave_kernel(&leaving, frame, call);
  enter_kernel(&leaving);
}
