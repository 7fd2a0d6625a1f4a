/* What a process has besides memory, descriptors and signals: ids, names, limits, layout. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "checkpoint.h"
#include "core/proc.h"
#include "core/sys.h"
#include "core/text.h"
#include "job.h"
#include "thread.h"

#ifndef ARCH_GET_XCOMP_PERM
#define ARCH_GET_XCOMP_PERM 0x1022
#endif

static ckpt_string string_or_empty(struct checkpoint *c, const char *text) {
  long offset = add_string(c, text);
  return offset < 0 ? 0 : (ckpt_string)offset;
}

/* ---- The image -------------------------------------------------------------------------------------- */

/* Only what changes the instructions a program may use: mitigations and virtualization differ between
 * machines that are otherwise alike. */
static void read_cpuid(uint32_t words[8]) {
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    words[0] = c & 0x7ed83203u;
    words[1] = d & 0x07808111u;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    words[2] = b & 0xfdaf0b39u;
    words[3] = c & 0x1a405f6au;
    words[4] = d & 0x03c0411cu;
  }
  if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) {
    words[5] = c & 0x00210961u;
    words[6] = d & 0x28000000u;
  }
  if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
    words[7] = a & 0x7u;
}

static uint64_t read_xcr0(uint32_t cpuid_1_ecx) {
  if (!(cpuid_1_ecx & bit_OSXSAVE))
    return 3;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | (uint64_t)high << 32;
}

static void read_boot_id(uint8_t id[16]) {
  char text[64];
  const char *at = text;
  if (sys_read_file("/proc/sys/kernel/random/boot_id", text, sizeof text) < 36)
    return;
  for (int i = 0; i < 16; i++) {
    if (*at == '-')
      at++;
    char digits[3] = {at[0], at[1], 0};
    const char *digit = digits;
    id[i] = (uint8_t)text_take_hex(&digit);
    at += 2;
  }
}

static int32_t read_last_pid(void) {
  char text[32];
  const char *at = text;
  return sys_read_file("/proc/sys/kernel/ns_last_pid", text, sizeof text) > 0
             ? (int32_t)text_take_decimal(&at)
             : 0;
}

static void describe_image(struct checkpoint *c) {
  struct ckpt_image *image = &c->image;
  struct utsname names;
  if (c->order) /* all of a job have one */
    memcpy(image->id, c->order->id, sizeof image->id);
  else if (sys(SYS_(getrandom), image->id, sizeof image->id, 0) != sizeof image->id)
    memcpy(image->id, &c->begin_ns, sizeof c->begin_ns);
  image->realtime_ns = (int64_t)now_ns(CLOCK_REALTIME);
  read_boot_id(image->boot_id);
  image->last_pid = read_last_pid();
  image->snapshot = CKPT_SNAPSHOT_STOP;
  image->process_count = c->order ? c->order->process_count : 1;
  image->leader = c->order ? c->order->leader : c->process.pid;
  image->page_size = CKPT_PAGE;
  read_cpuid(image->cpuid);
  image->xcr0 = read_xcr0(image->cpuid[0]);
  image->program = string_or_empty(c, ckpt_state.program);
  if (sys(SYS_(uname), &names) == 0) {
    image->kernel = string_or_empty(c, names.release);
    image->host = string_or_empty(c, names.nodename);
  }
}

/* From here they go on. A timer that was looked at later would expire too early by them. */
long describe_clocks(struct checkpoint *c) {
  c->image.monotonic_ns = (int64_t)now_ns(CLOCK_MONOTONIC);
  c->image.boottime_ns = (int64_t)now_ns(CLOCK_BOOTTIME);
  return 0;
}

/* ---- The process ------------------------------------------------------------------------------------ */

static uint32_t get_number(int option) {
  int value = 0;
  return sys(SYS_(prctl), option, &value, 0, 0, 0) < 0 ? 0 : (uint32_t)value;
}

static uint32_t get_result(int option) {
  long value = sys(SYS_(prctl), option, 0, 0, 0, 0);
  return value < 0 ? 0 : (uint32_t)value;
}

