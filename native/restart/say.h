/* Words for people. Problems are collected and shown together; warnings go out at once. In the new process
 * both travel to restart, which alone knows where they belong. */
#ifndef RESTART_SAY_H
#define RESTART_SAY_H

#include <stdbool.h>
#include <stdint.h>

void say_quietly(void);
/* From here on words go to restart through this socket (see plan.h). */
void say_through(int socket);

/* Remembers one problem; always -1, so that it can be returned. */
__attribute__((format(printf, 1, 2))) int say_problem(const char *format, ...);
__attribute__((format(printf, 1, 2))) void say_warning(const char *format, ...);
/* The first one that there is, joined by newlines; "" for none. */
const char *say_problems(void);
bool say_has_problem(void);
void say_forget_problems(void);
/* Sends the problems to restart: for the new process, just before it ends. */
void say_send_problems(void);

/* That something of huge pages cannot be made: -1. */
int say_huge_pages(const char *what, uint64_t size, uint64_t page_size, int error);

#endif
