/* System calls without a libc: results are 0 or more, or a negative errno. */
#ifndef CKPT_SYS_H
#define CKPT_SYS_H

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x86_64/syscall.h"

#define SYS_(name) __NR_##name

/* Reads until `size` bytes are there or the file ends; interrupted and short reads go on. */
long sys_read_full(int fd, void *buffer, size_t size);
long sys_pread_full(int fd, void *buffer, size_t size, uint64_t offset);
/* 0, or a negative errno once something could not be written. */
long sys_write_full(int fd, const void *buffer, size_t size);
long sys_pwrite_full(int fd, const void *buffer, size_t size, uint64_t offset);
/* Copies from this process's memory, where nothing says that the address leads anywhere. */
bool sys_peek(uint64_t address, void *value, size_t size);
/* How libckpt opens what it only reads: nothing is appended to that, but nobody else opens files so, and a
 * fork in this moment takes a copy along that is to be told from the program's own (preload/strays.c). */
#define CKPT_READ_ONLY (O_RDONLY | O_APPEND | O_CLOEXEC)
/* Opens and reads a small file whole: its length (cut to size - 1; a zero byte follows) or a negative errno.
 */
long sys_read_file(const char *path, char *buffer, size_t size);

#endif
