/* Finding the members of a job, and asking them to join.
 *
 * A process that is about to exec must not be sent the control signal: the new program has no handler yet and
 * would die of it. So it is held by ptrace, which it cannot notice, while it is looked at and the signal is
 * queued: the signal is the first thing that it meets when it goes on. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/dir.h"
#include "core/held.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "members.h"

/* A thread of it that has not ended, but for the main one; 0: there is none. */
static int32_t other_thread(int32_t pid) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  struct dir dir;
  uint64_t tid;
  int32_t found = 0;
  text_format(&text, "/proc/%d/task", (int64_t)pid);
  if (dir_open(&dir, AT_FDCWD, path) < 0)
    return 0;
  for (const char *name; !found && (name = dir_next(&dir));)
    if (text_is_decimal(name, &tid) && (int32_t)tid != pid && proc_lives((int32_t)tid))
      found = (int32_t)tid;
  dir_close(&dir);
  return found;
}

/* The main thread, or another when that has ended; 0: the process is gone. The thread that calls exec takes
 * the id of the main one, which has ended by then: who has looked at the one too early and at the other too
 * late finds neither, and looks again. */
static int32_t living_thread(int32_t pid) {
  int32_t found = 0;
  for (int look = 0; look < 3 && !found; look++)
    found = proc_lives(pid) ? pid : other_thread(pid);
  return found;
}

static bool has_ended(int32_t pid) {
  return living_thread(pid) == 0;
}

/* ---- Finding ------------------------------------------------------------------------------------------ */

static bool is_known(const struct checkpoint *c, int32_t pid) {
  const struct member *members = c->job->members.entries;
  for (size_t i = 0; i < c->job->members.count; i++)
    if (members[i].pid == pid && members[i].stage != STAGE_ENDED)
      return true;
  return false;
}

/* One who has ended belongs to its parent alone, and is described there. */
static long add_member(struct checkpoint *c, int32_t pid, int32_t parent) {
  if (has_ended(pid) || is_known(c, pid))
    return 0;
  long ignored = ignore_looks_at(c, pid, parent);
  if (ignored)
    return ignored < 0 ? ignored : 0;
  struct member *member = list_add(&c->arena, &c->job->members, sizeof *member);
  if (!member)
    return -ENOMEM;
  *member =
      (struct member){.pid = pid, .parent = parent, .socket = -1, .offering = {.memory = -1, .pagemap = -1}};
  return 0;
}

/* What may not be looked at is another's. */
static bool has_id(int32_t pid, char *environment, size_t size) {
  long n = proc_read(pid, "environ", environment, size);
  for (long at = 0; at < n; at += (long)strlen(environment + at) + 1)
    if (text_equal(environment + at, ckpt_state.job))
      return true;
  return false;
}

static long add_children_of(struct checkpoint *c, int32_t pid, const char *tid, enum adding adding) {
  char path[64], *text = c->scratch;
  char *environment = c->scratch + SCRATCH / 2;
  size_t size = adding == ADD_ORPHANS_WITH_ID ? SCRATCH / 2 : SCRATCH;
  struct text words = text_in(path, sizeof path);
  text_format(&words, "/proc/%d/task/%s/children", (int64_t)pid, tid);
  long n = sys_read_file(path, text, size);
  if (n == -ENOENT || n == -ESRCH)
    return 0;
  if (n < 0 || n == (long)size - 1)
    return fail(c, n < 0 ? n : -E2BIG, "%s cannot be read: %s", path, text_errno(n < 0 ? n : -E2BIG));
  long result = 0;
  for (const char *at = text; result == 0;) {
    text_skip_spaces(&at);
    int32_t child = (int32_t)text_take_decimal(&at);
    if (!child)
      break;
    if (child != c->process.pid && (adding != ADD_ORPHANS_WITH_ID || has_id(child, environment, SCRATCH / 2)))
      result = add_member(c, child, adding == ADD_CHILDREN ? pid : 0);
  }
  return result;
}

