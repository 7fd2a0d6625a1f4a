/* An image in memory: read once, every byte, number, offset and index checked, so that the rest of restart
 * may believe it. Errors are words in image->why. */
#ifndef RESTART_IMAGE_H
#define RESTART_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "format/image.h"

struct image_run {
  uint64_t address;
  uint64_t size;
  uint64_t offset; /* from the start of the data */
};

/* Every array note: the field, the note and the type of an entry. */
#define IMAGE_ARRAYS(X)                                                                                      \
  X(threads, THREADS, struct ckpt_thread)                                                                    \
  X(regions, REGIONS, struct ckpt_region)                                                                    \
  X(files, FILES, struct ckpt_file)                                                                          \
  X(descriptions, DESCRIPTIONS, struct ckpt_description)                                                     \
  X(descriptors, DESCRIPTORS, struct ckpt_descriptor)                                                        \
  X(sigactions, SIGACTIONS, struct ckpt_sigaction)                                                           \
  X(signals, SIGNALS, struct ckpt_signal)                                                                    \
  X(rlimits, RLIMITS, struct ckpt_rlimit)                                                                    \
  X(itimers, ITIMERS, struct ckpt_itimer)                                                                    \
  X(timers, TIMERS, struct ckpt_timer)                                                                       \
  X(checksums, CHECKSUMS, uint32_t)                                                                          \
  X(groups, GROUPS, uint32_t)                                                                                \
  X(guards, GUARDS, struct ckpt_range)                                                                       \
  X(inherited, INHERITED, struct ckpt_range)                                                                 \
  X(locks, LOCKS, struct ckpt_lock)                                                                          \
  X(watches, WATCHES, struct ckpt_watch)                                                                     \
  X(timerfds, TIMERFDS, struct ckpt_timerfd)                                                                 \
  X(sockets, SOCKETS, struct ckpt_socket)                                                                    \
  X(options, OPTIONS, struct ckpt_option)                                                                    \
  X(tcp, TCP, struct ckpt_tcp)                                                                               \
  X(children, CHILDREN, struct ckpt_child)                                                                   \
  X(stops, STOPS, struct ckpt_stop)                                                                          \
  X(inotify, INOTIFY, struct ckpt_inotify)                                                                   \
  X(terminals, TERMINALS, struct ckpt_terminal)                                                              \
  X(sets, SETS, struct ckpt_set)                                                                             \
  X(semaphores, SEMAPHORES, struct ckpt_semaphore)                                                           \
  X(queues, QUEUES, struct ckpt_queue)                                                                       \
  X(ptys, PTYS, struct ckpt_pty)

struct image {
  char why[1024];
  int fd;
  struct stat st;
  struct ckpt_prologue prologue;
  struct ckpt_image info;
  struct ckpt_process process;
#define X(field, note, type)                                                                                 \
  type *field;                                                                                               \
  uint32_t field##_count;
  IMAGE_ARRAYS(X)
#undef X
  const char *strings;
  uint32_t strings_size;
  const uint8_t *blob;
  uint64_t blob_size;
  const uint8_t *auxv;
  uint32_t auxv_size;
  struct image_run *runs; /* pages with contents, by address */
  uint32_t runs_count;
  uint8_t *notes;    /* what the pointers lead into */
  char *own_strings; /* instead of those in the notes, once there is a new one */
};

/* 0 or -1. The image is to be closed either way. */
int image_open(struct image *image, const char *path);
void image_close(struct image *image);

/* Sets the words; always -1. */
__attribute__((format(printf, 2, 3))) int image_refuse(struct image *image, const char *format, ...);
const char *image_string(const struct image *image, ckpt_string offset);
/* Adds a string of ours: 0 or -1. What image_string has given until now is no longer there. */
int image_add_string(struct image *image, const char *text, ckpt_string *offset);
/* The region that holds this address, or null. */
const struct ckpt_region *image_region_at(const struct image *image, uint64_t address);
/* May pages of this region (null: none) be in the core of another process? */
bool image_may_inherit(const struct ckpt_region *region);
/* How many regions lie over this file (index + 1). */
uint32_t image_count_regions(const struct image *image, uint32_t file);
/* Copies memory as it will be, zeros where the image has no page: 0 or -1. */
int image_memory(struct image *image, uint64_t address, void *to, size_t size);
/* Checks all memory against its checksums: 0 or -1. */
int image_verify_memory(struct image *image);

/* The steps of image_open. */
int image_read_loads(struct image *image, const uint8_t *phdrs, uint32_t count);
int image_read_notes(struct image *image);
int image_check_notes(struct image *image);
/* The part of it about descriptors and what is behind them. */
int image_check_descriptors(struct image *image);
/* Under which number it has an open file; -1: it is only in flight, or watched. */
int image_number_of(const struct image *image, uint32_t description);
/* The descriptor with this number, or null. */
const struct ckpt_descriptor *image_find_descriptor(const struct image *image, int32_t fd);
int image_check_tcp(struct image *image);
int image_check_sysv(struct image *image);

#endif
