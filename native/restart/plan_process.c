/* The plan's process: layout, credentials, locks, and what is passed on as it stands in the image. */
#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/sys.h"
#include "descriptors.h"
#include "format/control.h"
#include "job.h"
#include "namespace.h"
#include "plan_parts.h"
#include "say.h"

static int reopen_exe(struct child *child) {
  const struct ckpt_process *p = &child->image->process;
  const char *path = image_string(child->image, p->exe);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  return fd < 0 ? -1 : descriptor_lift(child, fd, path);
}

/* What src/ready.ts looks for. In a vector that fills the kernel's table the kernel takes it away again. */
static uint64_t *copy_auxv(const struct image *image, struct room *room) {
  uint64_t *auxv = room_take_copy(room, image->auxv, image->auxv_size);
  for (uint64_t i = 0; i + 1 < image->auxv_size / sizeof *auxv; i += 2) {
    if (auxv[i] == AT_NULL) {
      auxv[i + 1] = CKPT_AUXV_MARK;
      break;
    }
  }
  return auxv;
}

void plan_add_mm(struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  const struct ckpt_process *p = &image->process;
  plan->mm = (struct prctl_mm_map){
      .start_code = p->start_code,
      .end_code = p->end_code,
      .start_data = p->start_data,
      .end_data = p->end_data,
      .start_brk = p->start_brk,
      .brk = p->brk,
      .start_stack = p->start_stack,
      .arg_start = p->arg_start,
      .arg_end = p->arg_end,
      .env_start = p->env_start,
      .env_end = p->env_end,
      .auxv = (void *)copy_auxv(image, room),
      .auxv_size = image->auxv_size,
      .exe_fd = (uint32_t)reopen_exe(child),
  };
}

static bool same_groups(const struct image *image) {
  gid_t groups[1024];
  int count = getgroups(sizeof groups / sizeof *groups, groups);
  return count >= 0 && (uint32_t)count == image->groups_count &&
         memcmp(groups, image->groups, image->groups_count * sizeof *groups) == 0;
}

static bool same_ids(const uint32_t ids[4], uint32_t real, uint32_t effective, uint32_t saved) {
  return ids[0] == real && ids[1] == effective && ids[2] == saved && ids[3] == effective;
}

void plan_add_credentials(const struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  struct plan_credentials *want = &plan->credentials;
  uid_t uid[3];
  gid_t gid[3];
  if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
    return; /* it has no way to fail */
  want->drop_all = child->birth.own_user;
  want->set_uids = !same_ids(image->process.uid, uid[0], uid[1], uid[2]);
  want->set_gids = !same_ids(image->process.gid, gid[0], gid[1], gid[2]);
  want->set_groups = !same_groups(image);
  if (want->set_groups && (want->drop_all || !has_capability(CAP_SETGID))) {
    say_warning("cannot give the program its supplementary groups back: it has yours");
    want->set_groups = 0;
  }
  want->groups = room_take_copy(room, image->groups, image->groups_count * sizeof *want->groups);
  want->group_count = image->groups_count;
}

void plan_add_locks(const struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->locks = room_take(room, image->locks_count * sizeof *plan->locks);
  for (uint32_t i = 0; i < image->locks_count; i++) {
    const struct ckpt_lock *lock = &image->locks[i];
    int fd = image_number_of(image, lock->description);
    if (fd >= 0)
      plan->locks[plan->lock_count++] = (struct plan_lock){
          .fd = fd,
          .kind = lock->kind,
          .exclusive = lock->exclusive,
          .index = i,
          .start = lock->start,
          .length = lock->length,
      };
  }
}

static bool waits_for(const struct image *image, pid_t pid) {
  for (uint32_t i = 0; i < image->stops_count; i++)
    if (image->stops[i].pid == pid && !image->stops[i].continued)
      return true;
  return false;
}

static bool tells_of_stops(const struct image *image) {
  for (uint32_t i = 0; i < image->sigactions_count; i++)
    if (image->sigactions[i].signal == SIGCHLD)
      return !(image->sigactions[i].flags & SA_NOCLDSTOP);
  return true;
}

