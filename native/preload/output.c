/* Large images go around the page cache (O_DIRECT), several chunks at a time (Linux AIO, by raw system
 * calls): the disk works while the next chunk is summed, nothing of the program's own cached files is pushed
 * out, and fsync finds nothing left to do. Small ones are simply written. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>

#include "core/sys.h"
#include "core/text.h"

enum { DIRECT_BYTES = 16 << 20 };

static void set_direct(struct output *output, bool direct) {
  long flags = sys(SYS_(fcntl), output->c->core_fd, F_GETFL);
  long wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
  output->direct = flags >= 0 && sys(SYS_(fcntl), output->c->core_fd, F_SETFL, wanted) >= 0 && direct;
}

long output_begin(struct output *output, struct checkpoint *c, uint64_t expected) {
  output->c = c;
  for (size_t i = 0; i < SLOTS; i++) {
    char *bounce = arena_take(&c->arena, CKPT_CHUNK + CKPT_PAGE);
    if (!bounce)
      return -ENOMEM;
    output->slots[i].bounce = (char *)(((uintptr_t)bounce + CKPT_PAGE - 1) & ~(uintptr_t)(CKPT_PAGE - 1));
  }
  if (expected < DIRECT_BYTES)
    return 0;
  set_direct(output, true);
  /* Writes that make a file grow are done one by one. */
  if (output->direct && sys(SYS_(ftruncate), c->core_fd, CKPT_PAGE + expected) == 0 &&
      sys(SYS_(io_setup), SLOTS, &output->queue) < 0)
    output->queue = 0;
  return 0;
}

/* What the kernel did not write at once, by hand: the rest behind a short write, or all of it where the file
 * system takes no direct writes of this shape. */
static long write_rest(struct output *output, struct slot *slot, size_t done) {
  for (size_t i = 0; i < slot->part_count; i++) {
    struct iovec *part = &slot->parts[i];
    size_t skip = done < part->iov_len ? done : part->iov_len;
    done -= skip;
    slot->offset += skip;
    size_t size = part->iov_len - skip;
    long result =
        size ? sys_pwrite_full(output->c->core_fd, (char *)part->iov_base + skip, size, slot->offset) : 0;
    if (result < 0)
      return result;
    slot->offset += size;
  }
  return 0;
}

static long finish_slot(struct output *output, struct slot *slot, long written) {
  slot->busy = false;
  if (written == (long)slot->size)
    return 0;
  bool by_hand = output->direct && (written == -EINVAL || written == -EIO || written == -EFAULT);
  if (by_hand)
    set_direct(output, false); /* a disk that fails will fail again, without it */
  else if (written < 0 && written != -EINTR && written != -EAGAIN)
    return written;
  return write_rest(output, slot, written > 0 ? (size_t)written : 0);
}

/* Takes in at least one finished slot. */
static long collect(struct output *output) {
  struct io_event events[SLOTS];
  long count;
  do
    count = sys(SYS_(io_getevents), output->queue, 1, SLOTS, events, NULL);
  while (count == -EINTR);
  long result = count < 0 ? count : 0;
  for (long i = 0; i < count; i++) {
    long finished = finish_slot(output, &output->slots[events[i].data], (long)events[i].res);
    if (result == 0)
      result = finished;
  }
  return result;
}

struct slot *output_slot(struct output *output, long *result) {
  *result = 0;
  while (*result == 0) {
    for (size_t i = 0; i < SLOTS; i++) {
      struct slot *slot = &output->slots[i];
      if (slot->busy)
        continue;
      slot->part_count = slot->size = 0;
      return slot;
    }
    *result = collect(output);
  }
  return NULL;
}

long output_submit(struct output *output, struct slot *slot, uint64_t offset) {
  slot->offset = offset;
  if (!output->queue)
    return finish_slot(output, slot,
                       sys(SYS_(pwritev), output->c->core_fd, slot->parts, slot->part_count, offset, 0));
  slot->control = (struct iocb){
      .aio_data = (uint64_t)(slot - output->slots),
      .aio_lio_opcode = IOCB_CMD_PWRITEV,
      .aio_fildes = (uint32_t)output->c->core_fd,
      .aio_buf = (uint64_t)slot->parts,
      .aio_nbytes = slot->part_count,
      .aio_offset = (int64_t)offset,
  };
  struct iocb *control = &slot->control;
  slot->busy = true;
  long count = sys(SYS_(io_submit), output->queue, 1, &control);
  return count == 1 ? 0 : finish_slot(output, slot, count < 0 ? count : 0);
}

static bool any_busy(const struct output *output) {
  for (size_t i = 0; i < SLOTS; i++)
    if (output->slots[i].busy)
      return true;
  return false;
}

long output_end(struct output *output) {
  long result = 0;
  while (result == 0 && any_busy(output))
    result = collect(output);
  /* After an error some may be under way still: io_destroy waits for them. */
  if (output->queue)
    sys(SYS_(io_destroy), output->queue);
  output->queue = 0;
  if (output->direct)
    set_direct(output, false);
  return result;
}
