#include "core/waits.h"

#include <stddef.h>
#include <sys/syscall.h>

static bool is_among(const uint16_t *numbers, size_t count, uint32_t number) {
  for (size_t i = 0; i < count; i++)
    if (numbers[i] == number)
      return true;
  return false;
}

bool wait_ends_with_eintr(uint32_t number) {
  static const uint16_t numbers[] = {
      __NR_poll,          __NR_ppoll,           __NR_select,       __NR_pselect6,        __NR_epoll_wait,
      __NR_epoll_pwait,   __NR_epoll_pwait2,    __NR_nanosleep,    __NR_clock_nanosleep, __NR_pause,
      __NR_rt_sigsuspend, __NR_rt_sigtimedwait, __NR_futex,        __NR_semop,           __NR_semtimedop,
      __NR_msgsnd,        __NR_msgrcv,          __NR_io_getevents, __NR_io_pgetevents,   __NR_read,
      __NR_recvfrom,      __NR_recvmsg,         __NR_recvmmsg,     __NR_accept,          __NR_accept4,
      __NR_write,         __NR_sendto,          __NR_sendmsg,
  };
  return is_among(numbers, sizeof numbers / sizeof numbers[0], number);
}

bool wait_is_made_again(uint32_t number) {
  static const uint16_t numbers[] = {
      __NR_read,     __NR_readv,           __NR_write,        __NR_writev, __NR_recvfrom, __NR_recvmsg,
      __NR_sendto,   __NR_sendmsg,         __NR_connect,      __NR_accept, __NR_accept4,  __NR_wait4,
      __NR_waitid,   __NR_flock,           __NR_fcntl,        __NR_openat, __NR_open,     __NR_ioctl,
      __NR_futex,    __NR_mq_timedreceive, __NR_mq_timedsend, __NR_splice, __NR_recvmmsg, __NR_preadv2,
      __NR_pwritev2, __NR_futex_waitv,
  };
  return is_among(numbers, sizeof numbers / sizeof numbers[0], number);
}
