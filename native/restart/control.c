#include "control.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "format/control.h"
#include "say.h"

static int control = -1;

int control_connect(uint64_t cookie) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct ucred peer;
  socklen_t size = sizeof peer;
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, CKPT_CONTROL_NAME,
                        (unsigned long long)cookie);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) < 0) {
    int error = errno;
    if (fd >= 0)
      close(fd);
    return say_problem("cannot connect to the control socket: %s", strerror(error));
  }
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || (peer.uid != geteuid() && peer.uid != 0)) {
    close(fd);
    return say_problem("the control socket belongs to another user");
  }
  control = fd;
  return 0;
}

static bool send_report(const struct ckpt_report *report) {
  ssize_t n;
  if (control < 0)
    return false;
  do
    n = send(control, report, sizeof *report, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)sizeof *report;
}

static bool send_last(const struct ckpt_report *report) {
  bool sent = send_report(report);
  if (control >= 0)
    close(control);
  control = -1;
  return sent;
}

static struct ckpt_report new_report(enum ckpt_report_kind kind, const char *text) {
  struct ckpt_report report = {.size = sizeof report, .version = CKPT_CONTROL_VERSION, .kind = kind};
  snprintf(report.text, sizeof report.text, "%s", text);
  return report;
}

bool control_ready(const char *image) {
  struct ckpt_report report = new_report(CKPT_REPORT_READY, image);
  char go;
  ssize_t n;
  if (!send_report(&report))
    return false;
  do
    n = recv(control, &go, 1, 0);
  while (n < 0 && errno == EINTR);
  return n == 1;
}

void control_done(pid_t pid, uint64_t nanoseconds, uint64_t bytes, const char *image) {
  struct ckpt_report report = new_report(CKPT_REPORT_DONE, image);
  report.number = (uint64_t)pid;
  report.bytes = bytes;
  report.total = bytes;
  report.total_ns = nanoseconds;
  /* Whoever has hung up has no use for it; the program runs. */
  (void)send_last(&report);
}

bool control_failed(const char *words) {
  struct ckpt_report report = new_report(CKPT_REPORT_FAILED, words);
  report.error = -ECANCELED;
  return send_last(&report);
}
