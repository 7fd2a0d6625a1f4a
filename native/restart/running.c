#include "running.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clocks.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"

enum { STAT_ROOM = 2048, ENDS_MS = 30000 };

static int parse_id(const char *text, uint8_t id[16]) {
  for (int i = 0; i < 16; i++) {
    unsigned byte;
    if (*text == '-')
      text++;
    if (sscanf(text, "%2x", &byte) != 1 || !text[1])
      return -1;
    id[i] = (uint8_t)byte;
    text += 2;
  }
  return 0;
}

int running_boot_id(uint8_t id[16]) {
  char text[64];
  return sys_read_file("/proc/sys/kernel/random/boot_id", text, sizeof text) > 0 ? parse_id(text, id) : -1;
}

static bool read_stat(int proc, pid_t pid, char text[STAT_ROOM]) {
  char path[64];
  snprintf(path, sizeof path, proc == AT_FDCWD ? "/proc/%d/stat" : "%d/stat", pid);
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  long n = sys_read_full(fd, text, STAT_ROOM - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  return n > 0;
}

static char state_in(const char *stat) {
  const char *end = strrchr(stat, ')');
  return end && end[1] ? end[2] : 0;
}

uint64_t running_starttime(int proc, pid_t pid) {
  char text[STAT_ROOM];
  if (!read_stat(proc, pid, text))
    return 0;
  /* A zombie has nothing left that could be in the way but its number, unless it has other threads. */
  if ((state_in(text) == 'Z' || state_in(text) == 'X') && proc_stat_field(text, 20) <= 1)
    return 0;
  return proc_stat_field(text, 22) - (uint64_t)clocks_shift();
}

/* The status is that with which it will end, in the words of wait(), from when it is killed on. */
static bool is_ending(pid_t pid) {
  enum { FLAGS_FIELD = 9, STATUS_FIELD = 52, EXITING = 4 };
  char text[STAT_ROOM];
  if (!read_stat(AT_FDCWD, pid, text))
    return false;
  bool goes_on = state_in(text) == 'Z'; /* without its main thread */
  return (proc_stat_field(text, STATUS_FIELD) & 0x7f) == SIGKILL ||
         (!goes_on && proc_stat_field(text, FLAGS_FIELD) & EXITING);
}

bool running_lives(pid_t pid, uint64_t starttime) {
  struct pollfd poller = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
  if (poller.fd >= 0 && running_starttime(AT_FDCWD, pid) == starttime && is_ending(pid))
    poll(&poller, 1, ENDS_MS);
  if (poller.fd >= 0)
    close(poller.fd);
  uint64_t now = running_starttime(AT_FDCWD, pid);
  return now && now == starttime;
}

pid_t running_unwaited(pid_t pid) {
  enum { PARENT_FIELD = 4, THREADS_FIELD = 20 };
  char text[STAT_ROOM];
  bool ended =
      read_stat(AT_FDCWD, pid, text) && state_in(text) == 'Z' && proc_stat_field(text, THREADS_FIELD) <= 1;
  return ended ? (pid_t)proc_stat_field(text, PARENT_FIELD) : 0;
}

void running_leaves(pid_t pid) {
  enum { LOOK_MS = 10, REAPED_MS = 10000 };
  struct pollfd poller = {.fd = (int)syscall(SYS_pidfd_open, pid, 0)}; /* POLLHUP, from Linux 6.9 on */
  for (int waited = 0; running_unwaited(pid) == 1 && waited < REAPED_MS; waited += LOOK_MS)
    if (poll(&poller, 1, LOOK_MS) > 0)
      break;
  if (poller.fd >= 0)
    close(poller.fd);
}

bool running_has_session(pid_t id) {
  enum { SESSION_FIELD = 6 };
  char text[STAT_ROOM];
  DIR *all = opendir("/proc");
  bool found = false;
  for (struct dirent *entry; all && !found && (entry = readdir(all));) {
    pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    found = pid > 0 && read_stat(AT_FDCWD, pid, text) && (pid_t)proc_stat_field(text, SESSION_FIELD) == id;
  }
  if (all)
    closedir(all);
  return found;
}

static int path_of(const char *job, const char *name, char path[PATH_MAX]) {
  int n = snprintf(path, PATH_MAX, "%s/%s", job, name);
  return job[0] && n < PATH_MAX ? 0 : -1;
}

static int parse(const char *job, struct running *running) {
  char path[PATH_MAX], text[256], id[64];
  unsigned long long start;
  if (path_of(job, "running", path) < 0 || sys_read_file(path, text, sizeof text) <= 0)
    return -1;
  if (sscanf(text, "%d %llu %40s", &running->pid, &start, id) != 3 || running->pid <= 0)
    return -1;
  running->starttime = start;
  return parse_id(id, running->boot_id);
}

int running_read(const char *job, struct running *running) {
  uint8_t boot[16];
  if (parse(job, running) < 0 || running_boot_id(boot) < 0 ||
      memcmp(boot, running->boot_id, sizeof boot) != 0)
    return -1;
  return running_lives(running->pid, running->starttime) ? 0 : -1;
}

int running_write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -errno;
  long error = sys_write_full(fd, text, strlen(text));
  if (close(fd) < 0 && error == 0)
    error = -errno;
  return (int)error;
}

void running_text(const struct running *running, char text[RUNNING_TEXT]) {
  const uint8_t *id = running->boot_id;
  snprintf(text, RUNNING_TEXT, "%d %llu %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
           running->pid, (unsigned long long)running->starttime, id[0], id[1], id[2], id[3], id[4], id[5],
           id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]);
}

int running_write(const char *job, const struct running *running) {
  char path[PATH_MAX], temporary[PATH_MAX + 32], text[RUNNING_TEXT + 64];
  if (path_of(job, "ended", path) == 0)
    unlink(path); /* of an earlier one */
  if (path_of(job, "running", path) < 0)
    return 0;
  if (mkdir(job, 0700) < 0 && errno != EEXIST)
    return -errno;
  snprintf(temporary, sizeof temporary, "%s/.running-%d", job, running->pid);
  running_text(running, text);
  if (running->keeper)
    snprintf(text + strlen(text), 64, " %d %llu", running->keeper,
             (unsigned long long)running->keeper_starttime);
  strcat(text, "\n");
  int error = running_write_text(temporary, text);
  if (error == 0 && rename(temporary, path) < 0)
    error = -errno;
  if (error < 0)
    unlink(temporary);
  return error;
}

void running_remove(const char *job, const struct running *running) {
  char path[PATH_MAX];
  struct running there;
  if (parse(job, &there) == 0 && there.pid == running->pid && there.starttime == running->starttime &&
      path_of(job, "running", path) == 0)
    unlink(path);
}
