/* The ports that the program's TCP sockets had. */
#ifndef RESTART_PORTS_H
#define RESTART_PORTS_H

#include "inet.h"

/* A TCP socket with SO_REUSEADDR, or -1. */
int port_socket(int domain);
in_port_t *port_of(union address *address);
/* Makes `fd`, which is not connected yet, come from this address when it is: 0 or -1. */
int port_take(int fd, const union address *address, socklen_t size);

/* Ends what lingers in the kernel of connections of this machine with itself where the program's sockets will
 * be, or waits for its end. */
void ports_free(const struct image *image);

#endif
