/* The leader of a job: brings its members together, step by step. */
#include "job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "core/held.h"
#include "core/sys.h"
#include "core/text.h"
#include "tcp_ends.h"

enum { LOOK_MS = 1 }; /* until a member that is not there yet is looked at again */

static size_t count(const struct checkpoint *c) {
  return c->job->members.count;
}

static struct member *member_at(const struct checkpoint *c, size_t i) {
  return (struct member *)c->job->members.entries + i;
}

bool job_has_descriptor(const struct checkpoint *c, int fd) {
  if (fd == c->job->listener)
    return true;
  for (size_t i = 0; i < count(c); i++)
    if (member_at(c, i)->socket == fd)
      return true;
  return false;
}

/* The workers of a server that root has started, say. */
bool job_has_others(const struct checkpoint *c) {
  uint32_t own = (uint32_t)sys(SYS_(geteuid));
  for (size_t i = 0; c->job && i < count(c); i++)
    if (member_at(c, i)->stage != STAGE_ENDED && member_at(c, i)->uid != own)
      return true;
  return false;
}

/* ---- What members say --------------------------------------------------------------------------------- */

static long fail_for(struct checkpoint *c, const struct member *member, long error, const char *words) {
  char name[32];
  job_name(member->pid, name);
  return fail(c, error, "process %d (\"%s\"): %s", (int64_t)member->pid, name, words);
}

/* Without both there is nothing to look through. */
static void described(struct member *member, const struct ckpt_report *report, struct passed *passed) {
  member->stage = STAGE_DESCRIBED;
  if (passed->fds[1] < 0)
    return;
  member->offering = (struct offering){
      .memory = passed->fds[0], .pagemap = passed->fds[1], .list = report->number, .count = report->total};
  *passed = NOTHING_PASSED;
}

static long take_lists(struct checkpoint *c, const struct member *member, uint64_t count, int files) {
  uint32_t process = (uint32_t)(member - member_at(c, 0)) + 1;
  long result = files < 0 ? -EPROTO : open_files_receive(c, files, count, process);
  return result < 0 ? fail_for(c, member, result, "its open files did not arrive") : 0;
}

static long joined(struct checkpoint *c, struct member *member, uint64_t count, int files) {
  member->stage = STAGE_JOINED;
  long result = take_lists(c, member, count, files);
  return result < 0 ? result : job_add_children(c, member->pid, ADD_CHILDREN);
}

void job_ask_anew(struct member *member) {
  if (member->socket >= 0)
    sys(SYS_(close), member->socket);
  member->socket = -1;
  member->stage = STAGE_NEW;
}

static long hear_from(struct checkpoint *c, struct member *member) {
  struct ckpt_report *report = (struct ckpt_report *)c->scratch;
  struct passed passed;
  long n = message_receive(member->socket, report, sizeof *report, &passed), result = 0;
  if (n <= 0 && member->stage == STAGE_JOINING)
    job_ask_anew(member);
  else if (n < (long)sizeof *report || report->version != CKPT_CONTROL_VERSION)
    result = fail_for(c, member, -ECANCELED, "it ended while it was being saved");
  else if (report->kind == CKPT_REPORT_FAILED)
    result = fail_for(c, member, report->error < 0 ? report->error : -EPROTO, report->text);
  else if (report->kind == CKPT_REPORT_JOINED && member->stage == STAGE_JOINING)
    result = joined(c, member, report->number, passed.fds[0]);
  else if (report->kind == CKPT_REPORT_LISTED && member->stage == STAGE_JOINED) {
    member->stage = STAGE_LISTED;
    result = take_lists(c, member, report->number, passed.fds[0]);
  } else if (report->kind == CKPT_REPORT_DESCRIBED && member->stage >= STAGE_JOINED)
    described(member, report, &passed);
  else if (report->kind == CKPT_REPORT_DONE) {
    member->stage = STAGE_DONE;
    c->members_size += report->bytes;
  }
  passed_close(&passed);
  return result;
}

