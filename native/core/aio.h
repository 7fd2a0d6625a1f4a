/* Queues of asynchronous I/O (io_setup): a ring of events in memory that the program and the kernel share. */
#ifndef CKPT_AIO_H
#define CKPT_AIO_H

#include <linux/aio_abi.h>
#include <stdint.h>

/* The kernel's struct aio_ring. */
struct aio_ring {
  uint32_t id; /* by which the kernel finds the queue, whose name is the address of the ring */
  uint32_t nr; /* room for how many events */
  uint32_t head;
  uint32_t tail;
  uint32_t magic;
  uint32_t compat_features;
  uint32_t incompat_features;
  uint32_t header_size;
  struct io_event events[];
};

#define AIO_MAGIC 0xa10a10a1

/* How many events wait in a ring of this size, or -EINVAL when it is none. */
long aio_waiting(const struct aio_ring *ring, uint64_t size);
/* A new queue, empty and of the same size as another: its address, or a negative errno. */
long aio_setup(const struct aio_ring *as);
/* Gives a new queue the events that wait in `from`, which is of this size: 0 or a negative errno. `fd` can be
 * read from. */
long aio_fill(struct aio_ring *to, const struct aio_ring *from, uint64_t size, int fd);

#endif