/* Before Linux 6.3 the kernel does not tell: then each command fails unless the process is registered. For
 * the global one nobody needs to be, to use it: there one counts as registered, which costs it nothing. */
static uint32_t read_barriers(void) {
  enum { GET_REGISTRATIONS = 1 << 9 };
  static const int commands[] = {MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
                                 MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ};
  long told = sys(SYS_(membarrier), GET_REGISTRATIONS, 0, 0);
  if (told >= 0)
    return (uint32_t)told & CKPT_BARRIERS;
  long known = sys(SYS_(membarrier), MEMBARRIER_CMD_QUERY, 0, 0);
  uint32_t registered = known > 0 ? (uint32_t)known & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED : 0;
  for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
    if (sys(SYS_(membarrier), commands[i], 0, 0) == 0)
      registered |= (uint32_t)commands[i] << 1; /* the one that registers for it comes next */
  return registered;
}

static void read_status(struct checkpoint *c, const char *status) {
  struct ckpt_process *p = &c->process;
  uint64_t ids[4];
  if (proc_fields(status, "Uid", ids, 4) == 4)
    for (int i = 0; i < 4; i++)
      p->uid[i] = (uint32_t)ids[i];
  if (proc_fields(status, "Gid", ids, 4) == 4)
    for (int i = 0; i < 4; i++)
      p->gid[i] = (uint32_t)ids[i];
  proc_field(status, "CapInh", 16, &p->cap_inheritable);
  proc_field(status, "CapPrm", 16, &p->cap_permitted);
  proc_field(status, "CapEff", 16, &p->cap_effective);
  if (c->writes_as_root)
    p->cap_effective = c->effective;
  proc_field(status, "CapBnd", 16, &p->cap_bounding);
  proc_field(status, "CapAmb", 16, &p->cap_ambient);
}

/* Memory is what a main thread that has ended has none of; the start is the process's. */
static void read_stat(struct ckpt_process *p, const char *stat, const char *main_stat) {
  p->pgid = (int32_t)proc_stat_field(stat, 5);
  p->sid = (int32_t)proc_stat_field(stat, 6);
  p->starttime = proc_starttime(main_stat);
  p->start_code = proc_stat_field(stat, 26);
  p->end_code = proc_stat_field(stat, 27);
  p->start_stack = proc_stat_field(stat, 28);
  p->start_data = proc_stat_field(stat, 45);
  p->end_data = proc_stat_field(stat, 46);
  p->start_brk = proc_stat_field(stat, 47);
  p->arg_start = proc_stat_field(stat, 48);
  p->arg_end = proc_stat_field(stat, 49);
  p->env_start = proc_stat_field(stat, 50);
  p->env_end = proc_stat_field(stat, 51);
}

static long read_groups(struct checkpoint *c) {
  long count = sys(SYS_(getgroups), 0, NULL);
  uint32_t *groups = count > 0 ? arena_take(&c->arena, (size_t)count * sizeof *groups) : NULL;
  if (count <= 0)
    return count;
  if (!groups)
    return -ENOMEM;
  count = sys(SYS_(getgroups), count, groups);
  c->groups = (struct list){.entries = groups, .count = count < 0 ? 0 : (size_t)count};
  return count < 0 ? count : 0;
}

static long read_link(struct checkpoint *c, const char *path, ckpt_string *result) {
  char target[PROC_PATH_MAX];
  long n = sys(SYS_(readlinkat), AT_FDCWD, path, target, sizeof target - 1);
  if (n < 0)
    return fail(c, n, "%s cannot be read: %s", path, text_errno(n));
  target[n] = 0;
  long offset = add_string(c, target);
  if (offset >= 0)
    *result = (ckpt_string)offset;
  return offset < 0 ? offset : 0;
}