long job_add_children(struct checkpoint *c, int32_t pid, enum adding adding) {
  struct dir *dir = arena_take(&c->arena, sizeof *dir);
  char path[64];
  struct text text = text_in(path, sizeof path);
  uint64_t tid;
  if (!dir)
    return -ENOMEM;
  text_format(&text, "/proc/%d/task", (int64_t)pid);
  long result = dir_open(dir, AT_FDCWD, path);
  if (result < 0)
    return result == -ENOENT ? 0 : fail(c, result, "%s: %s", path, text_errno(result));
  for (const char *name; result == 0 && (name = dir_next(dir));)
    if (text_is_decimal(name, &tid))
      result = add_children_of(c, pid, name, adding);
  if (result == 0)
    result = dir->error;
  dir_close(dir);
  return result;
}

/* ---- Asking ------------------------------------------------------------------------------------------- */

static bool handles_control_signal(int32_t pid) {
  char status[4096];
  uint64_t caught = 0;
  return proc_read(pid, "status", status, sizeof status) > 0 && proc_field(status, "SigCgt", 16, &caught) &&
         (caught >> (CKPT_CONTROL_SIGNAL - 1) & 1);
}

/* The dynamic loader itself may have been started with a program as its argument. */
static bool is_loader(int32_t pid) {
  char path[64], target[PROC_PATH_MAX];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/exe", (int64_t)pid);
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, target, sizeof target - 1);
  target[n > 0 ? n : 0] = 0;
  return text_starts(text_base(target), "ld-");
}

/* A program that names no dynamic loader preloads nothing. */
static bool is_static(int32_t pid) {
  enum { MOST = 64 };
  struct {
    Elf64_Ehdr elf;
    Elf64_Phdr headers[MOST];
  } file;
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/exe", (int64_t)pid);
  long fd = sys(SYS_(openat), AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool whole = sys_pread_full((int)fd, &file.elf, sizeof file.elf, 0) == sizeof file.elf &&
               memcmp(file.elf.e_ident, ELFMAG, SELFMAG) == 0 && file.elf.e_ident[EI_CLASS] == ELFCLASS64 &&
               file.elf.e_phentsize == sizeof *file.headers && file.elf.e_phnum <= MOST;
  long size = whole ? (long)(file.elf.e_phnum * sizeof *file.headers) : -1;
  whole = whole && sys_pread_full((int)fd, file.headers, (size_t)size, file.elf.e_phoff) == size;
  sys(SYS_(close), fd);
  for (uint32_t i = 0; whole && i < file.elf.e_phnum; i++)
    if (file.headers[i].p_type == PT_INTERP)
      return false;
  return whole && !is_loader(pid);
}

/* The kernel lets such a program load only what its owner trusts. */
static bool has_gained_rights(int32_t pid) {
  char status[4096];
  uint64_t ids[2];
  if (proc_read(pid, "status", status, sizeof status) <= 0)
    return false;
  return (proc_fields(status, "Uid", ids, 2) == 2 && ids[0] != ids[1]) ||
         (proc_fields(status, "Gid", ids, 2) == 2 && ids[0] != ids[1]);
}

/* Rather than none as yet, or none any more. */
static bool has_empty_environment(int32_t pid) {
  char stat[1024];
  if (proc_read(pid, "stat", stat, sizeof stat) <= 0)
    return false;
  uint64_t start = proc_stat_field(stat, 50), end = proc_stat_field(stat, 51);
  return start && start == end;
}

/* Why it will never load libckpt, or null: one that was started with it may not have come to that; and one
 * that ends or begins another program has no environment for a moment. */
static const char *find_obstacle(struct checkpoint *c, int32_t pid) {
  static const char gained[] =
      "runs with the rights of another user or group (set-uid), and so without libckpt";
  if (has_gained_rights(pid))
    return gained;
  long n = proc_read(pid, "environ", c->scratch, SCRATCH);
  if (n == -EACCES)
    return gained;
  if (n < 0 || (n == 0 && !has_empty_environment(pid)))
    return NULL;
  if (is_static(pid))
    return "is statically linked, and so runs without libckpt";
  for (long at = 0; at < n; at += (long)strlen(c->scratch + at) + 1)
    if (text_starts(c->scratch + at, "LD_PRELOAD="))
      return NULL;
  return "does not run under libckpt: LD_PRELOAD was taken from it";
}

static long refuse_member(struct checkpoint *c, const struct member *member, const char *why) {
  char name[32];
  proc_name(member->pid, name);
  return fail(c, -EOPNOTSUPP, "process %d (\"%s\") %s", (int64_t)member->pid, name, why);
}

/* Is what this link of /proc leads to another than ours? What may not be looked at counts as the same. */
static bool differs(int32_t pid, const char *link) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  struct stat own, other;
  text_format(&text, "/proc/%d/%s", (int64_t)pid, link);
  if (sys(SYS_(newfstatat), AT_FDCWD, path, &other, 0) < 0)
    return false;
  text = text_in(path, sizeof path);
  text_format(&text, "/proc/thread-self/%s", link);
  return sys(SYS_(newfstatat), AT_FDCWD, path, &own, 0) == 0 &&
         (own.st_dev != other.st_dev || own.st_ino != other.st_ino);
}

