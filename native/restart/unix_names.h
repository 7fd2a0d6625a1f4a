/* The names of unix sockets. */
#ifndef RESTART_UNIX_NAMES_H
#define RESTART_UNIX_NAMES_H

#include <stdbool.h>

#include "image.h"

/* Is it a path? The others are abstract, or there is none. */
bool unix_has_path(const struct ckpt_socket *socket);
enum { UNIX_WORDS = 128 };

bool unix_same_name(const struct ckpt_socket *a, const struct ckpt_socket *b);
/* The name for people, in a buffer of the caller's of UNIX_WORDS bytes; an abstract one begins
 * with @. */
const char *unix_words(const uint8_t *address, uint32_t size, char *words);

/* Gives the socket its name, in the place of a file that nobody listens at any more: 0, or -1 with errno.
 * The file is for nobody else yet. */
int unix_bind(const struct ckpt_socket *socket, int fd);
/* Makes the file what it was, or removes it when the socket was not found there any more. */
void unix_settle_name(const struct ckpt_socket *socket);
int unix_connect(int fd, const uint8_t *address, uint32_t size);

#endif
