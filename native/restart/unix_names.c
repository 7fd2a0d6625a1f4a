#include "unix_names.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "say.h"

enum { NO_NAME = offsetof(struct sockaddr_un, sun_path) };

struct name {
  struct sockaddr_un address;
  char end; /* a path may fill all of sun_path */
  uint32_t size;
};

static struct name name_of(const uint8_t *address, uint32_t size) {
  struct name name = {.size = size};
  memcpy(&name.address, address, size);
  name.address.sun_family = AF_UNIX;
  return name;
}

bool unix_has_path(const struct ckpt_socket *socket) {
  return socket->domain == AF_UNIX && socket->flags & CKPT_SOCKET_BOUND && socket->address[NO_NAME] != 0;
}

/* That under which others find it. */
static struct name name_now(const struct ckpt_socket *socket) {
  struct name name = name_of(socket->address, socket->address_size);
  if (!socket->file[0])
    return name;
  memset(name.address.sun_path, 0, sizeof name.address.sun_path);
  size_t length = strnlen((const char *)socket->file, sizeof name.address.sun_path);
  memcpy(name.address.sun_path, socket->file, length);
  name.size = (uint32_t)(NO_NAME + length + 1);
  return name;
}

bool unix_same_name(const struct ckpt_socket *a, const struct ckpt_socket *b) {
  return a->address_size == b->address_size &&
         memcmp(a->address + NO_NAME, b->address + NO_NAME, a->address_size - NO_NAME) == 0;
}

const char *unix_words(const uint8_t *address, uint32_t size, char *words) {
  uint32_t length = size > NO_NAME ? size - NO_NAME : 0;
  for (uint32_t i = 0; i < length; i++) {
    uint8_t byte = address[NO_NAME + i];
    words[i] = byte >= ' ' && byte < 127 ? (char)byte : '@';
  }
  words[length] = 0;
  if (length && address[NO_NAME] != 0) /* a path ends with a zero byte */
    words[strnlen((const char *)address + NO_NAME, length)] = 0;
  return words;
}

/* Does somebody have this name? A socket of another type may not connect to it, and learns that it is there
 * without being noticed. */
static bool is_alive(const struct ckpt_socket *socket_was, const struct name *name) {
  int type = socket_was->type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM;
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int result = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&name->address, name->size);
  bool alive = fd < 0 || result == 0 || errno != ECONNREFUSED;
  if (fd >= 0)
    close(fd);
  return alive;
}

/* A file that a socket has left behind. */
static bool is_left_behind(const struct ckpt_socket *socket, const struct name *name) {
  struct stat st;
  return unix_has_path(socket) && lstat(name->address.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
         !is_alive(socket, name);
}

int unix_bind(const struct ckpt_socket *socket, int fd) {
  struct name name = name_of(socket->address, socket->address_size);
  const struct sockaddr *address = (const struct sockaddr *)&name.address;
  mode_t mask = umask(077);
  int result = bind(fd, address, socket->address_size);
  if (result < 0 && errno == EADDRINUSE && is_left_behind(socket, &name)) {
    unlink(name.address.sun_path);
    result = bind(fd, address, socket->address_size);
  }
  int error = errno;
  umask(mask);
  errno = error;
  return result;
}

/* The file goes where it had been renamed to. */
static void rename_again(const struct ckpt_socket *socket, const char *path) {
  struct name now = name_now(socket);
  struct stat st;
  bool free = lstat(now.address.sun_path, &st) < 0 ? errno == ENOENT : is_left_behind(socket, &now);
  if (!free)
    say_warning("the socket %s cannot be named %s again: something else has that name", path,
                now.address.sun_path);
  else if (rename(path, now.address.sun_path) < 0)
    say_warning("the socket %s cannot be named %s again: %s", path, now.address.sun_path, strerror(errno));
}

void unix_settle_name(const struct ckpt_socket *socket) {
  struct name name = name_of(socket->address, socket->address_size);
  const char *path = name.address.sun_path;
  struct stat st;
  if (!unix_has_path(socket))
    return;
  if (!(socket->flags & CKPT_SOCKET_FILE)) {
    unlink(path);
    return;
  }
  if (lstat(path, &st) < 0 ||
      ((st.st_uid != socket->uid || st.st_gid != socket->gid) && lchown(path, socket->uid, socket->gid) < 0))
    say_warning("the socket %s cannot be given to user %u and group %u again: %s", path, socket->uid,
                socket->gid, strerror(errno));
  if (chmod(path, socket->mode & 0777) < 0)
    say_warning("the socket %s cannot be given its mode %o again: %s", path, socket->mode, strerror(errno));
  if (socket->file[0])
    rename_again(socket, path);
}

int unix_connect(int fd, const uint8_t *address, uint32_t size) {
  struct name name = name_of(address, size);
  return connect(fd, (const struct sockaddr *)&name.address, size);
}

static bool abstract_is_taken(const struct ckpt_socket *socket_was, const struct name *name) {
  int fd = socket(AF_UNIX, socket_was->type | SOCK_CLOEXEC, 0);
  bool taken = fd >= 0 && bind(fd, (const struct sockaddr *)&name->address, socket_was->address_size) < 0 &&
               errno == EADDRINUSE;
  if (fd >= 0)
    close(fd);
  return taken;
}

static bool is_taken(const struct ckpt_socket *socket) {
  struct name name = name_now(socket);
  struct stat st;
  if (!unix_has_path(socket))
    return abstract_is_taken(socket, &name);
  return lstat(name.address.sun_path, &st) == 0 && !is_left_behind(socket, &name);
}

/* Those that others find by their names: another program may have these now. What is not found any more, and
 * the ends of connections, can do without. A path that is not absolute counts from the program's working
 * directory, where it is looked at later. */
void check_unix_names(const struct image *image) {
  char words[UNIX_WORDS];
  for (uint32_t i = 0; i < image->sockets_count; i++) {
    const struct ckpt_socket *socket = &image->sockets[i];
    bool accepted = socket->type != SOCK_DGRAM && socket->flags & CKPT_SOCKET_CONNECTED;
    bool lost =
        unix_has_path(socket) && (!(socket->flags & CKPT_SOCKET_FILE) || socket->address[NO_NAME] != '/');
    if (socket->domain == AF_UNIX && socket->flags & CKPT_SOCKET_BOUND && !accepted && !lost &&
        is_taken(socket))
      say_problem("the program's socket %s cannot be made again: something else has that name",
                  unix_words(socket->address, socket->address_size, words));
  }
}
