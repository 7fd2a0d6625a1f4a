/* Packets between the processes of a job, and descriptors that come along. Those that do not are -1. */
#ifndef CKPT_MESSAGES_H
#define CKPT_MESSAGES_H

#include <stddef.h>

enum { MESSAGE_FDS = 3 };
struct passed {
  int fds[MESSAGE_FDS];
};
#define NOTHING_PASSED ((struct passed){{-1, -1, -1}})
long message_send(int socket, const void *packet, size_t size, struct passed passed);
/* Bytes, 0 at the end. */
long message_receive(int socket, void *packet, size_t size, struct passed *passed);
void passed_close(const struct passed *passed);

#endif