/* A restart makes one world for all. */
static const char *find_other_world(int32_t pid) {
  static const struct {
    const char *link, *words;
  } worlds[] = {
      {"root", "has another root directory (chroot)"}, {"ns/mnt", "is in another mount namespace"},
      {"ns/pid", "is in another pid namespace"},       {"ns/net", "is in another network namespace"},
      {"ns/ipc", "is in another IPC namespace"},       {"ns/uts", "is in another UTS namespace"},
      {"ns/user", "is in another user namespace"},     {"ns/time", "is in another time namespace"}};
  for (size_t i = sizeof worlds / sizeof *worlds; i-- > 0;)
    if (differs(pid, worlds[i].link))
      return worlds[i].words;
  return NULL;
}

static long queue(struct checkpoint *c, struct member *member) {
  long result = request_send(c, member, CKPT_CONTROL_SIGNAL);
  if (result == 0)
    member->stage = STAGE_ASKED;
  else if (result == -ESRCH)
    member->stage = STAGE_ENDED;
  return result == -ESRCH || result == 0
             ? 0
             : fail(c, result, "process %d cannot be asked: %s", (int64_t)member->pid, text_errno(result));
}

static void note_call(struct member *member) {
  char line[256];
  if (proc_read(member->tid, "syscall", line, sizeof line) > 0)
    known_call_parse(&member->call, line);
}

static long begin_stopped(struct checkpoint *c, struct member *member) {
  long result = hold_all(c, member, true);
  if (result <= 0)
    return result;
  /* It may have been stopped while it began another program. */
  if (!handles_control_signal(member->pid) && !held_load(member->held, member->held_count)) {
    hold_give_up(c, member);
    return 0;
  }
  note_call(member);
  return queue(c, member);
}

/* Nothing stops it before whom it has made by vfork lets it go on, and once it was traced it could not be let
 * go of. */
static bool waits_in_vfork(int32_t tid) {
  struct known_call call = {0};
  char line[256];
  if (proc_state(tid) != 'D' || proc_read(tid, "syscall", line, sizeof line) <= 0)
    return false;
  known_call_parse(&call, line);
  return call.known && (call.number == __NR_vfork || call.number == __NR_clone || call.number == __NR_clone3);
}

static long at_most_0(long result) {
  return result < 0 ? result : 0;
}

/* One that another thread's exec is just ending may not be traced. That other one has its id by now, which
 * may happen while it is seized. */
static long seize(struct checkpoint *c, struct member *member) {
  enum { REFUSALS = 5 };
  if (sys(SYS_(ptrace), PTRACE_SEIZE, member->tid, 0, 0) < 0)
    return !proc_lives(member->tid) || member->refusals++ < REFUSALS ? 0 : queue(c, member);
  if (sys(SYS_(ptrace), PTRACE_INTERRUPT, member->tid, 0, 0) == -ESRCH &&
      sys(SYS_(ptrace), PTRACE_INTERRUPT, member->pid, 0, 0) == 0)
    member->tid = member->pid;
  member->stage = STAGE_STOPPING;
  return 0;
}

static long begin(struct checkpoint *c, struct member *member) {
  member->tid = living_thread(member->pid);
  if (member->tid == 0) {
    member->stage = STAGE_ENDED;
    return 0;
  }
  /* By now it may be another program, of a name that is to be left out. */
  long ignored = ignore_looks_at(c, member->pid, member->parent);
  if (ignored) {
    member->stage = STAGE_ENDED;
    return at_most_0(ignored);
  }
  const char *world = find_other_world(member->pid);
  if (world && !has_ended(member->pid))
    return refuse_member(c, member, world);
  if (!handles_control_signal(member->pid)) {
    const char *obstacle = find_obstacle(c, member->pid);
    /* Between the looks it may have begun another program, or ended. */
    bool lasts =
        obstacle && !handles_control_signal(member->pid) && find_obstacle(c, member->pid) == obstacle;
    if (lasts && !has_ended(member->pid))
      return refuse_member(c, member, obstacle);
    if (obstacle || !is_stopped(member->tid))
      return 0;
  }
  if (is_stopped(member->tid))
    return begin_stopped(c, member);
  if (waits_in_vfork(member->tid))
    return 0;
  return seize(c, member);
}

