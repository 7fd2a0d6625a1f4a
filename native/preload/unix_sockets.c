/* Unix sockets: their names, and who is at the other end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "open_files.h"
#include "sockets.h"
#include "unix_diag.h"

enum { NO_NAME = offsetof(struct sockaddr_un, sun_path), BYTES_UNREAD = 0x5411 /* SIOCOUTQ */ };

static bool is_its_file(const struct unix_facts *facts, const char *path, struct stat *st) {
  return sys(SYS_(newfstatat), AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW) == 0 &&
         (uint32_t)st->st_ino == facts->ino && (major(st->st_dev) << 20 | minor(st->st_dev)) == facts->dev;
}

/* Servers that take over from others while they run bind to a name of their own and rename the file. */
static bool find_beside(const struct unix_facts *facts, char *path, size_t size, struct stat *st) {
  struct dir dir;
  bool found = false;
  size_t base = (size_t)(text_base(path) - path);
  text_copy(path + base, size - base, ".");
  if (dir_open(&dir, AT_FDCWD, path) < 0)
    return false;
  for (const char *name; !found && (name = dir_next(&dir));) {
    if ((dir.type != DT_SOCK && dir.type != DT_UNKNOWN) || base + strlen(name) >= size)
      continue;
    text_copy(path + base, size - base, name);
    found = is_its_file(facts, path, st);
  }
  dir_close(&dir);
  return found;
}

/* Is there still a path that leads to it? One that is relative may have been so to another directory. */
static void find_file(const struct unix_facts *facts, struct ckpt_socket *socket) {
  char path[sizeof((struct sockaddr_un *)NULL)->sun_path + 1] = {0};
  struct stat st;
  for (uint32_t i = NO_NAME; i < socket->address_size; i++)
    path[i - NO_NAME] = (char)socket->address[i];
  if (path[0] == 0)
    return;
  if (!is_its_file(facts, path, &st)) {
    /* Who sends datagrams finds their receiver by the name alone. */
    if (socket->type == SOCK_DGRAM || !find_beside(facts, path, sizeof path - 1, &st))
      return;
    text_copy((char *)socket->file, sizeof socket->file, path);
  }
  socket->flags |= CKPT_SOCKET_FILE;
  socket->mode = st.st_mode & 07777;
  socket->uid = st.st_uid;
  socket->gid = st.st_gid;
}

static uint32_t take_name(const struct looking *l, long call, uint8_t *address, socklen_t size) {
  return sys(call, l->fd, address, &size) < 0 || size <= NO_NAME ? 0 : size;
}

static void take_facts(struct looking *l, struct ckpt_socket *socket, const struct unix_facts *facts) {
  struct pollfd poller = {.fd = l->fd};
  socket->address_size = take_name(l, SYS_(getsockname), socket->address, sizeof socket->address);
  socket->peer_address_size =
      take_name(l, SYS_(getpeername), socket->peer_address, sizeof socket->peer_address);
  socket->peer = facts->peer;
  socket->shutdown = facts->shutdown;
  socket->backlog = facts->backlog;
  socket->waiting = facts->waiting;
  if (socket->address_size) {
    socket->flags |= CKPT_SOCKET_BOUND;
    find_file(facts, socket);
  }
  if (facts->listens)
    socket->flags |= CKPT_SOCKET_LISTENS;
  if (facts->connected)
    socket->flags |= CKPT_SOCKET_CONNECTED;
  if (facts->connected && facts->peer == 0 && sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & POLLERR)
    socket->flags |= CKPT_SOCKET_RESET;
}

bool job_has_other_end(const struct looking *l, const struct ckpt_socket *socket) {
  struct unix_facts facts;
  return unix_diag(socket->inode, &facts) == 0 && facts.peer && another_has(l->c, l->fd, facts.peer);
}

long ask_unix(struct looking *l, struct ckpt_socket *socket) {
  struct unix_facts facts;
  long result = unix_diag(socket->inode, &facts);
  if (result < 0)
    return fail(l->c, result, "descriptor %d: the kernel does not tell the other end of %s: %s",
                (int64_t)l->fd, l->name, text_errno(result));
  take_facts(l, socket, &facts);
  return 0;
}

long describe_unix(struct looking *l, struct ckpt_socket *socket, struct ckpt_description *d) {
  long result = ask_unix(l, socket);
  return result < 0 ? result : add_socket(l, socket, d);
}

/* ---- The other end ------------------------------------------------------------------------------------ */

/* Does it wait to be accepted by the socket with this inode? */
static bool waits_at(struct ckpt_socket *socket, uint64_t inode) {
  struct unix_facts facts;
  if (unix_diag(inode, &facts) < 0)
    return false;
  for (uint32_t turn = 0; turn < facts.clients_count; turn++) {
    if (facts.clients[turn] != socket->inode)
      continue;
    socket->flags |= CKPT_SOCKET_WAITS;
    socket->peer = inode;
    socket->turn = turn + 1;
    return true;
  }
  return false;
}

/* Whoever waits to be accepted has an other end that nobody has yet; what listens may be another process's.
 */
static bool find_turn(const struct checkpoint *c, struct ckpt_socket *socket) {
  const struct ckpt_socket *sockets = c->sockets.entries;
  const struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < c->sockets.count; i++)
    if (sockets[i].domain == AF_UNIX && sockets[i].waiting && waits_at(socket, sockets[i].inode))
      return true;
  for (size_t i = 0; i < c->open_files.count; i++)
    if (files[i].unix_listener && files[i].process != c->order->process && waits_at(socket, files[i].ino))
      return true;
  return false;
}

static long find_stream_peer(struct looking *l, struct ckpt_socket *socket) {
  int unread = 0;
  if (socket->peer == 0 && socket->shutdown == 3)
    return 0; /* closed */
  if (socket->peer == 0 && find_turn(l->c, socket)) {
    sys(SYS_(ioctl), l->fd, BYTES_UNREAD, &unread);
    return unread ? wait_for_accept(l, "a unix socket") : 0;
  }
  socket->peer = 0;
  socket->flags |= CKPT_SOCKET_RESET;
  return 0;
}

static bool is_found(const struct ckpt_socket *socket) {
  return socket->flags & CKPT_SOCKET_FILE || (socket->address_size && socket->address[NO_NAME] == 0);
}

/* Datagram sockets are connected to a name, or to one another. */
static long find_datagram_peer(struct looking *l, struct ckpt_socket *socket, bool has_packets) {
  const struct ckpt_socket *other = socket->peer ? socket_by_inode(l->c, socket->peer) : NULL;
  bool connected = socket->flags & CKPT_SOCKET_CONNECTED;
  bool paired =
      other ? other != socket && other->peer == socket->inode : connected && socket->peer_address_size == 0;
  if (!other)
    socket->peer = 0;
  if (other && !paired && !is_found(other))
    return refuse(l, "a unix datagram socket connected to one that is not found under a name");
  if (has_packets && !paired && !is_found(socket))
    return refuse(l, "a unix datagram socket with data in it that is not found under a name");
  return 0;
}

/* A connection to another process is gone with either of them. */
long find_unix_peer(struct looking *l, struct ckpt_socket *socket, bool has_packets) {
  if (socket->peer && !socket_by_inode(l->c, socket->peer) && another_has(l->c, l->fd, socket->peer))
    return 0;
  if (socket->type == SOCK_DGRAM)
    return find_datagram_peer(l, socket, has_packets);
  if (!(socket->flags & CKPT_SOCKET_CONNECTED) || (socket->peer && socket_by_inode(l->c, socket->peer)))
    return 0;
  return find_stream_peer(l, socket);
}
