/* What describing sockets of all families shares. */
#ifndef CKPT_SOCKETS_H
#define CKPT_SOCKETS_H

#include "describe.h"

/* An option of SOL_SOCKET, 0 where there is none such. */
int get_number(const struct looking *l, int name);
long refuse_socket(struct looking *l, const struct ckpt_socket *socket);
/* Adds the options of l->fd, for the socket with this index. */
long add_options(struct looking *l, uint32_t index);
long describe_inet(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d); /* inet.c */

#endif
