/* libckpt.so as it is loaded: into any program, before its main(), through LD_PRELOAD.
 *
 * Everything in this folder runs inside somebody else's program, most of it in a signal handler. So: no
 * libc, no malloc, no locks, no thread-local storage, no errno; every return value is checked. */
#include <errno.h>
#include <fcntl.h>
#include <linux/auxvec.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/dir.h"
#include "core/sys.h"
#include "core/text.h"
#include "format/image.h"
#include "state.h"

#define KERNEL_SA_RESTORER 0x04000000u

struct state ckpt_state;

extern void *ckpt_chained[2] __attribute__((visibility("hidden")));

long ckpt_take_signal(int signal) {
  bool shared = __atomic_load_n(&ckpt_state.alternate.shared, __ATOMIC_RELAXED);
  struct kernel_sigaction before;
  struct kernel_sigaction ours = {
      .handler = (void *)ckpt_signal_entry,
      .flags = SA_SIGINFO | SA_RESTART | (shared ? 0 : SA_ONSTACK) | KERNEL_SA_RESTORER,
      .restorer = (void *)ckpt_signal_return,
      .mask = ~0ull,
  };
  long result = sys(SYS_(rt_sigaction), signal, &ours, &before, sizeof ours.mask);
  bool chained = signal == CKPT_CONTROL_SIGNAL || signal == CKPT_OTHER_SIGNAL;
  if (result < 0 || !chained || before.handler == (void *)ckpt_signal_entry)
    return result;
  ckpt_chained[signal - CKPT_CONTROL_SIGNAL] = before.handler == SIG_IGN ? SIG_DFL : before.handler;
  if (before.handler != SIG_DFL && before.handler != SIG_IGN && !(before.flags & SA_RESTART))
    ckpt_state.others_interrupt = true;
  return result;
}

static void complain(const char *what, const char *value, const char *instead) {
  char buffer[512];
  struct text line = text_in(buffer, sizeof buffer);
  text_format(&line, "ckpt: %s: %s; %s\n", what, value, instead);
  sys_write_full(2, buffer, line.length);
}

static void use_signal(const char *value) {
  uint64_t number;
  bool usable = text_is_decimal(value, &number) && number >= 1 && number <= 64 && number != SIGKILL &&
                number != SIGSTOP && number != CKPT_CONTROL_SIGNAL && number != CKPT_OTHER_SIGNAL;
  if (usable)
    ckpt_state.signal = (int)number;
  else
    complain("CKPT_SIGNAL is not a signal number that a program can take", value, "12 is used");
}

static void use_timeout(const char *value) {
  enum { MOST = 86400 };
  uint64_t seconds;
  if (text_is_decimal(value, &seconds) && seconds >= 1 && seconds <= MOST)
    ckpt_state.timeout_ms = (uint32_t)seconds * 1000;
  else
    complain("CKPT_TIMEOUT must be a whole number of seconds from 1 to 86400", value, "10 is used");
}

static void use_name(const char *value) {
  bool usable = value[0] && value[0] != '.' && strlen(value) < sizeof ckpt_state.name;
  for (const char *at = value; *at; at++)
    usable = usable && *at != '/' && *at != '\n';
  if (usable)
    text_copy(ckpt_state.name, sizeof ckpt_state.name, value);
  else
    complain("CKPT_NAME must be a file name that does not begin with a dot", value, "PROGRAM-PID is used");
}

static void use_with_files(const char *value) {
  if (strlen(value) < sizeof ckpt_state.with_files)
    text_copy(ckpt_state.with_files, sizeof ckpt_state.with_files, value);
  else
    complain("CKPT_WITH_FILES", "it has more than 1023 bytes", "no files are carried");
}

static void use_ignore(const char *value) {
  if (strlen(value) < sizeof ckpt_state.ignore)
    text_copy(ckpt_state.ignore, sizeof ckpt_state.ignore, value);
  else
    complain("CKPT_IGNORE", "it has more than 1023 bytes", "no processes are left out");
}

static void use_tcp(const char *value) {
  ckpt_state.tcp_repair = text_equal(value, "repair");
  if (!ckpt_state.tcp_repair && !text_equal(value, "reset"))
    complain("CKPT_TCP is neither repair nor reset", value, "images hold no connections to the outside");
}

