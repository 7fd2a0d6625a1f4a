/* TCP connections to the outside, as the image has them. The kernel makes one without a packet in repair
 * mode, and forgets one so, too. Until the program is known to run they are deaf: what would arrive, and be
 * acknowledged, would be lost if it did not. To let them go on takes a right that restart may give up for a
 * user namespace: a process of its own waits with it. */
#include "tcp_repair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/tcp_silence.h"
#include "inet.h"
#include "say.h"

enum {
  MARK = 0x74706b63, /* any but 0: see tcp_silence() */
  RECEIVE_LOCK = 2,
  BUFFER_LEAST = 64 << 10,
  OPTION_SEGMENT = 2, /* as in packets */
  OPTION_SCALES = 3,
  OPTION_SACK = 4,
  OPTION_TIMESTAMPS = 8,
};

static int set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

static int get(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) < 0 ? 0 : value;
}

/* The image is known to have the socket. */
const struct ckpt_socket *repair_socket(const struct image *image, const struct ckpt_tcp *tcp) {
  const struct ckpt_socket *socket = image->sockets;
  while (socket->inode != tcp->inode)
    socket++;
  return socket;
}

int repair_fail(const struct repaired *r, const char *what) {
  int error = errno;
  union address here, there;
  char here_words[INET_WORDS], there_words[INET_WORDS];
  inet_address(&here, r->socket, r->socket->address);
  inet_address(&there, r->socket, r->socket->peer_address);
  return say_problem("the TCP connection from %s to %s: %s: %s", inet_words(&here, here_words),
                     inet_words(&there, there_words), what, strerror(error));
}

/* ---- Looking --------------------------------------------------------------------------------------------
 */

static const struct ckpt_tcp *find_tcp(const struct job *job, uint64_t inode) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].tcp_count; j++)
      if (job->images[i].tcp[j].inode == inode)
        return &job->images[i].tcp[j];
  return NULL;
}

static void check_held(const struct job *job, const struct image *image) {
  char words[INET_WORDS];
  for (uint32_t i = 0; i < image->descriptors_count; i++) {
    const struct ckpt_socket *socket = connection_to_outside(image, image->descriptors[i].description);
    union address peer;
    if (!socket || find_tcp(job, socket->inode))
      continue;
    inet_address(&peer, socket, socket->peer_address);
    say_problem("descriptor %d was a TCP connection to %s, which the image does not hold: save with "
                "--tcp=repair (CKPT_TCP=repair)",
                image->descriptors[i].fd, inet_words(&peer, words));
  }
}

static void check_rights_to_repair(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0 || set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON) < 0)
    say_problem("--tcp=repair: %s: it needs CAP_NET_ADMIN, in the user namespace that this network namespace "
                "belongs to",
                strerror(errno));
  if (fd >= 0)
    close(fd);
}

void check_repair(const struct job *job, const struct options *options) {
  uint32_t count = 0;
  if (options->tcp != TCP_MODE_REPAIR)
    return;
  for (uint32_t i = 0; i < job->count; i++) {
    check_held(job, &job->images[i]);
    count += job->images[i].tcp_count;
  }
  if (count && (options->clone || options->copy))
    say_problem("--tcp=repair does not go with copies: a connection cannot lead to several programs");
  if (count)
    check_rights_to_repair();
}

/* ---- Making ---------------------------------------------------------------------------------------------
 */

static int set_queue(int fd, int queue, const uint32_t *seq) {
  if (set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue) < 0)
    return -1;
  return seq ? setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq, sizeof *seq) : 0;
}

/* What waits to be read: the numbers of an end that came behind it are not among its own. */
static size_t waiting(const struct repaired *r) {
  return r->description->data_size ? r->description->data_size - sizeof(struct ckpt_packet) : 0;
}

static int set_numbers(const struct repaired *r) {
  uint32_t receive = r->tcp->receive_seq - (uint32_t)waiting(r);
  uint32_t send = r->tcp->send_seq - (uint32_t)r->tcp->data_size;
  if (set_queue(r->fd, TCP_RECV_QUEUE, &receive) < 0 || set_queue(r->fd, TCP_SEND_QUEUE, &send) < 0)
    return repair_fail(r, "its numbers cannot be set");
  return 0;
}

static int lead(const struct repaired *r) {
  union address here, there;
  socklen_t size = inet_address(&here, r->socket, r->socket->address);
  inet_address(&there, r->socket, r->socket->peer_address);
  if (bind(r->fd, &here.any, size) < 0)
    return repair_fail(r, errno == EADDRNOTAVAIL ? "this machine does not have its address"
                                                 : "it cannot be bound");
  if (tcp_deafen(r->fd) < 0 || set(r->fd, SOL_SOCKET, SO_MARK, MARK) < 0)
    return repair_fail(r, "it cannot be kept silent");
  if (connect(r->fd, &there.any, size) < 0)
    return repair_fail(r, errno == EADDRNOTAVAIL ? "there is one between these addresses already"
                                                 : "it cannot be made");
  return 0;
}

static int agree(const struct repaired *r) {
  const struct ckpt_tcp *tcp = r->tcp;
  struct tcp_repair_opt options[4] = {{OPTION_SEGMENT, tcp->segment}};
  socklen_t count = 1;
  if (tcp->options & CKPT_TCP_SCALES)
    options[count++] = (struct tcp_repair_opt){OPTION_SCALES, tcp->send_scale | tcp->receive_scale << 16};
  if (tcp->options & CKPT_TCP_SACK)
    options[count++] = (struct tcp_repair_opt){OPTION_SACK, 0};
  if (tcp->options & CKPT_TCP_TIMESTAMPS)
    options[count++] = (struct tcp_repair_opt){OPTION_TIMESTAMPS, 0};
  if (setsockopt(r->fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, count * sizeof *options) < 0 ||
      setsockopt(r->fd, IPPROTO_TCP, TCP_TIMESTAMP, &tcp->timestamp, sizeof tcp->timestamp) < 0)
    return repair_fail(r, "what both sides have agreed upon cannot be set");
  return 0;
}

