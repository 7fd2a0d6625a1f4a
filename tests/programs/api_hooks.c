/* api_hooks: hooks run in their order around a checkpoint that comes by signal ("go" ends it) and around one
 * of its own ("self"), take a lock that another thread holds, keep errno, and have the program's limits. */
#include <pthread.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../../native/include/ckpt.h"
#include "check.h"

enum { FILES = 20, SIZE = 100000 };

static char log_text[4096];
static size_t log_length;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool stop;

/* A checkpoint raises limits: not for hooks. */
static void check_limits(void) {
  struct rlimit files, size;
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == FILES);
  CHECK(getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur == SIZE);
  CHECK(prctl(PR_GET_DUMPABLE) == 0);
}

static void note(const char *what, const void *argument) {
  check_limits();
  size_t length = strlen(what);
  CHECK(log_length + length + 2 < sizeof log_text);
  memcpy(log_text + log_length, what, length);
  log_length += length;
  log_text[log_length++] = *(const char *)argument;
  log_text[log_length++] = ' ';
  errno = EXDEV;
}

static void before(void *argument) {
  CHECK(ckpt_checkpoint() == -EBUSY);
  if (*(char *)argument == 'b')
    CHECK(pthread_mutex_lock(&mutex) == 0);
  ckpt_defer();
  CHECK(ckpt_allow() == 0);
  note("before-", argument);
}

static void after(void *argument) {
  if (*(char *)argument == 'b')
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  note("after-", argument);
}

static void restarted(void *argument) {
  if (*(char *)argument == 'b')
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  note("restarted-", argument);
}

static void *hold_often(void *argument) {
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    sched_yield();
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  }
  return argument;
}

static void fill_the_table(void) {
  int ids[64];
  int count = 0;
  while ((ids[count] = ckpt_hook(NULL, NULL, NULL, NULL)) > 0)
    count++;
  CHECK(ids[count] == -ENOSPC && count == 32);
  while (count > 0)
    CHECK(ckpt_unhook(ids[--count]) == 0);
  CHECK(ckpt_unhook(ids[0]) == -ENOENT);
}

int main(void) {
  char line[64];
  pthread_t thread;
  fill_the_table();
  struct rlimit files, size;
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0 && getrlimit(RLIMIT_FSIZE, &size) == 0);
  files.rlim_cur = FILES;
  size.rlim_cur = SIZE;
  CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_FSIZE, &size) == 0);
  CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
  int gone = ckpt_hook(before, after, restarted, "x");
  CHECK(ckpt_hook(before, after, restarted, "a") > 0);
  CHECK(ckpt_hook(before, after, restarted, "b") > 0);
  CHECK(ckpt_unhook(gone) == 0);
  CHECK(pthread_create(&thread, NULL, hold_often, NULL) == 0);
  ready();
  for (;;) {
    errno = EDOM;
    read_line(line, sizeof line);
    CHECK(errno == EDOM);
    if (strcmp(line, "go") == 0)
      break;
    if (strcmp(line, "self") == 0)
      dprintf(1, "checkpoint gave %d\n", ckpt_checkpoint());
    if (strcmp(line, "log") == 0)
      dprintf(1, "%.*s\n", (int)log_length, log_text);
  }
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  CHECK(pthread_join(thread, NULL) == 0);
  success();
}
