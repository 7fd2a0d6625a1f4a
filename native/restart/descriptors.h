/* The program's descriptors, made in the new process. */
#ifndef RESTART_DESCRIPTORS_H
#define RESTART_DESCRIPTORS_H

#include "child.h"

struct job;

/* Makes the open file descriptions of all processes, at numbers that none of them uses: 0 or -1. */
int make_descriptors(struct job *job);
/* Gives a process its descriptors, in itself. Afterwards the numbers below child->base are the program's, the
 * others ours. */
int place_descriptors(struct child *child);

/* Moves a descriptor to a number of ours: the new one, or -1 with a problem said. Takes -1 (errno set) as
 * well; `what` is for the words. */
int descriptor_lift(const struct child *child, int fd, const char *what);

/* Opens a file that a description is about, at its position: a descriptor of ours, or -1 with a problem said.
 */
int descriptor_open_file(struct child *child, const struct ckpt_description *d);
/* Gives what has been opened its flags, and whom it signals: 0 or -1. */
int descriptor_set_up(const struct child *child, const struct ckpt_description *d, int fd);

/* Makes all ends of the pipe that this description is the first of: 0 or -1. */
int pipe_make(struct child *child, uint32_t first);

void socket_set_options(const struct child *child, const struct ckpt_description *d, int fd);
/* Gives it its packet filter, which what is put back must not go through: 0, or -1 with a problem said. */
int socket_attach_filter(const struct child *child, const struct ckpt_description *d, int fd);
/* The description of the socket with this inode, or the number of descriptions. */
uint32_t socket_find(const struct image *image, uint64_t inode);
/* Fills all sockets, and makes them what they were, once all descriptions are there: 0 or -1. */
int sockets_finish(struct child *child);

/* Takes a step in the program's working directory, where there are sockets: names of unix sockets may be
 * relative to it, restart's own paths to another. */
int unix_in_cwd(struct child *child, int (*step)(struct child *));
/* Makes all unix sockets, in an order of their own: 0 or -1. */
int unix_make_all(struct child *child);
/* Is it made as one of a pair? A datagram socket may also be connected to a name. */
bool unix_is_paired(const struct image *image, const struct ckpt_socket *socket);

/* Each makes one description: a descriptor of ours, or -1 with a problem said. */
int eventfd_make(const struct child *child, const struct ckpt_description *d);
int timerfd_make(const struct child *child, const struct ckpt_description *d);
int signalfd_make(const struct child *child, const struct ckpt_description *d);
int inet_make(const struct child *child, const struct ckpt_description *d);
/* Of this process, when it is not one that has ended and been reaped. */
int pidfd_make(const struct child *child, const struct ckpt_description *d, pid_t pid);
int queue_make(const struct child *child, const struct ckpt_description *d);
int netlink_make(const struct child *child, const struct ckpt_description *d);
int inotify_make(const struct child *child);
/* Lets all inotify instances watch what they did, once nothing more is done to files: 0 or -1. */
int inotify_fill(const struct child *child);
int epoll_make(const struct child *child);
/* Lets all epoll sets watch what they did, once the program's descriptors are in place: 0 or -1. */
int epoll_fill(const struct child *child);

/* Opens a file of the image (index from 0) with these flags: a descriptor of ours, or -1 with a problem said.
 */
int file_open(struct child *child, uint32_t index, uint32_t flags);
/* The same, under the lowest number that is free. */
int file_open_low(struct child *child, uint32_t index, uint32_t flags);
/* A descriptor for mapping it, kept for the next one who asks. */
int file_for_mapping(struct child *child, uint32_t index, bool write, bool must_write);
/* The same of one with CKPT_FILE_MEMORY, made empty, with these flags of memfd_create. */
int file_for_memory(struct child *child, uint32_t index, int flags);
/* Makes one that has no name, with its contents when the image carries them. */
int file_make(struct child *child, uint32_t index);
/* Do its seals come back only when it is mapped? */
bool file_is_sealed_late(const struct ckpt_file *file);

#endif
