/* Letting repaired TCP connections go on, once the program is known to run. That takes a right which restart
 * may give up for a user namespace: a process of its own waits with it. */
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/tcp_silence.h"
#include "inet.h"
#include "say.h"
#include "tcp_repair.h"

/* The process that waits: its id, and our end of a connection to it. */
static struct {
  pid_t pid;
  int socket;
} keeper = {0, -1};

static int set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

static int set_as_it_was(const struct repaired *r) {
  if (r->tcp->data_size &&
      (set(r->fd, SOL_SOCKET, SO_SNDBUF, r->room / 2) < 0 ||
       (set(r->fd, SOL_SOCKET, REPAIR_BUFFER_LOCK, r->locks) < 0 && errno != ENOPROTOOPT)))
    return repair_fail(r, "its buffers cannot be set as they were");
  socket_set_options(r->child, r->description, r->fd);
  return 0;
}

/* What had not been sent is sent now, and an end that the program has said is said again: the other side
 * knows it by its number. One that the other side has said was acknowledged, and is not said again. All that
 * before an answer can come, such as that the other side is gone, which the program is to find. Then the end
 * of repair mode asks for one. */
static int let_go(const struct repaired *r) {
  const struct ckpt_tcp *tcp = r->tcp;
  if (tcp_silence(r->socket->address, r->socket->peer_address, false) < 0 ||
      set(r->fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP) < 0)
    return repair_fail(r, "it cannot be let go on");
  if (repair_put(r, tcp->data + tcp->data_size - tcp->unsent, tcp->unsent) < 0)
    return -1;
  if ((r->socket->shutdown & 1 && shutdown(r->fd, SHUT_RD) < 0) ||
      (r->socket->shutdown & 2 && shutdown(r->fd, SHUT_WR) < 0))
    return repair_fail(r, "a way that was shut cannot be shut");
  if (r->socket->filter_length ? socket_attach_filter(r->child, r->description, r->fd) < 0
                               : tcp_undeafen(r->fd) < 0)
    return repair_fail(r, "it cannot be made to hear");
  if (set(r->fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF) < 0)
    return repair_fail(r, "it cannot be let go on");
  return set_as_it_was(r);
}

/* Words are problems. When restart has ended without a word, so do the connections. */
__attribute__((noreturn)) static void keep(const struct job *job, int socket) {
  char byte;
  ssize_t n;
  do
    n = recv(socket, &byte, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n != 1)
    _exit(1);
  for (uint32_t i = 0; i < job->repaired_count && !say_has_problem(); i++)
    let_go(&job->repaired[i]);
  _exit(send(socket, say_problems(), strlen(say_problems()) + 1, MSG_NOSIGNAL) < 0);
}

int repair_start_keeper(const struct job *job) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return say_problem("cannot make a socket: %s", strerror(errno));
  keeper.pid = fork();
  if (keeper.pid < 0)
    return say_problem("cannot start a process for TCP connections: %s", strerror(errno));
  if (keeper.pid == 0) {
    close(ends[1]);
    keep(job, ends[0]);
  }
  close(ends[0]);
  keeper.socket = ends[1];
  return 0;
}

/* Of those that do not come back: from now on their other sides hear that. */
static void end_silence(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].tcp_count; j++) {
      const struct ckpt_socket *socket = repair_socket(&job->images[i], &job->images[i].tcp[j]);
      if (repair_find(job, socket->inode) < 0)
        (void)tcp_silence(socket->address, socket->peer_address, false);
    }
}

static int tell_keeper(const struct job *job) {
  char words[4096];
  ssize_t n = send(keeper.socket, "", 1, MSG_NOSIGNAL);
  if (n == 1)
    do
      n = recv(keeper.socket, words, sizeof words - 1, 0);
    while (n < 0 && errno == EINTR);
  while (waitpid(keeper.pid, NULL, 0) < 0 && errno == EINTR)
    ;
  close(keeper.socket);
  for (uint32_t i = 0; i < job->repaired_count; i++)
    close(job->repaired[i].fd);
  if (n <= 0)
    return say_problem("the process that kept the TCP connections has ended early");
  words[n] = 0;
  return words[0] ? say_problem("%s", words) : 0;
}

int repair_let_go(const struct job *job) {
  if (job->repaired_count && tell_keeper(job) < 0)
    return -1;
  end_silence(job);
  return 0;
}