/* The kernel takes it in pieces. */
int repair_put(const struct repaired *r, uint64_t at, size_t size) {
  const uint8_t *bytes = r->child->image->blob + at;
  while (size) {
    ssize_t n = send(r->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0)
      return repair_fail(r, errno == EAGAIN || errno == ENOMEM
                                ? "there is no room for what was in it (net.core.wmem_max, net.ipv4.tcp_rmem)"
                                : "what was in it cannot be put back");
    bytes += n;
    size -= (size_t)n;
  }
  return 0;
}

/* Beyond net.core.rmem_max and wmem_max only root of the first user namespace may go. */
static int set_room(int fd, int forced, int name, uint64_t bytes) {
  int size = bytes < 1 << 29 ? (int)bytes : 1 << 29;
  int result = set(fd, SOL_SOCKET, forced, size);
  return result < 0 && errno == EPERM ? set(fd, SOL_SOCKET, name, size) : result;
}

/* SO_RCVLOWAT makes room as if by itself, also for what the other side has been told that it may send, unless
 * the program has set the size. All are set as they were when the connection goes on. */
static int make_room(struct repaired *r) {
  uint64_t receive = waiting(r) + r->tcp->receive_window;
  r->room = get(r->fd, SOL_SOCKET, SO_SNDBUF);
  r->locks = get(r->fd, SOL_SOCKET, REPAIR_BUFFER_LOCK);
  if (set(r->fd, SOL_SOCKET, SO_RCVLOWAT, receive < 1 << 29 ? (int)receive : 1 << 29) < 0 ||
      (r->locks & RECEIVE_LOCK && set_room(r->fd, SO_RCVBUFFORCE, SO_RCVBUF, receive) < 0) ||
      (r->tcp->data_size && set_room(r->fd, SO_SNDBUFFORCE, SO_SNDBUF, r->tcp->data_size + BUFFER_LEAST) < 0))
    return repair_fail(r, "there is no room for what was in it");
  return 0;
}

static int fill_queue(const struct repaired *r, int queue, uint64_t at, size_t size) {
  if (size && set_queue(r->fd, queue, NULL) < 0)
    return repair_fail(r, "what was in it cannot be put back");
  return repair_put(r, at, size);
}

static int fill(struct repaired *r) {
  const struct ckpt_tcp *tcp = r->tcp;
  const struct tcp_repair_window window = {.snd_wl1 = tcp->window_seq,
                                           .snd_wnd = tcp->send_window,
                                           .max_window = tcp->send_window_most,
                                           .rcv_wnd = tcp->receive_window,
                                           .rcv_wup = tcp->receive_window_seq};
  if (make_room(r) < 0 ||
      fill_queue(r, TCP_RECV_QUEUE, r->description->data + sizeof(struct ckpt_packet), waiting(r)) < 0 ||
      fill_queue(r, TCP_SEND_QUEUE, tcp->data, tcp->data_size - tcp->unsent) < 0)
    return -1;
  if (set_queue(r->fd, TCP_NO_QUEUE, NULL) < 0 ||
      setsockopt(r->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof window) < 0)
    return repair_fail(r, "its windows cannot be set");
  return 0;
}

static int make(struct repaired *r) {
  r->fd = socket(r->socket->domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (r->fd < 0 || set(r->fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON) < 0)
    return repair_fail(r, "it cannot be repaired");
  socket_set_options(r->child, r->description, r->fd);
  if (set_numbers(r) < 0 || lead(r) < 0 || agree(r) < 0)
    return -1;
  return fill(r);
}

/* ---- All of them ----------------------------------------------------------------------------------------
 */

int repair_find(const struct job *job, uint64_t inode) {
  for (uint32_t i = 0; i < job->repaired_count; i++)
    if (job->repaired[i].socket->inode == inode)
      return job->repaired[i].fd;
  return -1;
}

int repair_lift(const struct job *job, int *keep, size_t *count) {
  for (uint32_t i = 0; i < job->repaired_count; i++) {
    struct repaired *r = &job->repaired[i];
    r->fd = descriptor_lift(&job->children[0], r->fd, "a TCP connection");
    if (r->fd < 0)
      return -1;
    keep[(*count)++] = r->fd;
  }
  return 0;
}

int repair_make_all(struct job *job, const struct options *options) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < job->count && options->tcp == TCP_MODE_REPAIR; i++)
    count += job->images[i].tcp_count;
  if (count == 0)
    return 0;
  job->repaired = calloc(count, sizeof *job->repaired);
  if (!job->repaired)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].tcp_count; j++) {
      const struct image *image = &job->images[i];
      const struct ckpt_tcp *tcp = &image->tcp[j];
      uint32_t index = socket_find(image, tcp->inode);
      if (index == image->descriptions_count) /* --fd leads elsewhere what led there */
        continue;
      struct repaired *r = &job->repaired[job->repaired_count++];
      *r = (struct repaired){.child = &job->children[i],
                             .tcp = tcp,
                             .description = &image->descriptions[index],
                             .socket = repair_socket(image, tcp),
                             .fd = -1};
      make(r);
    }
  if (say_has_problem())
    return -1;
  return job->repaired_count ? repair_start_keeper(job) : 0;
}
