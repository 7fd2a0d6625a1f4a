/* Locks on files, of every kind, which one or two processes hold and another waits for: it gets them once the
 * last holder lets go, not before. flock and locks of a description (OFD) belong to all who share it. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

enum { WHOLE, SHARED, OFD, OWN, KINDS };

static const char *const paths[KINDS] = {"whole", "shared", "ofd", "own"};
/* Of each kind, whether the last holder is about to let go. */
static volatile int *may_come;

static int open_own(int kind) {
  int fd = open(paths[kind], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  return fd;
}

static int lock(int kind, int fd, short type, int waits) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  switch (kind) {
  case WHOLE:
    return flock(fd, LOCK_EX | (waits ? 0 : LOCK_NB));
  case SHARED:
    return flock(fd, (type == F_RDLCK ? LOCK_SH : LOCK_EX) | (waits ? 0 : LOCK_NB));
  case OFD:
    return fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, &range);
  default:
    return fcntl(fd, waits ? F_SETLKW : F_SETLK, &range);
  }
}

static pid_t start_waiter(int kind, const int files[KINDS]) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    alarm(300); /* should the others be gone without a word */
    for (int i = 0; i < KINDS; i++)
      CHECK(close(files[i]) == 0); /* or this one would hold them, too */
    CHECK(lock(kind, open_own(kind), F_WRLCK, 1) == 0 && may_come[kind]);
    _exit(0);
  }
  return pid;
}

/* Has what its parent holds by the same description, and locks of its own; it is the last to let go. */
static _Noreturn void hold(int up, int down, const int files[KINDS]) {
  char byte;
  alarm(300);
  int shared = open_own(SHARED), own = open_own(OWN);
  CHECK(close(files[SHARED]) == 0 && lock(SHARED, shared, F_RDLCK, 0) == 0 &&
        lock(OWN, own, F_RDLCK, 0) == 0);
  CHECK(write(up, "h", 1) == 1);
  for (int kind = 0; kind < KINDS; kind++) {
    CHECK(read(down, &byte, 1) == 1);
    may_come[kind] = 1;
    CHECK(close(kind == SHARED ? shared : kind == OWN ? own : files[kind]) == 0);
  }
  _exit(0);
}

/* A request that waits is in /proc/locks, behind "->". */
static void wait_until_waiting(int file) {
  char wanted[32], line[256];
  struct stat st;
  CHECK(fstat(file, &st) == 0);
  snprintf(wanted, sizeof wanted, ":%lu ", (unsigned long)st.st_ino);
  for (int found = 0; !found;) {
    FILE *locks = fopen("/proc/locks", "r");
    CHECK(locks);
    while (fgets(line, sizeof line, locks))
      found |= strstr(line, "->") && strstr(line, wanted);
    CHECK(fclose(locks) == 0);
  }
}

int main(void) {
  int up[2], down[2], files[KINDS], status;
  char byte;
  pid_t waiters[KINDS];
  may_come = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(may_come != MAP_FAILED && pipe(up) == 0 && pipe(down) == 0);
  for (int kind = 0; kind < KINDS; kind++) {
    files[kind] = open_own(kind);
    CHECK(lock(kind, files[kind], kind == SHARED || kind == OWN ? F_RDLCK : F_WRLCK, 0) == 0);
  }
  pid_t holder = fork();
  CHECK(holder >= 0);
  if (holder == 0)
    hold(up[1], down[0], files);
  CHECK(read(up[0], &byte, 1) == 1);
  for (int kind = 0; kind < KINDS; kind++) {
    waiters[kind] = start_waiter(kind, files);
    wait_until_waiting(files[kind]);
  }

  ready();
  wait_for_go();

  for (int kind = 0; kind < KINDS; kind++) {
    CHECK(close(files[kind]) == 0);
    int other = open_own(kind);
    CHECK(lock(kind, other, F_WRLCK, 0) == -1 && (errno == EAGAIN || errno == EACCES) && close(other) == 0);
    CHECK(write(down[1], "g", 1) == 1);
    CHECK(waitpid(waiters[kind], &status, 0) == waiters[kind] && status == 0);
  }
  CHECK(waitpid(holder, &status, 0) == holder && status == 0);
  success();
}
