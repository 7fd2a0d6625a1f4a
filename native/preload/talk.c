/* What the leader of a job and its members say to each other, on the leader's side. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"
#include "messages.h"
#include "open_files.h"

long job_fail_for(struct checkpoint *c, const struct member *member, long error, const char *words) {
  char name[32];
  proc_name(member->pid, name);
  return fail(c, error, "process %d (\"%s\"): %s", (int64_t)member->pid, name, words);
}

/* ---- What members say --------------------------------------------------------------------------------- */

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
  return result < 0 ? job_fail_for(c, member, result, "its open files did not arrive") : 0;
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
    result = job_fail_for(c, member, -ECANCELED, "it ended while it was being saved");
  else if (report->kind == CKPT_REPORT_FAILED)
    result = job_fail_for(c, member, report->error < 0 ? report->error : -EPROTO, report->text);
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
    for (size_t i = 0; i < member_count(c); i++)
      if (member_at(c, i)->pid == peer.pid && member_at(c, i)->stage == STAGE_ASKED) {
        greet(c, member_at(c, i), &peer, (int)fd);
        return 0;
      }
  sys(SYS_(close), fd);
  return 0;
}

long job_make_listener(struct checkpoint *c) {
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

/* ---- Waiting ------------------------------------------------------------------------------------------ */

long job_listen(struct checkpoint *c, enum stage wanted, int limit) {
  size_t places = member_count(c) + 1, used = 1;
  struct pollfd *polls = c->polls;
  if (places > c->polls_room) {
    c->polls_room = places * 2;
    polls = c->polls = arena_take(&c->arena, c->polls_room * sizeof *polls);
    if (!polls)
      return -ENOMEM;
  }
  polls[0] = (struct pollfd){.fd = c->job->listener, .events = POLLIN};
  for (size_t i = 0; i < member_count(c); i++) {
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

bool job_all_are(const struct checkpoint *c, enum stage stage) {
  for (size_t i = 0; i < member_count(c); i++)
    if (member_at(c, i)->stage < stage)
      return false;
  return true;
}

/* Members may be stopped meanwhile, which are held then. */
long job_wait_for_all(struct checkpoint *c, enum stage stage) {
  struct quiet quiet;
  long result = quiet_begin(c, &quiet);
  if (result < 0)
    return result;
  while (result >= 0 && !job_all_are(c, stage)) {
    result = job_listen(c, stage, hold_any(c) ? LOOK_MS : LOOK_MS * 20);
    if (result == 0)
      result = hold_late(c, stage);
    hold_look_at_all(c);
  }
  quiet_end(c, &quiet);
  return result < 0 ? result : 0;
}

/* ---- Telling ------------------------------------------------------------------------------------------ */

/* To go on or to end is for all, whoever has ended on its own. */
long job_tell_all(struct checkpoint *c, enum order_kind kind, int fd) {
  bool is_last = kind == ORDER_CARRY_ON || kind == ORDER_END;
  long result = 0;
  c->order->kind = kind;
  for (size_t i = 0; i < member_count(c) && (result == 0 || is_last); i++) {
    struct member *member = member_at(c, i);
    if (member->stage == STAGE_ENDED)
      continue;
    if (kind == ORDER_LIST)
      member->stage = STAGE_JOINED;
    c->order->process = (uint32_t)i + 1;
    c->order->stop_signal = member->stop_signal;
    result = offers_tell(c, member, fd);
    if (result < 0)
      result = job_fail_for(c, member, result, "it ended while it was being saved");
  }
  c->order->process = 0;
  return result;
}
