/* What describing sockets of all families shares. */
#ifndef CKPT_SOCKETS_H
#define CKPT_SOCKETS_H

#include "describe.h"

enum { PEEK_MOST = 1 << 20 }; /* the size of l->peeked */

/* An option of SOL_SOCKET, 0 where there is none such. */
int get_number(const struct looking *l, int name);
void set_number(const struct looking *l, int name, int value);
/* Does poll() tell of this event? */
bool socket_polls(const struct looking *l, short event);
/* A connection of the program's own that has come with data: most programs accept it in a moment. */
long wait_for_accept(struct looking *l, const char *what);
long refuse_socket(struct looking *l, const struct ckpt_socket *socket);
/* Adds the socket that l->fd is, with its options, as what this description is about. */
long add_socket(struct looking *l, const struct ckpt_socket *socket, struct ckpt_description *d);
/* Adds one option. */
long add_option(struct looking *l, const struct ckpt_option *option);
/* Adds the multicast groups of l->fd, for the socket with this index. */
long add_memberships(struct looking *l, uint32_t index); /* multicast.c */
/* The socket with this inode, or null. */
struct ckpt_socket *socket_by_inode(const struct checkpoint *c, uint64_t inode);

/* Each family: what can be told about l->fd alone. */
bool job_has_other_end(const struct looking *l, const struct ckpt_socket *socket); /* of a unix socket */
bool socket_leads_outside(const struct looking *l, const struct ckpt_socket *socket);
/* Fills in what the kernel tells about the unix socket l->fd. */
long ask_unix(struct looking *l, struct ckpt_socket *socket);
long describe_unix(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d);
long describe_inet(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d);
long describe_netlink(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d);

/* Once all descriptors are known: who is at the other end of l->fd. */
long find_unix_peer(struct looking *l, struct ckpt_socket *socket, bool has_packets);
/* `here`: no other process looks at what waits in it. */
long find_tcp_peer(struct looking *l, struct ckpt_socket *socket, bool here);

/* tcp.c: what waits in the TCP socket l->fd, into the blob, once all has been sent that the other end has
 * written. */
long peek_tcp(struct looking *l, const struct ckpt_socket *socket, size_t description);
/* packets.c: what waits in the unix socket l->fd, into the blob. Descriptors in flight there may add
 * descriptions, so that pointers into their list do not last. Without `inodes` they are all that is kept,
 * undescribed.
 */
long peek_packets(struct looking *l, const struct ckpt_socket *socket, size_t description,
                  struct list *inodes);
/* Puts one packet, or piece of a stream, at the end of a list of bytes. */
long add_packet(struct checkpoint *c, struct list *packets, const struct ckpt_packet *head,
                const uint32_t *rights, const void *address, const void *bytes);
/* Makes a list of packets the contents of this description. */
long keep_packets(struct checkpoint *c, const struct list *packets, size_t description);

#endif
