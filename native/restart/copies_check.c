/* What copies of a program cannot have side by side: there is one of it on the machine. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "copies.h"
#include "core/text.h"
#include "format/control.h"
#include "inet.h"
#include "running.h"
#include "say.h"
#include "unix_names.h"

enum { NAMES_ROOM = 128 }; /* for what libckpt adds to the job directory's path */

static void check_sockets(const struct image *image) {
  for (uint32_t i = 0; i < image->sockets_count; i++) {
    const struct ckpt_socket *socket = &image->sockets[i];
    char unix_name[UNIX_WORDS], words[INET_WORDS];
    union address address = {0};
    bool accepted = socket->type != SOCK_DGRAM && socket->flags & CKPT_SOCKET_CONNECTED;
    if (!(socket->flags & CKPT_SOCKET_BOUND) && !(socket->flags & CKPT_SOCKET_LISTENS) &&
        !socket->address_size)
      continue;
    if (socket->domain == AF_UNIX && socket->flags & CKPT_SOCKET_BOUND && !accepted) {
      say_problem("--clone: copies cannot share the name of the program's socket %s",
                  unix_words(socket->address, socket->address_size, unix_name));
    } else if ((socket->domain == AF_INET || socket->domain == AF_INET6) &&
               !(accepted && socket->flags & CKPT_SOCKET_RESET)) {
      inet_address(&address, socket, socket->address);
      /* Both families have it in the same place. */
      if (address.four.sin_port)
        say_problem("--clone: copies cannot share the program's %s socket %s",
                    socket->type == SOCK_DGRAM ? "UDP" : "TCP", inet_words(&address, words));
    }
  }
}

static bool is_written(const struct image *image, uint32_t file) {
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    if (d->kind == CKPT_DESC_FILE && d->file == file + 1 && (d->flags & O_ACCMODE) != O_RDONLY &&
        !(d->flags & O_PATH))
      return true;
  }
  for (uint32_t i = 0; i < image->regions_count; i++)
    if (image->regions[i].kind == CKPT_REGION_FILE_SHARED && image->regions[i].file == file + 1 &&
        image->regions[i].prot & PROT_WRITE)
      return true;
  return false;
}

static void check_written_files(const struct image *image, const struct options *options) {
  const uint32_t own = CKPT_FILE_DELETED | CKPT_FILE_MEMORY | CKPT_FILE_LIVE;
  for (uint32_t i = 0; i < image->files_count; i++) {
    const struct ckpt_file *file = &image->files[i];
    const char *path = image_string(image, file->path);
    if (file->flags & CKPT_FILE_SEGMENT && !(file->flags & CKPT_FILE_DELETED))
      say_problem("--clone: copies cannot share the System V segment %d", (int)file->ino);
    else if (S_ISFIFO(file->mode) && file->flags & CKPT_FILE_OPEN)
      say_problem("--clone: copies cannot share the named pipe %s", path);
    else if (!S_ISREG(file->mode) || file->flags & own)
      continue;
    else if (file->flags & CKPT_FILE_SHM)
      say_problem("--clone: copies cannot share the memory in %s", path);
    else if (is_written(image, i) && options->files != FILES_KEEP)
      say_problem("--clone: each copy would write to %s where the program was: --files=keep lets them, "
                  "--fd=N=inherit leads their output to restart's own",
                  path);
    else if (is_written(image, i))
      say_warning("each copy writes to %s where the program was", path);
  }
}

void check_copies(const struct image *image, const struct options *options) {
  check_sockets(image);
  check_written_files(image, options);
  for (uint32_t i = 0; i < image->locks_count; i++)
    if (image->locks[i].exclusive)
      say_problem("--clone: copies cannot share the lock on %s",
                  image_string(image, image->descriptions[image->locks[i].description].name));
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const char *name = image_string(image, image->descriptions[i].name);
    if (image->descriptions[i].kind == CKPT_DESC_QUEUE && !(image->descriptions[i].b & CKPT_QUEUE_REMOVED))
      say_problem("--clone: copies cannot share the message queue %s", name);
    if (image->descriptions[i].kind == CKPT_DESC_TERMINAL && !options->no_tty && !options->pty)
      say_problem("--clone: copies cannot share the terminal %s: --no-tty lets them have none", name);
  }
  for (uint32_t i = 0; i < image->sets_count; i++)
    say_problem("--clone: copies cannot share the System V semaphores %d", image->sets[i].id);
  for (uint32_t i = 0; i < image->queues_count; i++)
    say_problem("--clone: copies cannot share the System V message queue %d", image->queues[i].id);
}

void copy_name(struct place *place, uint32_t number) {
  size_t length = strlen(place->job);
  if (length)
    snprintf(place->job + length, sizeof place->job - length, "-%u", number);
}

void check_copy_names(const struct place *place, uint32_t count) {
  static struct place copy;
  struct running now;
  for (uint32_t i = count ? 1 : 0; i <= count; i++) {
    copy = *place;
    if (i)
      copy_name(&copy, i);
    if (strlen(copy.job) >= CKPT_PATH_MAX - NAMES_ROOM) {
      say_problem("%s: its path is too long for further images", copy.job);
      return;
    }
    if (running_read(copy.job, &now) == 0)
      say_problem("process %d still runs as %s: stop it first, or --name gives the copies other names",
                  now.pid, text_base(copy.job));
  }
}
