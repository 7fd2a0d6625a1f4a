/* Clocks that go on: a time namespace where CLOCK_MONOTONIC and CLOCK_BOOTTIME continue from what the program
 * last read. */
#ifndef RESTART_CLOCKS_H
#define RESTART_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

/* To be called first: what the kernel says of our own offsets changes with clocks_continue(). */
void clocks_note(void);
/* By how many clock ticks /proc/PID/stat shows later start times here than in the initial namespace. */
int64_t clocks_shift(void);
/* Processes that are born from now on read clocks that go on from the image's. False where that is not
 * allowed: they read the machine's. */
bool clocks_continue(const struct image *image);
/* Warns when the machine's clocks are behind the image's. */
void clocks_compare(const struct image *image);

#endif
