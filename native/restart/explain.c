/* Words for what goes wrong in the restorer, which has none of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "plan.h"
#include "restorer/plan.h"
#include "say.h"

typedef unsigned long long ull;

static void explain_map(const struct image *image, const struct plan_news *news, const char *error) {
  const struct ckpt_region *region = image_region_at(image, news->a);
  const char *what =
      region && region->file ? image_string(image, image->files[region->file - 1].path) : "memory";
  if (region && region->flags & CKPT_REGION_HUGETLB) {
    ull size = 1ull << (region->flags >> CKPT_HUGE_SHIFT);
    say_problem("cannot map memory at %llx-%llx: %s; it needs %llu huge pages of %llu KiB, see "
                "/proc/sys/vm/nr_hugepages",
                (ull)news->a, (ull)news->b, error, (region->end - region->start) / size, size / 1024);
    return;
  }
  say_problem("cannot map %s at %llx-%llx: %s", what, (ull)news->a, (ull)news->b, error);
}

/* Who has a lock or a lease on this file: 0 when nobody tells, as of a lock that belongs to an open file. */
static int find_holder(const char *path) {
  FILE *locks = fopen("/proc/locks", "re");
  char line[256];
  struct stat st;
  int holder = 0;
  if (locks && stat(path, &st) == 0)
    while (holder <= 0 && fgets(line, sizeof line, locks)) {
      unsigned number, high, low;
      unsigned long ino;
      int pid;
      /* "1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; one that waits has an arrow for its kind. */
      if (sscanf(line, "%u: %*[A-Z] %*s %*s %d %x:%x:%lu", &number, &pid, &high, &low, &ino) == 5 &&
          ino == st.st_ino && high == major(st.st_dev) && low == minor(st.st_dev))
        holder = pid;
    }
  if (locks)
    fclose(locks);
  return holder > 0 ? holder : 0;
}

static void explain_lock(const struct image *image, const struct plan_news *news, const char *error) {
  const struct ckpt_lock *lock = &image->locks[news->a < image->locks_count ? news->a : 0];
  const char *name = image_string(image, image->descriptions[lock->description].name);
  const char *what = lock->kind == CKPT_LOCK_LEASE ? "lease" : "lock";
  bool taken = news->error == -EAGAIN || news->error == -EACCES;
  int holder = taken ? find_holder(name) : 0;
  if (holder)
    say_problem("cannot take the program's %s on %s back: process %d holds one", what, name, holder);
  else if (taken)
    say_problem("cannot take the program's %s on %s back: another process %s", what, name,
                lock->kind == CKPT_LOCK_LEASE ? "has it open" : "holds one");
  else
    say_problem("cannot take the program's %s on %s back: %s", what, name, error);
}

