#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "entries.h"
#include "say.h"

/* ---- Finding it --------------------------------------------------------------------------------------- */

static bool is_of_process(const struct making *making, uint32_t index) {
  const struct image *merged = &making->merged;
  const struct ckpt_description *d = &merged->descriptions[index];
  if (d->kind != CKPT_DESC_FILE)
    return d->kind == CKPT_DESC_PIDFD;
  const struct ckpt_file *file = &merged->files[d->file - 1];
  return entry_is_of_process(file, image_string(merged, file->path));
}

/* Whoever has it may call its own process "self", which is another one for the root. */
static int name_owner(struct making *making, uint32_t index, pid_t owner) {
  struct image *merged = &making->merged;
  struct ckpt_description *d = &merged->descriptions[index];
  char path[PATH_MAX];
  if (d->kind == CKPT_DESC_PIDFD) {
    d->b = d->a || d->b ? d->b : (uint64_t)owner;
    return 0;
  }
  ckpt_string *name = &merged->files[d->file - 1].path;
  return entry_name_owner(image_string(merged, *name), owner, path) < 0 ||
                 image_add_string(merged, path, name) < 0
             ? say_problem("%s: the name of its process cannot be put there", image_string(merged, *name))
             : 0;
}

bool common_has(const struct making *making, uint32_t index) {
  return making->common[index];
}

static uint32_t index_of(const struct child *child, uint32_t index) {
  return child->job->making->maps[child - child->job->children].descriptions[index];
}

bool common_has_own(const struct child *child, uint32_t index) {
  return common_has(child->job->making, index_of(child, index));
}

int common_find(const struct job *job) {
  struct making *making = job->making;
  uint32_t count = making->merged.descriptions_count;
  uint32_t *first = calloc(count + 1ul, sizeof *first);
  making->common = calloc(count + 1ul, sizeof *making->common);
  making->ways = calloc(count + 1ul, sizeof *making->ways);
  if (!first || !making->common || !making->ways)
    return say_problem("not enough memory");
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].descriptions_count; j++) {
      uint32_t index = making->maps[i].descriptions[j];
      bool in_flight = making->maps[i].in_flight[j], shared = first[index] != 0;
      if (!shared)
        first[index] = i + 1;
      if (!(in_flight || shared) || !is_of_process(making, index))
        continue;
      making->common[index] = true;
      making->in_flight |= in_flight;
    }
  int result = 0;
  for (uint32_t i = 0; i < count && result == 0; i++)
    if (making->common[i] && first[i] > 1)
      result = name_owner(making, i, job->images[first[i] - 1].process.pid);
  free(first);
  return result;
}

/* ---- Making it ---------------------------------------------------------------------------------------- */

static int open_pidfd(const struct child *maker, const struct ckpt_description *d) {
  if (d->b && maker->options->pids == PID_NEW)
    return say_problem("a pidfd of process %d, which several processes have or which is in flight: with "
                       "--pid=new it has another id",
                       (int)d->b);
  return pidfd_make(maker, d, d->b ? (pid_t)d->b : getpid());
}

static int open_one(struct child *maker, uint32_t index) {
  const struct ckpt_description *d = &maker->image->descriptions[index];
  int fd = d->kind == CKPT_DESC_PIDFD ? open_pidfd(maker, d) : descriptor_open_file(maker, d);
  return maker->descriptions[index] = fd < 0 || descriptor_set_up(maker, d, fd) < 0 ? -1 : fd;
}

static int lift_both(const struct child *maker, int ends[2]) {
  ends[0] = descriptor_lift(maker, ends[0], "a way to what several processes have");
  ends[1] = descriptor_lift(maker, ends[1], "a way to what several processes have");
  return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

static int make_way(struct making *making, uint32_t index) {
  int *way = making->ways[index];
  if (!making->gated && pipe2(making->gate, O_CLOEXEC) < 0)
    return say_problem("cannot make a pipe: %s", strerror(errno));
  if (!making->gated && lift_both(&making->maker, making->gate) < 0)
    return -1;
  making->gated = true;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, way) < 0)
    return say_problem("cannot make a pair of sockets: %s", strerror(errno));
  return lift_both(&making->maker, way) < 0 ? -1 : way[0];
}

int common_make(const struct job *job, uint32_t index) {
  struct making *making = job->making;
  if (job->count == 1)
    return open_one(&making->maker, index);
  return making->maker.descriptions[index] = make_way(making, index);
}

/* ---- Passing it on ------------------------------------------------------------------------------------ */

union control {
  struct cmsghdr head;
  char bytes[CMSG_SPACE(sizeof(int))];
};

static int pass(int way, int fd) {
  union control control = {
      .head = {.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  struct iovec piece = {.iov_base = "", .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
  ssize_t n;
  while ((n = sendmsg(way, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
    ;
  return n < 0 ? say_problem("cannot pass a descriptor on: %s", strerror(errno)) : 0;
}

/* When the root has failed, it has said why. */
static int receive(const struct child *child, int way) {
  union control control;
  char byte;
  struct iovec piece = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n;
  while ((n = recvmsg(way, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
    ;
  if (n == 0)
    _exit(1);
  if (n < 0 || message.msg_controllen < CMSG_LEN(sizeof(int)) || control.head.cmsg_type != SCM_RIGHTS)
    return say_problem("a descriptor that several processes have did not arrive: %s", strerror(errno));
  int fd;
  memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
  return descriptor_lift(child, fd, "what several processes have");
}

static int pass_all_on(const struct making *making, const struct child *child) {
  for (uint32_t i = 0; i < child->image->descriptions_count; i++) {
    uint32_t index = index_of(child, i);
    if (making->common[index] && pass(making->ways[index][1], making->maker.descriptions[index]) < 0)
      return -1;
  }
  return 0;
}

static int make_all(struct child *root) {
  const struct job *job = root->job;
  struct making *making = job->making;
  for (uint32_t i = 0; i < making->merged.descriptions_count; i++)
    if (making->common[i] && open_one(&making->maker, i) < 0)
      return -1;
  if (making->in_flight && sockets_finish(&making->maker) < 0)
    return -1;
  for (uint32_t i = 0; i < root->image->descriptions_count; i++)
    if (common_has_own(root, i))
      root->descriptions[i] = making->maker.descriptions[index_of(root, i)];
  for (uint32_t i = 1; i < job->count; i++)
    if (pass_all_on(making, &job->children[i]) < 0)
      return -1;
  close(making->gate[1]);
  return 0;
}

static int take_all(struct child *child) {
  const struct making *making = child->job->making;
  char byte;
  close(making->gate[1]);
  for (uint32_t i = 0; i < making->merged.descriptions_count; i++)
    if (making->common[i])
      close(making->ways[i][1]);
  for (uint32_t i = 0; i < child->image->descriptions_count; i++)
    if (common_has_own(child, i) &&
        (child->descriptions[i] = receive(child, making->ways[index_of(child, i)][0])) < 0)
      return -1;
  while (read(making->gate[0], &byte, 1) < 0)
    if (errno != EINTR)
      return say_problem("the processes of the program do not find together: %s", strerror(errno));
  return 0;
}

int common_share(struct child *child) {
  if (!child->job->making->gated)
    return 0;
  return child == &child->job->children[0] ? make_all(child) : take_all(child);
}
