#include "moves.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/text.h"
#include "say.h"

static void cut_slashes(char *path) {
  for (size_t n = strlen(path); n > 0 && path[n - 1] == '/'; n--)
    path[n - 1] = 0;
}

/* The program's own directory is not ours: names must not depend on it. */
static char *absolute(const char *path) {
  char directory[PATH_MAX] = "", *made;
  if (path[0] != '/' && !getcwd(directory, sizeof directory))
    return NULL;
  if (asprintf(&made, "%s%s%s", directory, path[0] == '/' ? "" : "/", path) < 0)
    return NULL;
  cut_slashes(made);
  return made;
}

const char *moves_add(struct moves *moves, const char *word) {
  const char *equals = strchr(word, '=');
  if (!equals || equals == word || !equals[1])
    return "--map takes OLD=NEW, two paths";
  if (word[0] != '/')
    return "the old path must be absolute, as ckpt show prints it";
  if (moves->count == MOVES_MOST)
    return "there are too many --map";
  struct move *move = &moves->list[moves->count];
  move->from = strndup(word, (size_t)(equals - word));
  move->to = absolute(equals + 1);
  if (!move->from || !move->to)
    return strerror(errno);
  cut_slashes(move->from);
  moves->count++;
  return NULL;
}

/* The longest of those that are about this path, or null. A memfd's name only looks like one. */
static const struct move *find(const struct moves *moves, const char *path) {
  const struct move *found = NULL;
  if (path[0] != '/' || text_starts(path, "/memfd:"))
    return NULL;
  for (uint32_t i = 0; i < moves->count; i++) {
    const struct move *move = &moves->list[i];
    size_t n = strlen(move->from);
    bool about = strncmp(path, move->from, n) == 0 && (path[n] == '/' || !path[n]);
    if (about && (!found || n > strlen(found->from)))
      found = move;
  }
  return found;
}

/* 1 when it has moved, 0 when not, -1 with a problem said. */
static int apply(const struct moves *moves, struct image *image, ckpt_string *path) {
  char moved[PATH_MAX];
  const char *old = image_string(image, *path);
  const struct move *move = find(moves, old);
  if (!move)
    return 0;
  int n = snprintf(moved, sizeof moved, "%s%s", move->to, old + strlen(move->from));
  if (n >= (int)sizeof moved)
    return say_problem("--map makes a path too long: %s%s", move->to, old + strlen(move->from));
  return image_add_string(image, n ? moved : "/", path) < 0 ? say_problem("not enough memory") : 1;
}

/* The name of a unix socket, when it is a path. */
static int apply_to_name(const struct moves *moves, uint8_t *address, uint32_t *size) {
  struct sockaddr_un moved = {0};
  const uint32_t start = offsetof(struct sockaddr_un, sun_path);
  char old[sizeof moved.sun_path + 1] = "";
  if (*size <= start)
    return 0;
  memcpy(old, address + start, *size - start);
  const struct move *move = find(moves, old);
  if (!move)
    return 0;
  int n = snprintf(moved.sun_path, sizeof moved.sun_path, "%s%s", move->to, old + strlen(move->from));
  if (n >= (int)sizeof moved.sun_path)
    return say_problem("--map makes the path of a socket too long: %s%s", move->to, old + strlen(move->from));
  memcpy(address + start, moved.sun_path, (size_t)n + 1);
  *size = start + (uint32_t)n + 1;
  return 0;
}

int moves_apply(const struct moves *moves, struct image *image) {
  int result = apply(moves, image, &image->process.exe);
  if (result >= 0)
    result = apply(moves, image, &image->process.cwd);
  for (uint32_t i = 0; i < image->files_count && result >= 0; i++) {
    struct ckpt_file *file = &image->files[i];
    result = apply(moves, image, &file->path);
    file->flags &= ~FILE_MOVED;
    if (result > 0)
      file->flags |= FILE_MOVED;
  }
  for (uint32_t i = 0; i < image->sockets_count && result >= 0; i++) {
    struct ckpt_socket *socket = &image->sockets[i];
    if (socket->domain == AF_UNIX)
      result = apply_to_name(moves, socket->address, &socket->address_size);
    if (socket->domain == AF_UNIX && result >= 0)
      result = apply_to_name(moves, socket->peer_address, &socket->peer_address_size);
  }
  for (uint32_t i = 0; i < image->descriptions_count && result >= 0; i++)
    if (image->descriptions[i].kind != CKPT_DESC_QUEUE) /* whose name is no path */
      result = apply(moves, image, &image->descriptions[i].name);
  return result < 0 ? -1 : 0;
}

int moves_change_directory(const struct moves *moves, struct image *images, uint32_t count) {
  char before[PATH_MAX];
  snprintf(before, sizeof before, "%s", image_string(&images[0], images[0].process.cwd));
  for (uint32_t i = 0; i < count && moves->cwd; i++)
    if (strcmp(image_string(&images[i], images[i].process.cwd), before) == 0) {
      images[i].process.cwd_file = 0;
      if (image_add_string(&images[i], moves->cwd, &images[i].process.cwd) < 0)
        return say_problem("not enough memory");
    }
  return 0;
}