static void greet(struct checkpoint *c, struct member *member, const struct ucred *peer, int socket) {
  struct ckpt_request request = {
      .size = sizeof request,
      .version = CKPT_CONTROL_VERSION,
      .op = CKPT_REQUEST_JOIN,
      .flags = c->request.flags,
      .timeout_ms = c->request.timeout_ms,
      .call_known = member->call.known && member->tid == member->pid,
      .call_number = member->call.number,
      .call_rip = member->call.rip,
      .call_rsp = member->call.rsp,
  };
  text_copy(request.files, sizeof request.files, c->request.files);
  member->socket = socket;
  member->uid = peer->uid;
  member->stage = STAGE_JOINING;
  if (message_send(socket, &request, sizeof request, NOTHING_PASSED) < 0)
    job_ask_anew(member);
}

static long accept_member(struct checkpoint *c) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  long fd = sys(SYS_(accept4), c->job->listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0)
    return fd == -EAGAIN || fd == -ECONNABORTED ? 0 : fail(c, fd, "accept: %s", text_errno(fd));
  if (sys(SYS_(getsockopt), fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
    for (size_t i = 0; i < count(c); i++)
      if (member_at(c, i)->pid == peer.pid && member_at(c, i)->stage == STAGE_ASKED) {
        greet(c, member_at(c, i), &peer, (int)fd);
        return 0;
      }
  sys(SYS_(close), fd);
  return 0;
}

/* ---- Waiting ------------------------------------------------------------------------------------------ */

/* Waits until somebody has something to say, and listens; without a limit (-1) or this many ms. 1: somebody
 * had, 0: nobody. */
static long listen_once(struct checkpoint *c, enum stage wanted, int limit) {
  size_t places = count(c) + 1, used = 1;
  struct pollfd *polls = c->polls;
  if (places > c->polls_room) {
    c->polls_room = places * 2;
    polls = c->polls = arena_take(&c->arena, c->polls_room * sizeof *polls);
    if (!polls)
      return -ENOMEM;
  }
  polls[0] = (struct pollfd){.fd = c->job->listener, .events = POLLIN};
  for (size_t i = 0; i < count(c); i++) {
    bool waits = member_at(c, i)->stage >= STAGE_JOINING && member_at(c, i)->stage < wanted;
    polls[used++] = (struct pollfd){.fd = waits ? member_at(c, i)->socket : -1, .events = POLLIN};
  }
  long result = sys(SYS_(poll), polls, used, limit);
  if (result <= 0)
    return result == -EINTR ? 0 : result;
  result = polls[0].revents ? accept_member(c) : 0;
  for (size_t i = 1; i < used && result == 0; i++)
    if (polls[i].fd >= 0 && polls[i].revents)
      result = hear_from(c, member_at(c, i - 1));
  return result < 0 ? result : 1;
}

static bool all_are(const struct checkpoint *c, enum stage stage) {
  for (size_t i = 0; i < count(c); i++)
    if (member_at(c, i)->stage < stage)
      return false;
  return true;
}

static long wait_for_all(struct checkpoint *c, enum stage stage) {
  long result = 0;
  while (result >= 0 && !all_are(c, stage)) {
    result = listen_once(c, stage, LOOK_MS * 20);
    if (result == 0)
      result = hold_late(c, stage);
    hold_look_at_all(c);
  }
  return result < 0 ? result : 0;
}

static long tell_all(struct checkpoint *c, enum order_kind kind, int fd) {
  long result = 0;
  c->order->kind = kind;
  for (size_t i = 0; i < count(c) && result == 0; i++) {
    struct member *member = member_at(c, i);
    if (member->stage == STAGE_ENDED)
      continue;
    if (kind == ORDER_LIST)
      member->stage = STAGE_JOINED;
    c->order->process = (uint32_t)i + 1;
    c->order->stop_signal = member->stop_signal;
    result = offers_tell(c, member, fd);
    if (result < 0)
      result = fail_for(c, member, result, "it ended while it was being saved");
  }
  c->order->process = 0;
  return result;
}

/* ---- Joining ------------------------------------------------------------------------------------------ */

static long give_up(struct checkpoint *c) {
  for (size_t i = 0; i < count(c); i++)
    if (member_at(c, i)->stage < STAGE_JOINED)
      return fail_for(c, member_at(c, i), -ETIMEDOUT,
                      "it does not come to a stop in time (see CKPT_TIMEOUT)");
  return fail(c, -ETIMEDOUT, "its processes do not come to rest in time (see CKPT_TIMEOUT)");
}

/* A member that stood still may have been stopped by one that did not yet. */
static long hold_those_stopped_late(struct checkpoint *c) {
  long late;
  while ((late = hold_late(c, STAGE_LISTED)) > 0) {
    long heard = listen_once(c, STAGE_JOINED, LOOK_MS);
    if (heard < 0)
      return heard;
    if (now_ns(CLOCK_MONOTONIC) > c->deadline_ns)
      return give_up(c);
  }
  return late;
}

/* Whoever asks is asked again until all stand still; a process that stands still has no new children. */
static long bring_all(struct checkpoint *c) {
  long result = job_add_children(c, c->process.pid, ADD_CHILDREN), heard = 0;
  if (result == 0)
    result = job_add_orphans(c);
  while (result == 0 && !all_are(c, STAGE_JOINED)) {
    bool early = false;
    for (size_t i = 0; i < count(c) && result == 0; i++) {
      /* Whether one who was asked has ended is looked at when nobody comes: else each who does would cost a
       * look at all others. */
      const struct member *member = member_at(c, i);
      if (member->stage < STAGE_ASKED || member->held_count || !heard)
        result = job_ask(c, member_at(c, i));
      early |= member->stage < STAGE_ASKED || (member->held_count && member->stage < STAGE_JOINED);
    }
    if (result == 0)
      heard = listen_once(c, STAGE_JOINED, early ? LOOK_MS : LOOK_MS * 20);
    if (heard < 0)
      result = heard;
    if (result == 0 && now_ns(CLOCK_MONOTONIC) > c->deadline_ns)
      result = give_up(c);
    /* Those whose parent has ended come to a reaper among us, or are orphans. */
    if (result == 0 && all_are(c, STAGE_JOINED))
      result = job_add_children(c, c->process.pid, ADD_CHILDREN);
    for (size_t i = 0; i < count(c) && result == 0 && all_are(c, STAGE_JOINED); i++)
      result = job_add_children(c, member_at(c, i)->pid, ADD_CHILDREN);
    if (result == 0 && all_are(c, STAGE_JOINED))
      result = job_add_orphans(c);
  }
  if (result == 0)
    result = hold_those_stopped_late(c);
  return result == 0 ? ignore_finish(c) : result;
}

/* A member that stood still may have been killed by one that did not yet. */
static void leave_out_ended(struct checkpoint *c) {
  struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < count(c); i++) {
    struct member *member = member_at(c, i);
    char byte;
    if (member->stage != STAGE_JOINED ||
        sys(SYS_(recvfrom), member->socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) != 0)
      continue;
    size_t kept = 0;
    for (size_t j = 0; j < c->open_files.count; j++)
      if (files[j].process != i + 1)
        files[kept++] = files[j];
    c->open_files.count = kept;
    job_ask_anew(member);
    member->stage = STAGE_ENDED;
  }
}

