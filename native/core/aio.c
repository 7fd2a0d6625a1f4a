#include "aio.h"

#include <errno.h>

#include "sys.h"

long aio_waiting(const struct aio_ring *ring, uint64_t size) {
  uint64_t room = (size - sizeof *ring) / sizeof *ring->events;
  if (size < sizeof *ring || ring->magic != AIO_MAGIC || ring->nr == 0 || ring->nr > room ||
      ring->head >= ring->nr || ring->tail >= ring->nr)
    return -EINVAL;
  return (ring->tail + ring->nr - ring->head) % ring->nr;
}

long aio_setup(const struct aio_ring *as) {
  uint64_t made = 0;
  /* The kernel makes room for twice as many as are asked for, and two more, in whole pages. */
  long result = as->nr < 4 ? -EINVAL : sys(SYS_(io_setup), (as->nr - 2) / 2, &made);
  if (result >= 0 && ((const struct aio_ring *)made)->nr == as->nr)
    return (long)made;
  if (result >= 0)
    sys(SYS_(io_destroy), made);
  return result < 0 ? result : -ENOSPC;
}

/* Nothing but the end of a request moves the end of the ring: so there is one for each event, which then
 * takes the place of what it has told. */
long aio_fill(struct aio_ring *to, const struct aio_ring *from, uint64_t size, int fd) {
  struct iocb nothing = {
      .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_buf = (uint64_t)to};
  struct iocb *requests[] = {&nothing};
  long count = aio_waiting(from, size);
  for (long i = 0; i < count; i++) {
    long n = sys(SYS_(io_submit), to, 1, requests);
    if (n != 1)
      return n < 0 ? n : -EAGAIN;
  }
  if (count > 0 && to->tail != count)
    return -EIO;
  for (long i = 0; i < count; i++)
    to->events[i] = from->events[(from->head + (uint64_t)i) % from->nr];
  return count < 0 ? count : 0;
}
