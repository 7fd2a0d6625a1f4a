/* Sorting where there is no libc: in place, without recursion. */
#ifndef CKPT_CORE_SORT_H
#define CKPT_CORE_SORT_H

#include <stdbool.h>
#include <stddef.h>

enum { SORT_ENTRY_MOST = 128 };

/* Entries of `size` bytes, SORT_ENTRY_MOST at the most, so that none is before one in front of it. */
void sort_entries(void *entries, size_t count, size_t size, bool (*is_before)(const void *, const void *));

#endif
