/* Settings of the process: umask, resource limits, nice value, I/O priority, personality, working directory,
 * prctl's. */
#include <dirent.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "check.h"

enum { IO_LOW = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6) };

static void set_dump_filter(const char *words) {
  FILE *file = fopen("/proc/self/coredump_filter", "we");
  CHECK(file && fputs(words, file) >= 0 && fclose(file) == 0);
}

static unsigned dump_filter(void) {
  unsigned filter = 0;
  FILE *file = fopen("/proc/self/coredump_filter", "re");
  CHECK(file && fscanf(file, "%x", &filter) == 1 && fclose(file) == 0);
  return filter;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  char wanted[PATH_MAX], cwd[PATH_MAX];
  CHECK(mkdir(argv[1], 0700) == 0 || errno == EEXIST);
  CHECK(chdir(argv[1]) == 0 && getcwd(wanted, sizeof wanted));
  umask(0137);
  struct rlimit files = {.rlim_cur = 333, .rlim_max = 444}, core = {.rlim_cur = 0, .rlim_max = 12345}, now;
  CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(setrlimit(RLIMIT_CORE, &core) == 0);
  int nicer = getpriority(PRIO_PROCESS, 0) < 7 ? 7 : 19; /* an ordinary user may not go back */
  CHECK(setpriority(PRIO_PROCESS, 0, nicer) == 0);
  CHECK(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IO_LOW) == 0);
  int persona = personality(0xffffffff);
  CHECK(personality((unsigned)persona | ADDR_COMPAT_LAYOUT) >= 0);
  CHECK(prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
  set_dump_filter("0x7f");
  /* Its files in /proc then belong to root. */
  CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
  /* No memory becomes executable any more (PR_SET_MDWE), and all to come is mergeable (PR_SET_MEMORY_MERGE).
   */
  prctl(65, 1, 0, 0, 0);
  prctl(67, 1, 0, 0, 0);
  int mdwe = prctl(66, 0, 0, 0, 0), merges = prctl(68, 0, 0, 0, 0);
  uid_t uid = getuid();
  gid_t gid = getgid();

  ready();
  wait_for_go();

  CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, wanted) == 0);
  CHECK(umask(0) == 0137);
  CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 333 && now.rlim_max == 444);
  CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 12345);
  CHECK(getpriority(PRIO_PROCESS, 0) == nicer);
  CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == IO_LOW);
  CHECK(personality(0xffffffff) == (persona | ADDR_COMPAT_LAYOUT));
  CHECK(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 123456);
  CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
  CHECK(prctl(66, 0, 0, 0, 0) == mdwe && prctl(68, 0, 0, 0, 0) == merges);
  CHECK(dump_filter() == 0x7f);
  int reaper = 0;
  CHECK(prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0) == 0 && reaper == 1);
  CHECK(getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid);
  success();
}