/* Relative directories are meant from where the program started, whatever it does to its cwd later. */
static void use_dir(const char *value) {
  struct text dir = text_in(ckpt_state.dir, sizeof ckpt_state.dir);
  if (value[0] != '/') {
    if (sys(SYS_(getcwd), ckpt_state.dir, sizeof ckpt_state.dir) < 0)
      ckpt_state.dir[0] = 0;
    dir.length = strlen(ckpt_state.dir);
    if (!text_ends(ckpt_state.dir, "/"))
      text_add(&dir, "/");
  }
  text_add(&dir, value);
  while (dir.length > 1 && dir.data[dir.length - 1] == '/')
    dir.data[--dir.length] = 0;
}

/* Begins with the id of whoever started the job: its child is the root. */
static void use_job(const char *value) {
  const char *at = value;
  if (strlen(value) + sizeof "CKPT_JOB=" > sizeof ckpt_state.job)
    return;
  int32_t starter = (int32_t)text_take_decimal(&at);
  if (*at != '-' || starter <= 0)
    return;
  struct text job = text_in(ckpt_state.job, sizeof ckpt_state.job);
  text_format(&job, "CKPT_JOB=%s", value);
  if (starter == (int32_t)sys(SYS_(getppid)))
    ckpt_state.resume.root = (int32_t)sys(SYS_(getpid));
}

static void use_variable(const char *variable) {
  static const struct {
    const char *name;
    void (*use)(const char *);
  } known[] = {{"CKPT_DIR=", use_dir},
               {"CKPT_NAME=", use_name},
               {"CKPT_SIGNAL=", use_signal},
               {"CKPT_TIMEOUT=", use_timeout},
               {"CKPT_WITH_FILES=", use_with_files},
               {"CKPT_IGNORE=", use_ignore},
               {"CKPT_TCP=", use_tcp},
               {"CKPT_JOB=", use_job}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (text_starts(variable, known[i].name) && variable[strlen(known[i].name)])
      known[i].use(variable + strlen(known[i].name));
  if (text_starts(variable, "CKPT_FORCE=")) {
    ckpt_state.force_pagemap = text_equal(variable, "CKPT_FORCE=pagemap");
    ckpt_state.force_fcntl = text_equal(variable, "CKPT_FORCE=fcntl");
  }
}

/* The kernel's copy of the environment: a library without libc cannot count on environ, and musl gives
 * constructors no arguments. */
static void read_environment(void) {
  enum { MOST = 4 << 20 }; /* more than the kernel's limit for one exec under the default stack size */
  long memory =
      sys(SYS_(mmap), 0, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory < 0 && memory > -4096)
    return;
  char *text = (char *)memory;
  long length = sys_read_file("/proc/self/environ", text, MOST);
  for (long at = 0; at < length; at += (long)strlen(text + at) + 1)
    use_variable(text + at);
  sys(SYS_(munmap), memory, MOST);
}

/* What the user typed: for a script that is the script, not its interpreter. */
static void read_program_name(void) {
  uint64_t entries[2 * 64];
  long length = sys_read_file("/proc/self/auxv", (char *)entries, sizeof entries);
  const char *path = "program";
  for (long i = 0; (i + 2) * 8 <= length && entries[i] != AT_NULL; i += 2)
    if (entries[i] == AT_EXECFN && entries[i + 1])
      path = (const char *)entries[i + 1];
  const char *base = text_base(path);
  while (*base == '.')
    base++;
  text_copy(ckpt_state.program, sizeof ckpt_state.program, *base ? base : "program");
  for (char *at = ckpt_state.program; *at; at++)
    if (*at == '/' || *at == '\n')
      *at = '_';
}

/* Those are the starter's choice, not the program's. */
static void remember_cpus(void) {
  struct ckpt_resume *resume = &ckpt_state.resume;
  if (sys(SYS_(sched_getaffinity), 0, sizeof resume->cpus, resume->cpus) < 0)
    memset(resume->cpus, 0, sizeof resume->cpus);
}

extern char ckpt_parking_page[] __attribute__((visibility("hidden")));

__attribute__((constructor)) static void ckpt_load(void) {
  ckpt_state.signal = SIGUSR2;
  ckpt_state.timeout_ms = 10000;
  ckpt_state.resume.size = sizeof ckpt_state.resume;
  remember_cpus();
  read_program_name();
  use_dir("ckpt");
  read_environment();
  remember_inherited();
  sys(SYS_(madvise), ckpt_parking_page, CKPT_PAGE, MADV_WIPEONFORK);
  ckpt_take_signal(ckpt_state.signal);
  ckpt_take_signal(CKPT_CONTROL_SIGNAL);
}