void plan_explain(const struct image *image, const struct plan_news *news) {
  const char *error = strerror((int)-news->error);
  ull a = news->a, b = news->b;
  switch ((enum plan_step)news->step) {
  case PLAN_STEP_VDSO:
    say_problem("cannot move the kernel's vdso from %llx to %llx: %s", a, b, error);
    break;
  case PLAN_STEP_UNMAP:
    say_problem("cannot clear memory at %llx-%llx: %s", a, b, error);
    break;
  case PLAN_STEP_MAP:
    explain_map(image, news, error);
    break;
  case PLAN_STEP_SEAL:
    say_problem("cannot seal a memfd as it was: %s", error);
    break;
  case PLAN_STEP_SEAL_MEMORY:
    say_problem("cannot seal memory at %llx-%llx, as it was: %s (mseal needs Linux 6.10)", a, b, error);
    break;
  case PLAN_STEP_SEGMENT:
    say_problem("cannot mark System V segment %llu for removal: %s", a, error);
    break;
  case PLAN_STEP_ADVISE:
    say_problem("memory at %llx-%llx cannot get its advice back: %s", a, b, error);
    break;
  case PLAN_STEP_LOCK_MEMORY:
    say_problem("cannot lock %llu KiB of memory: %s; see ulimit -l", (b - a) / 1024, error);
    break;
  case PLAN_STEP_LOCK_FUTURE:
    say_problem("cannot have the program's new memory locked, as it was: %s; see ulimit -l", error);
    break;
  case PLAN_STEP_GUARD:
    say_problem("cannot make guard pages at %llx-%llx: %s (they need Linux 6.13)", a, b, error);
    break;
  case PLAN_STEP_READ:
    say_problem("cannot read memory at %llx from the image: %s", a,
                news->error == -ENODATA ? "truncated" : error);
    break;
  case PLAN_STEP_CHECKSUM:
    say_problem(
        "the image is damaged: memory from %llx on does not match its checksum (chunk %llu); ckpt verify "
        "says which images of the job are whole",
        a, b);
    break;
  case PLAN_STEP_WORKER:
    say_problem("cannot wait for a reading thread: %s", error);
    break;
  case PLAN_STEP_PROTECT:
    say_problem("cannot protect memory at %llx-%llx: %s", a, b, error);
    break;
  case PLAN_STEP_MM:
    say_problem("cannot set the program's memory layout: %s", error);
    break;
  case PLAN_STEP_SIGACTION:
    say_problem("cannot set the action of signal %llu: %s", a, error);
    break;
  case PLAN_STEP_RLIMIT:
    say_problem("cannot set resource limit %llu: %s", a, error);
    break;
  case PLAN_STEP_FILE_LOCK:
    explain_lock(image, news, error);
    break;
  case PLAN_STEP_THREAD:
    say_problem("cannot set up the thread (fs %llx): %s", a, error);
    break;
  case PLAN_STEP_START_THREAD:
    say_problem("cannot start thread %llu: %s; --pid=namespace gives its threads a namespace where their ids "
                "are free",
                a, error);
    break;
  case PLAN_STEP_XCOMP:
    say_problem("this kernel or CPU does not allow the extended state %llu that the program uses: %s", a,
                error);
    break;
  case PLAN_STEP_BARRIER:
    say_problem("this kernel does not know the memory barrier that the program uses (membarrier, %llu): %s",
                a, error);
    break;
  case PLAN_STEP_GROUPS:
    say_problem("cannot set the program's groups: %s", error);
    break;
  case PLAN_STEP_GIDS:
    say_problem("cannot set the program's group %llu: %s", a, error);
    break;
  case PLAN_STEP_UIDS:
    say_problem("cannot set the program's user %llu: %s", a, error);
    break;
  case PLAN_STEP_CAPABILITIES:
    say_problem("cannot set the program's capabilities: %s", error);
    break;
  case PLAN_STEP_PRCTL:
    say_problem("cannot set property %llu of the process: %s", a, error);
    break;
  case PLAN_STEP_CLOSE:
    say_problem("cannot close restart's own descriptors: %s", error);
    break;
  case PLAN_STEP_SIGNAL:
    say_problem("cannot queue the pending signal %llu again: %s", a, error);
    break;
  case PLAN_STEP_ITIMER:
    say_problem("cannot start interval timer %llu again: %s", a, error);
    break;
  case PLAN_STEP_TIMER:
    say_problem("cannot make POSIX timer %llu again: %s", a, error);
    break;
  case PLAN_STEP_AIO:
    say_problem("cannot make the queue of asynchronous I/O at %llx again: %s; see /proc/sys/fs/aio-max-nr", a,
                news->error == -ENOSPC ? "this machine, with more CPUs, makes larger ones" : error);
    break;
  case PLAN_STEP_NOTIFY:
    say_problem("the message queue that is descriptor %llu cannot notify the program again: %s", a, error);
    break;
  case PLAN_STEP_OWNER:
    say_problem("descriptor %llu cannot signal thread %llu again: %s", a, b, error);
    break;
  default:
    say_problem("the restorer failed: %s", error);
  }
}
