/* Children that have ended, and that the process has yet to wait for. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "checkpoint.h"
#include "core/dir.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"

enum { ROOM = 256 << 10 /* for the ids of a thread's children */ };

/* Without waiting for it: that is the program's. Of one that we trace, wait() tells its traps, too. */
static bool has_ended(int32_t pid, uint32_t *status) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (sys(SYS_(waitid), P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) < 0 ||
      info.si_pid == 0 || info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED)
    return false;
  *status = info.si_code == CLD_EXITED ? (uint32_t)(info.si_status & 0xff) << 8
                                       : (uint32_t)info.si_status | (info.si_code == CLD_DUMPED ? 0x80u : 0);
  return true;
}

static uint32_t stopped_by(int signal) {
  return (uint32_t)(signal & 0xff) << 8 | 0x7f;
}

static long add_stop(struct checkpoint *c, struct ckpt_stop stop) {
  struct ckpt_stop *entry = list_add(&c->arena, &c->stops, sizeof *entry);
  if (!entry)
    return -ENOMEM;
  *entry = stop;
  return 0;
}

static long add_continued(struct checkpoint *c, int32_t pid) {
  return add_stop(c, (struct ckpt_stop){.pid = pid, .status = stopped_by(SIGSTOP), .continued = 1});
}

/* Has the program yet to hear that it is stopped, or that it goes on? Of the two, wait() tells the last. */
static long look_whether_stopped(struct checkpoint *c, int32_t pid) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (sys(SYS_(waitid), P_PID, pid, &info, WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT, NULL) < 0 ||
      info.si_pid == 0)
    return 0;
  if (info.si_code == CLD_CONTINUED)
    return add_continued(c, pid);
  if (info.si_code != CLD_STOPPED)
    return 0;
  return add_stop(c, (struct ckpt_stop){.pid = pid, .status = stopped_by(info.si_status)});
}

/* Those that the leader holds itself it has looked at before. */
static const struct member *find_held(const struct checkpoint *c, int32_t pid) {
  for (size_t i = 0; c->job && i < member_count(c); i++)
    if (member_at(c, i)->pid == pid && member_at(c, i)->held_count)
      return member_at(c, i);
  return NULL;
}

static long add_held(struct checkpoint *c, const struct member *member) {
  if (member->continued)
    return add_continued(c, member->pid);
  return member->stop_status
             ? add_stop(c, (struct ckpt_stop){.pid = member->pid, .status = member->stop_status})
             : 0;
}

static long add_child(struct checkpoint *c, int32_t pid) {
  char stat[1024];
  long n = proc_read(pid, "stat", stat, sizeof stat);
  if (n <= 0)
    return 0;
  uint32_t status;
  const struct member *held = find_held(c, pid);
  if (!has_ended(pid, &status))
    return held ? add_held(c, held) : look_whether_stopped(c, pid);
  struct ckpt_child *child = list_add(&c->arena, &c->children, sizeof *child);
  if (!child)
    return -ENOMEM;
  *child = (struct ckpt_child){
      .pid = pid,
      .pgid = (int32_t)proc_stat_field(stat, 5),
      .sid = (int32_t)proc_stat_field(stat, 6),
      .status = status,
  };
  return 0;
}

static long add_children_of(struct checkpoint *c, const char *tid, char *text) {
  char path[64];
  struct text words = text_in(path, sizeof path);
  text_format(&words, "/proc/self/task/%s/children", tid);
  long n = sys_read_file(path, text, ROOM), result = 0;
  if (n < 0)
    return fail(c, n, "%s: %s", path, text_errno(n));
  if (n == ROOM - 1)
    return fail(c, -E2BIG, "it has more children than can be saved yet");
  for (const char *at = text; result == 0;) {
    text_skip_spaces(&at);
    int32_t child = (int32_t)text_take_decimal(&at);
    if (!child)
      break;
    result = add_child(c, child);
  }
  return result;
}

long describe_children(struct checkpoint *c) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  char *children = arena_take(&c->arena, ROOM);
  uint64_t tid;
  if (!dir || !children)
    return -ENOMEM;
  long result = dir_open(dir, AT_FDCWD, "/proc/self/task");
  if (result < 0)
    return fail(c, result, "/proc/self/task: %s", text_errno(result));
  for (const char *name; result == 0 && (name = dir_next(dir));)
    if (text_is_decimal(name, &tid))
      result = add_children_of(c, name, children);
  if (result == 0)
    result = dir->error;
  dir_close(dir);
  return result;
}