static long make_listener(struct checkpoint *c) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct text name = text_in(address.sun_path + 1, sizeof address.sun_path - 1);
  long fd = sys(SYS_(socket), AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return fd;
  c->job->listener = (int)fd;
  long result = sys(SYS_(getrandom), &c->job->cookie, sizeof c->job->cookie, 0);
  text_add(&name, "ckpt-");
  text_add_hex(&name, c->job->cookie, 16);
  if (result >= 0)
    result = sys(SYS_(bind), fd, &address, offsetof(struct sockaddr_un, sun_path) + 1 + name.length);
  return result < 0 ? result : sys(SYS_(listen), fd, 4096);
}

static bool has_children(void) {
  siginfo_t info;
  return sys(SYS_(waitid), P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT | __WALL,
             NULL) != -ECHILD;
}

/* A child whose stop the program has yet to hear of. */
static bool find_stopped(const struct checkpoint *c, siginfo_t *info) {
  memset(info, 0, sizeof *info);
  for (size_t i = 0; i < count(c); i++)
    if (member_at(c, i)->stop_status) {
      info->si_signo = SIGCHLD;
      info->si_code = CLD_STOPPED;
      info->si_pid = member_at(c, i)->pid;
      info->si_status = (int)member_at(c, i)->stop_status >> 8;
      return true;
    }
  return sys(SYS_(waitid), P_ALL, 0, info, WSTOPPED | WNOHANG | WNOWAIT, NULL) == 0 && info->si_pid;
}

