/* Where the words go: to the requester's socket, or to stderr in one line. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "checkpoint.h"
#include "core/sys.h"
#include "core/text.h"

enum { ANSWER_SECONDS = 5 };

static bool same_user(int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return sys(SYS_(getsockopt), fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || (long)peer.uid == sys(SYS_(geteuid)));
}

static long receive_request(int fd, uint64_t cookie, struct ckpt_request *request) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct text name = text_in(address.sun_path + 1, sizeof address.sun_path - 1);
  text_add(&name, "ckpt-");
  text_add_hex(&name, cookie, 16);
  /* The requester may be gone by now, or hang: the program must not wait for it for ever. */
  struct timeval limit = {.tv_sec = ANSWER_SECONDS};
  sys(SYS_(setsockopt), fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sys(SYS_(setsockopt), fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  /* With a time limit both end with EINTR when the process is stopped meanwhile, and continued. */
  long result;
  do
    result = sys(SYS_(connect), fd, &address, offsetof(struct sockaddr_un, sun_path) + 1 + name.length);
  while (result == -EINTR);
  if (result < 0)
    return result;
  if (!same_user(fd))
    return -EACCES;
  memset(request, 0, sizeof *request);
  do
    result = sys(SYS_(recvfrom), fd, request, sizeof *request, 0, NULL, NULL);
  while (result == -EINTR);
  if (result < 0)
    return result;
  bool known = result >= (long)sizeof *request && request->version == CKPT_CONTROL_VERSION &&
               (request->op == CKPT_REQUEST_CHECKPOINT || request->op == CKPT_REQUEST_JOIN);
  request->files[sizeof request->files - 1] = 0;
  request->ignore[sizeof request->ignore - 1] = 0;
  return known ? 0 : -EINVAL;
}

long requester_connect(struct checkpoint *c, uint64_t cookie) {
  long fd = sys(SYS_(socket), AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fd;
  long result = receive_request((int)fd, cookie, &c->request);
  if (result < 0)
    sys(SYS_(close), fd);
  else
    c->requester = (int)fd;
  return result;
}

static void send_report(const struct checkpoint *c, struct ckpt_report *report) {
  report->size = sizeof *report;
  report->version = CKPT_CONTROL_VERSION;
  while (sys(SYS_(sendto), c->requester, report, sizeof *report, MSG_NOSIGNAL, NULL, 0) == -EINTR)
    ;
}

void report_progress(struct checkpoint *c, uint64_t bytes, uint64_t total) {
  if (c->requester < 0 || c->request.op == CKPT_REQUEST_JOIN)
    return;
  struct ckpt_report report = {.kind = CKPT_REPORT_PROGRESS, .bytes = bytes, .total = total};
  send_report(c, &report);
}

/* A daemon that closed its stderr may have a database there by now. */
static bool is_stderr(int fd) {
  struct stat st;
  long flags = sys(SYS_(fcntl), fd, F_GETFL);
  if (flags < 0 || sys(SYS_(fstat), fd, &st) < 0)
    return false;
  return !S_ISREG(st.st_mode) || (flags & O_ACCMODE) == O_WRONLY || (flags & O_APPEND);
}

/* Until it has closed its side, or ended: the process is stopped, and nothing of it may run before somebody
 * watches it leave. */
static void wait_for_close(const struct checkpoint *c) {
  struct timeval none = {0};
  char byte;
  sys(SYS_(setsockopt), c->requester, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  while (sys(SYS_(recvfrom), c->requester, &byte, sizeof byte, 0, NULL, NULL) == -EINTR)
    ;
}

static void complain(const struct checkpoint *c) {
  char *line = (char *)(uintptr_t)c->image_path; /* unused after a failure */
  struct text text = text_in(line, sizeof c->image_path);
  text_format(&text, "ckpt: cannot checkpoint %s (%d): %s\n", ckpt_state.program, (int64_t)c->process.pid,
              c->error);
  uint64_t pending = pending_signals();
  if (is_stderr(2))
    sys_write_full(2, line, text.length);
  drop_signal(SIGPIPE, pending);
}

void report_result(struct checkpoint *c) {
  if (c->requester >= 0) {
    struct ckpt_report report = {.kind = c->result < 0 ? CKPT_REPORT_FAILED : CKPT_REPORT_DONE};
    report.error = (int32_t)c->result;
    report.number = c->image.number;
    report.bytes = c->file_size + c->members_size;
    report.pause_ns = report.total_ns = now_ns(CLOCK_MONOTONIC) - c->begin_ns;
    text_copy(report.text, sizeof report.text, c->result < 0 ? c->error : c->image_path);
    if (c->result < 0 || c->request.op != CKPT_REQUEST_JOIN) /* whose leader has heard of it */
      send_report(c, &report);
    if (c->request.stop_signal)
      wait_for_close(c);
    sys(SYS_(close), c->requester);
    c->requester = -1;
  } else if (c->result < 0 && !c->local && !c->postponed) {
    complain(c);
  }
}
