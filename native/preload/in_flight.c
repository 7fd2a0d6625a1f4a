/* Descriptors in flight: what has been peeked out of unix sockets. The processes of a job look for them once
 * all stand still, so that they are compared like those that the processes have. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "job.h"
#include "open_files.h"
#include "sockets.h"

bool is_in_flight(const struct checkpoint *c, int fd) {
  const struct ckpt_descriptor *all = c->in_flight.entries;
  for (size_t i = 0; i < c->in_flight.count; i++)
    if (all[i].fd == fd)
      return true;
  return false;
}

bool is_only_in_flight(const struct checkpoint *c, int fd) {
  const struct open_file *files = c->open_files.entries;
  uint32_t id = shared_id(c, fd);
  for (size_t i = 0; id && i < c->open_files.count; i++)
    if (files[i].id == id && !files[i].in_flight)
      return false;
  return is_in_flight(c, fd);
}

static bool is_looked_into(const struct checkpoint *c, uint64_t ino) {
  const uint64_t *all = c->looked_into.entries;
  for (size_t i = 0; i < c->looked_into.count; i++)
    if (all[i] == ino)
      return true;
  return false;
}

/* Is it this process that is to look, and is there anything? */
static bool is_to_be_looked_into(const struct checkpoint *c, const struct open_file *file) {
  struct pollfd poller = {.fd = file->fd, .events = POLLIN};
  return file->unix_end && file->process == c->order->process && carries_shared(c, file->id) &&
         !is_looked_into(c, file->ino) && sys(SYS_(poll), &poller, 1, 0) == 1 && poller.revents & POLLIN;
}

static long look_into(struct looking *l) {
  uint64_t *entry = list_add(&l->c->arena, &l->c->looked_into, sizeof *entry);
  long result = entry ? look(l) : -ENOMEM;
  if (result < 0)
    return result;
  *entry = l->st.st_ino;
  struct ckpt_socket socket = {.domain = AF_UNIX, .type = get_number(l, SO_TYPE), .inode = *entry};
  if (socket_leads_outside(l, &socket))
    return 0;
  result = ask_unix(l, &socket);
  return result < 0 ? result : peek_packets(l, &socket, 0, NULL);
}

/* Before there is a duplicate whose end would end them. */
static long keep_all_locks(struct looking *l) {
  const struct open_file *files = l->c->open_files.entries;
  long result = 0;
  for (size_t i = 0; i < l->c->open_files.count && result == 0; i++) {
    if (files[i].process != l->c->order->process || files[i].fd < 0)
      continue;
    l->fd = files[i].fd;
    result = look(l);
    if (result == 0)
      result = keep_locks(l);
  }
  return result;
}

static long begin(struct checkpoint *c, struct looking **begun) {
  struct looking *l = *begun = arena_take(&c->arena, sizeof *l);
  if (!l)
    return -ENOMEM;
  l->c = c;
  l->peeked = arena_take(&c->arena, PEEK_MOST);
  return !l->peeked ? -ENOMEM : c->in_flight.count == 0 ? keep_all_locks(l) : 0;
}

long find_in_flight(struct checkpoint *c) {
  const struct open_file *files = c->open_files.entries;
  struct looking *l = NULL;
  long result = 0;
  for (size_t i = 0; i < c->open_files.count && result == 0; i++) {
    if (!is_to_be_looked_into(c, &files[i]))
      continue;
    if (!l)
      result = begin(c, &l);
    if (result == 0) {
      l->fd = files[i].fd;
      result = look_into(l);
    }
  }
  return result;
}

long describe_in_flight(struct looking *l, struct list *inodes) {
  struct ckpt_descriptor *all = l->c->in_flight.entries;
  long result = 0;
  for (size_t i = 0; i < l->c->in_flight.count && result >= 0; i++) {
    l->fd = all[i].fd;
    result = find_description(l, inodes);
    all[i].description = (uint32_t)result;
  }
  return result < 0 ? result : 0;
}

void close_in_flight(struct checkpoint *c) {
  const struct ckpt_descriptor *all = c->in_flight.entries;
  for (size_t i = 0; i < c->in_flight.count; i++)
    sys(SYS_(close), all[i].fd);
}