/* Children stop themselves, of which the program either knows or has yet to hear; SIGCHLD has been sent. */
static void add_stopped(const struct child *child, struct room *room, struct plan *plan) {
  const struct job *job = child->job;
  plan->stopped = room_take(room, job->count * sizeof *plan->stopped);
  for (uint32_t i = 1; i < job->count; i++) {
    const struct child *other = &job->children[i];
    const struct ckpt_process *p = &other->image->process;
    pid_t pid = child_id(other);
    if (!p->stop_signal || job_parent(other) != child)
      continue;
    plan->supervises = 1;
    if (pid <= 0)
      continue;
    plan->stopped[plan->stopped_count++] =
        (struct ckpt_stopped){.pid = pid, .told = !waits_for(child->image, p->pid)};
  }
  plan->is_root = child == &child->job->children[0];
  plan->quiet = plan->stopped_count && tells_of_stops(child->image);
}

void plan_add_owners(const struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->owners = room_take(room, image->descriptions_count * sizeof *plan->owners);
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    int fd = d->owner_type && d->owner != image->process.pid ? image_number_of(image, i) : -1;
    if (fd >= 0)
      plan->owners[plan->owner_count++] = (struct plan_owner){.fd = fd, .tid = d->owner};
  }
}

void plan_add_notifications(const struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->notifications = room_take(room, image->descriptions_count * sizeof *plan->notifications);
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    bool notifies = d->kind == CKPT_DESC_QUEUE && d->b & CKPT_QUEUE_NOTIFIES;
    int fd = notifies ? image_number_of(image, i) : -1;
    if (fd < 0)
      continue;
    struct plan_notification *notification = &plan->notifications[plan->notification_count++];
    notification->fd = fd;
    memcpy(&notification->what, image->blob + d->data, sizeof notification->what);
  }
}

void plan_add_positions(const struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->positions = room_take(room, image->descriptions_count * sizeof *plan->positions);
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    bool live = d->kind == CKPT_DESC_FILE && image->files[d->file - 1].flags & CKPT_FILE_LIVE;
    int fd = live && d->pos && !(d->flags & O_PATH) ? image_number_of(image, i) : -1;
    if (fd >= 0)
      plan->positions[plan->position_count++] = (struct plan_position){.fd = fd, .position = d->pos};
  }
}

void plan_add_arrays(const struct child *child, struct room *room, struct plan *plan) {
  const struct image *image = child->image;
  plan->sigactions =
      room_take_copy(room, image->sigactions, image->sigactions_count * sizeof *plan->sigactions);
  plan->sigaction_count = image->sigactions_count;
  plan->rlimits = room_take_copy(room, image->rlimits, image->rlimits_count * sizeof *plan->rlimits);
  plan->rlimit_count = image->rlimits_count;
  plan->threads = room_take_copy(room, image->threads, image->threads_count * sizeof *plan->threads);
  plan->thread_count = image->threads_count;
  plan->thread_ids = room_take(room, image->threads_count * sizeof *plan->thread_ids);
  plan->thread_stacks = room_take(room, (image->threads_count - 1) * (uint64_t)PLAN_THREAD_STACK);
  plan->itimers = room_take_copy(room, image->itimers, image->itimers_count * sizeof *plan->itimers);
  plan->itimer_count = image->itimers_count;
  plan->timers = room_take_copy(room, image->timers, image->timers_count * sizeof *plan->timers);
  plan->timer_count = image->timers_count;
  plan->signals = room_take_copy(room, image->signals, image->signals_count * sizeof *plan->signals);
  plan->signal_count = image->signals_count;
  add_stopped(child, room, plan);
  if (child->place->job[0]) {
    plan->job_dir_size = (uint32_t)strlen(child->place->job) + 1;
    plan->job_dir = room_take_copy(room, child->place->job, plan->job_dir_size);
  }
}
