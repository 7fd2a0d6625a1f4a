/* Descriptors of libckpt's in a process that was born while it had them: another thread of its parent has
 * called fork before it stood still. Nobody would ever close them there, and no image is to have them. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "checkpoint.h"
#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "state.h"

/* The other end is that of whoever asks for a checkpoint. */
static bool is_control_socket(int fd) {
  struct sockaddr_un peer = {.sun_family = AF_UNSPEC};
  socklen_t size = sizeof peer;
  return sys(SYS_(getpeername), fd, &peer, &size) == 0 && peer.sun_family == AF_UNIX &&
         size > offsetof(struct sockaddr_un, sun_path) + sizeof "ckpt-" && !peer.sun_path[0] &&
         text_starts(peer.sun_path + 1, "ckpt-");
}

/* What is only read is opened to be appended to by nobody else (CKPT_READ_ONLY). */
static bool is_file_of_proc(int fd) {
  char path[64], target[64];
  struct text text = text_in(path, sizeof path);
  long flags = sys(SYS_(fcntl), fd, F_GETFL);
  if (flags < 0 || (flags & (O_ACCMODE | O_APPEND)) != (CKPT_READ_ONLY & (O_ACCMODE | O_APPEND)))
    return false;
  text_format(&text, "/proc/thread-self/fd/%d", (int64_t)fd);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, target, sizeof target - 1);
  target[n > 0 ? n : 0] = 0;
  return text_starts(target, "/proc/");
}

static bool is_stray(int fd) {
  return sys(SYS_(fcntl), fd, F_GETFD) == FD_CLOEXEC && (is_control_socket(fd) || is_file_of_proc(fd));
}

/* All threads stand still: but for the listing itself, whatever is open is the program's, or astray. */
long close_strays(struct checkpoint *c) {
  struct dir dir;
  uint64_t fd;
  if (!ckpt_state.born_in_freeze)
    return 0;
  long result = dir_open(&dir, AT_FDCWD, "/proc/thread-self/fd");
  if (result < 0)
    return result;
  for (const char *name; (name = dir_next(&dir));)
    if (text_is_decimal(name, &fd) && (int)fd != dir.fd && (int)fd != c->requester && is_stray((int)fd))
      sys(SYS_(close), fd);
  dir_close(&dir);
  ckpt_state.born_in_freeze = false;
  return dir.error;
}