/* A child of ours that has ended stays for the program to wait for; of others the wait is not ours. */
static void let_go_of_ended(const struct checkpoint *c, struct member *member) {
  if (member->parent != c->process.pid || member->tid != member->pid)
    sys(SYS_(wait4), member->tid, NULL, WNOHANG | __WALL, NULL);
  member->stage = STAGE_ENDED;
}

/* It may have stopped because a signal of its own has come, which it gets all the same. */
static int signal_on_the_way(const siginfo_t *info) {
  bool is_event = info->si_status >> 8;
  return is_event ? 0 : info->si_status & 0x7f;
}

static long hold(struct checkpoint *c, struct member *member, bool give_up) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  long result = sys(SYS_(waitid), P_PID, member->tid, &info,
                    WSTOPPED | WEXITED | WNOWAIT | __WALL | (give_up ? 0 : WNOHANG), NULL);
  if (result == -EINTR)
    return 0;
  if (result < 0) {
    member->stage = STAGE_ENDED;
    return 0;
  }
  if (info.si_pid == 0)
    return 0;
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
    let_go_of_ended(c, member);
    return 0;
  }
  int signal = signal_on_the_way(&info);
  bool ignored = !give_up && ignore_looks_at(c, member->pid, member->parent) != 0; /* begin() goes into it */
  bool wanted = !give_up && !ignored && handles_control_signal(member->pid);
  bool has_come = member->carrier && signal == member->carrier && carrier_has_come(c, member);
  if (wanted && !member->carrier) {
    note_call(member);
    carrier_send(c, member);
  }
  if (member->carrier && !has_come) {
    sys(SYS_(ptrace), PTRACE_CONT, member->tid, 0, signal);
    return 0;
  }
  member->stage = STAGE_NEW;
  if (wanted && !has_come)
    result = queue(c, member);
  else if (wanted && carrier_becomes_request(c, member))
    member->stage = STAGE_ASKED;
  if (has_come)
    signal = member->stage == STAGE_ASKED ? CKPT_CONTROL_SIGNAL : 0;
  member->carrier = 0;
  sys(SYS_(ptrace), PTRACE_DETACH, member->tid, 0, signal);
  return result;
}

/* An exec has taken the request with it: it neither waits for the thread nor has brought it into the handler,
 * which blocks it. One who is asked twice says so once. */
static bool is_lost(const struct member *member) {
  char status[4096];
  uint64_t waiting = 0, blocked = 0;
  if (!proc_lives(member->tid) || proc_read(member->tid, "status", status, sizeof status) <= 0)
    return true;
  return proc_field(status, "SigPnd", 16, &waiting) && proc_field(status, "SigBlk", 16, &blocked) &&
         !((waiting | blocked) >> (CKPT_CONTROL_SIGNAL - 1) & 1);
}

long job_ask(struct checkpoint *c, struct member *member) {
  if (member->stage == STAGE_NEW)
    return begin(c, member);
  if (member->stage == STAGE_STOPPING)
    return hold(c, member, false);
  if (member->stage == STAGE_ASKED && has_ended(member->pid))
    member->stage = STAGE_ENDED;
  if ((member->stage == STAGE_ASKED || member->stage == STAGE_JOINING) && !member->held_count &&
      is_lost(member))
    job_ask_anew(member);
  if (member->held_count)
    hold_look(member);
  else if ((member->stage == STAGE_ASKED || member->stage == STAGE_JOINING) && is_stopped(member->tid))
    return at_most_0(hold_all(c, member, false));
  return 0;
}

/* Once it is traced, only one that has stopped can be let go. */
void job_let_go(struct checkpoint *c, struct member *member) {
  while (member->stage == STAGE_STOPPING)
    (void)hold(c, member, true);
}