static long read_places(struct checkpoint *c) {
  struct ckpt_process *p = &c->process;
  struct stat st;
  long result = read_link(c, "/proc/thread-self/exe", &p->exe);
  if (result == 0)
    result = read_link(c, "/proc/thread-self/cwd", &p->cwd);
  if (result == 0)
    result = read_link(c, "/proc/thread-self/root", &p->root);
  if (result < 0)
    return result;
  long directory = find_removed_directory(c, string_at(c, p->cwd));
  if (directory < 0)
    return directory;
  p->cwd_file = (uint32_t)directory;
  const char *exe = string_at(c, p->exe);
  if (sys(SYS_(newfstatat), AT_FDCWD, exe, &st, 0) == 0) {
    long file = add_file(c, &st, exe, 0);
    if (file < 0)
      return file;
    p->exe_file = (uint32_t)file;
  }
  return 0;
}

static long read_auxv(struct checkpoint *c) {
  c->auxv = arena_take(&c->arena, 4096);
  if (!c->auxv)
    return -ENOMEM;
  long n = sys_read_file("/proc/thread-self/auxv", c->auxv, 4096);
  c->auxv_size = n < 0 ? 0 : (size_t)n;
  return n < 0 ? fail(c, n, "/proc/self/auxv cannot be read: %s", text_errno(n)) : 0;
}

long describe_process(struct checkpoint *c) {
  enum { HALF = 4096 };
  struct ckpt_process *p = &c->process;
  char *text = arena_take(&c->arena, 2 * HALF);
  if (!text)
    return -ENOMEM;
  p->ppid = (int32_t)sys(SYS_(getppid));
  describe_image(c);
  long n = sys_read_file("/proc/thread-self/status", text, 2 * HALF);
  if (n < 0)
    return fail(c, n, "/proc/self/status cannot be read: %s", text_errno(n));
  read_status(c, text);
  n = sys_read_file("/proc/thread-self/stat", text, HALF);
  if (n > 0)
    n = sys_read_file("/proc/self/stat", text + HALF, HALF);
  if (n < 0)
    return fail(c, n, "/proc/self/stat cannot be read: %s", text_errno(n));
  read_stat(p, text, text + HALF);
  p->brk = (uint64_t)sys(SYS_(brk), 0);
  p->securebits = get_result(PR_GET_SECUREBITS);
  p->no_new_privs = get_result(PR_GET_NO_NEW_PRIVS);
  p->subreaper = get_number(PR_GET_CHILD_SUBREAPER);
  p->death_signal = get_number(PR_GET_PDEATHSIG);
  p->thp_disable = get_result(PR_GET_THP_DISABLE);
  long slack = sys(SYS_(prctl), PR_GET_TIMERSLACK, 0, 0, 0, 0);
  p->timer_slack = slack < 0 ? 0 : (uint64_t)slack;
  p->umask = c->umask;
  p->barriers = read_barriers();
  const struct thread_note *main_thread = c->threads.entries;
  p->nice = main_thread->thread.nice;
  p->personality = (uint32_t)sys(SYS_(personality), 0xffffffffu);
  if (sys_read_file("/proc/thread-self/oom_score_adj", text, 2 * HALF) > 0) {
    const char *at = text[0] == '-' ? text + 1 : text;
    int32_t value = (int32_t)text_take_decimal(&at);
    p->oom_score_adj = text[0] == '-' ? -value : value;
  }
  /* A thread has none, nor a main thread that has ended. */
  if (sys_read_file("/proc/self/coredump_filter", text, 2 * HALF) > 0) {
    const char *at = text;
    p->dump_filter = (uint32_t)text_take_hex(&at) + 1;
  }
  p->mdwe = get_result(CKPT_PR_GET_MDWE);
  p->merges = get_result(CKPT_PR_GET_MEMORY_MERGE);
  p->stop_signal = c->request.op == CKPT_REQUEST_JOIN ? c->order->stop_signal : c->request.stop_signal;
  p->orphan = c->request.op == CKPT_REQUEST_JOIN && c->order->parent == 0;
  p->resume = (uint64_t)&ckpt_state.resume;
  if (sys(SYS_(arch_prctl), ARCH_GET_XCOMP_PERM, &p->xcomp_perm) < 0)
    p->xcomp_perm = 0;
  p->command = string_or_empty(c, main_thread->thread.name);
  p->thread_count = (uint32_t)c->threads.count;
  long result = read_groups(c);
  if (result == 0)
    result = read_places(c);
  return result < 0 ? result : read_auxv(c);
}