/* That members stop while they are held is nothing that the program should hear of. One that has really been
 * stopped meanwhile is. */
struct quiet {
  struct kernel_sigaction action;
  bool was_stopped;
};

static long quiet_begin(const struct checkpoint *c, struct quiet *quiet) {
  siginfo_t info;
  quiet->was_stopped = find_stopped(c, &info);
  long result = sys(SYS_(rt_sigaction), SIGCHLD, NULL, &quiet->action, sizeof quiet->action.mask);
  struct kernel_sigaction action = quiet->action;
  action.flags |= SA_NOCLDSTOP;
  return result < 0 ? result : sys(SYS_(rt_sigaction), SIGCHLD, &action, NULL, sizeof action.mask);
}

static void quiet_end(const struct checkpoint *c, const struct quiet *quiet) {
  siginfo_t info;
  sys(SYS_(rt_sigaction), SIGCHLD, &quiet->action, NULL, sizeof quiet->action.mask);
  if (!(quiet->action.flags & SA_NOCLDSTOP) && !quiet->was_stopped && find_stopped(c, &info))
    sys(SYS_(rt_sigqueueinfo), sys(SYS_(getpid)), SIGCHLD, &info);
}

static long bring_all_quietly(struct checkpoint *c) {
  struct quiet quiet;
  long result = quiet_begin(c, &quiet);
  if (result < 0)
    return result;
  result = bring_all(c);
  for (size_t i = 0; i < count(c); i++)
    job_let_go(c, member_at(c, i));
  quiet_end(c, &quiet);
  return result;
}

static void fill_order(struct checkpoint *c) {
  *c->order = (struct order){
      .size = sizeof *c->order,
      .process_count = 1,
      .leader = c->process.pid,
  };
  for (size_t i = 0; i < count(c); i++)
    c->order->process_count += member_at(c, i)->stage != STAGE_ENDED;
  sys(SYS_(getrandom), c->order->id, sizeof c->order->id, 0);
}

static long tell_lists(struct checkpoint *c, enum order_kind kind) {
  long files = open_files_send(c);
  if (files < 0)
    return files;
  c->order->files = c->open_files.count;
  c->order->left_out = c->left_out.count;
  long result = tell_all(c, kind, (int)files);
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
      result = wait_for_all(c, STAGE_LISTED);
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
  c->job = arena_take(&c->arena, sizeof *c->job);
  c->order = arena_take(&c->arena, sizeof *c->order);
  c->scratch = arena_take(&c->arena, SCRATCH);
  if (!c->job || !c->order || !c->scratch)
    return -ENOMEM;
  c->job->listener = c->job->offering.memory = c->job->offering.pagemap = -1;
  long result = has ? 0 : job_add_orphans(c);
  if (result == 0 && !has && count(c) == 0) {
    c->job = NULL;
    c->order = NULL;
    return 0;
  }
  if (result == 0)
    result = make_listener(c);
  if (result < 0)
    return fail(c, result, "a socket for its processes cannot be made: %s", text_errno(result));
  result = bring_all_quietly(c);
  leave_out_ended(c);
  job_settle_parents(c);
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
  return wait_for_all(c, STAGE_DESCRIBED);
}

long job_let_write(struct checkpoint *c) {
  c->order->number = c->image.number;
  text_copy(c->order->job_dir, sizeof c->order->job_dir, c->job_dir);
  text_copy(c->order->temp_name, sizeof c->order->temp_name, c->temp_name);
  long result = tell_all(c, ORDER_WRITE, c->temp_fd);
  offers_withdraw(c);
  return result;
}

long job_wait_written(struct checkpoint *c) {
  return wait_for_all(c, STAGE_DONE);
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
  struct pollfd *ends = arena_take(&c->arena, count(c) * sizeof *ends);
  for (size_t i = 0; ends && i < count(c); i++)
    ends[i] = (struct pollfd){.fd = (int)sys(SYS_(pidfd_open), member_at(c, i)->pid, 0), .events = POLLIN};
  (void)tell_all(c, ORDER_END, -1);
  for (size_t i = 0; ends && i < count(c); i++) {
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
    (void)tell_all(c, kind, -1);
  offers_withdraw(c);
  for (size_t i = 0; i < count(c); i++)
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
