/* The leader of a job: the steps of its checkpoint. */
#include "job.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#include "core/held.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"
#include "open_files.h"
#include "tcp_ends.h"

bool job_has_descriptor(const struct checkpoint *c, int fd) {
  if (fd == c->job->listener)
    return true;
  for (size_t i = 0; i < member_count(c); i++)
    if (member_at(c, i)->socket == fd)
      return true;
  return false;
}

/* The workers of a server that root has started, say. */
bool job_has_others(const struct checkpoint *c) {
  uint32_t own = (uint32_t)sys(SYS_(geteuid));
  for (size_t i = 0; c->job && i < member_count(c); i++)
    if (member_at(c, i)->stage != STAGE_ENDED && member_at(c, i)->uid != own)
      return true;
  return false;
}

static bool has_children(void) {
  siginfo_t info;
  return sys(SYS_(waitid), P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT | __WALL,
             NULL) != -ECHILD;
}

static void fill_order(struct checkpoint *c) {
  *c->order = (struct order){
      .size = sizeof *c->order,
      .process_count = 1,
      .leader = c->process.pid,
  };
  for (size_t i = 0; i < member_count(c); i++)
    c->order->process_count += member_at(c, i)->stage != STAGE_ENDED;
  sys(SYS_(getrandom), c->order->id, sizeof c->order->id, 0);
}

static long tell_lists(struct checkpoint *c, enum order_kind kind) {
  long files = open_files_send(c);
  if (files < 0)
    return files;
  c->order->files = c->open_files.count;
  c->order->left_out = c->left_out.count;
  long result = job_tell_all(c, kind, (int)files);
  sys(SYS_(close), files);
  return result;
}

/* Who is connected to whom, what is on its way in connections and which descriptors are in flight is known
 * once all stand still. What is in flight may be sockets, which are looked at in the next round. */
static long find_connections(struct checkpoint *c) {
  long result = 0;
  for (bool more = open_files_have_ends(c, 0); more && result == 0;) {
    size_t known = c->open_files.count;
    result = tell_lists(c, ORDER_LIST);
    if (result == 0)
      result = open_files_list_more(c);
    if (result == 0)
      result = job_wait_for_all(c, STAGE_LISTED);
    more = open_files_have_ends(c, known);
    if (result == 0 && c->open_files.count > known)
      result = open_files_compare(c);
  }
  if (result == 0)
    match_tcp_ends(c);
  return result;
}

long job_gather(struct checkpoint *c) {
  bool has = has_children();
  if (!has && !job_may_have_orphans(c))
    return 0;
  struct job *job = arena_take(&c->arena, sizeof *job);
  c->order = arena_take(&c->arena, sizeof *c->order);
  c->scratch = arena_take(&c->arena, SCRATCH);
  if (!job || !c->order || !c->scratch)
    return -ENOMEM;
  c->job = job; /* from now on there is something to end */
  c->job->listener = c->job->offering.memory = c->job->offering.pagemap = -1;
  long result = has ? 0 : job_add_orphans(c);
  if (result == 0 && !has && member_count(c) == 0) {
    c->job = NULL;
    c->order = NULL;
    return 0;
  }
  if (result == 0)
    result = job_make_listener(c);
  if (result < 0)
    return fail(c, result, "a socket for its processes cannot be made: %s", text_errno(result));
  result = job_bring_all(c);
  if (result == 0)
    result = open_files_list(c);
  if (result == 0)
    result = open_files_compare(c);
  if (result < 0)
    return result;
  fill_order(c);
  result = find_connections(c);
  return result < 0 ? result : tell_lists(c, ORDER_DESCRIBE);
}

/* ---- The other steps ---------------------------------------------------------------------------------- */

long job_wait_described(struct checkpoint *c) {
  offers_make(c, &c->job->offering);
  return job_wait_for_all(c, STAGE_DESCRIBED);
}

long job_let_write(struct checkpoint *c) {
  c->order->number = c->image.number;
  text_copy(c->order->job_dir, sizeof c->order->job_dir, c->job_dir);
  text_copy(c->order->temp_name, sizeof c->order->temp_name, c->temp_name);
  long result = job_tell_all(c, ORDER_WRITE, c->temp_fd);
  offers_withdraw(c);
  return result;
}

long job_wait_written(struct checkpoint *c) {
  return job_wait_for_all(c, STAGE_DONE);
}

/* What we trace of it is gone only once we have waited for that; and where its parent has ended first, the
 * kernel sends a stopped process SIGCONT, for which it stands still once more. */
static void wait_for_end(const struct member *member, struct pollfd *end) {
  enum { LIMIT_MS = 5000 };
  int look = member->held_count ? LOOK_MS : LIMIT_MS;
  for (int waited = 0; waited < LIMIT_MS && sys(SYS_(poll), end, 1, look) == 0; waited += look) {
    hold_look(member);
    held_reap(member->held, member->held_count, member->pid);
  }
}

/* Whoever hears that the program has ended finds none of it any more, and may restart it. */
static void end_members(struct checkpoint *c) {
  struct pollfd *ends = arena_take(&c->arena, member_count(c) * sizeof *ends);
  for (size_t i = 0; ends && i < member_count(c); i++) {
    const struct member *member = member_at(c, i);
    long end = member->stage == STAGE_ENDED ? -ESRCH : sys(SYS_(pidfd_open), member->pid, 0);
    ends[i] = (struct pollfd){.fd = (int)end, .events = POLLIN};
  }
  (void)job_tell_all(c, ORDER_END, -1);
  for (size_t i = 0; ends && i < member_count(c); i++) {
    if (ends[i].fd < 0)
      continue;
    wait_for_end(member_at(c, i), &ends[i]);
    sys(SYS_(close), ends[i].fd);
  }
}

void job_end(struct checkpoint *c, enum order_kind kind) {
  if (!c->job)
    return;
  bool holds = hold_any(c) && kind != ORDER_END;
  struct quiet quiet;
  if (holds) {
    (void)quiet_begin(c, &quiet);
    hold_before_thaw(c);
  }
  if (kind == ORDER_END)
    end_members(c);
  else
    (void)job_tell_all(c, kind, -1);
  offers_withdraw(c);
  for (size_t i = 0; i < member_count(c); i++)
    if (member_at(c, i)->socket >= 0)
      sys(SYS_(close), member_at(c, i)->socket);
  if (holds) {
    hold_after_thaw(c);
    quiet_end(c, &quiet);
  }
  if (c->job->listener >= 0)
    sys(SYS_(close), c->job->listener);
  c->job = NULL;
}
