/* Requests that reach one thread while another leads a checkpoint, which is held up by its hooks until the
 * request has arrived: they end no wait of that thread, neither before the freeze nor after the thaw. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "../../native/include/ckpt.h"
#include "check.h"

static int ends[2];
static pid_t waiter;
static unsigned thaws;

static int waiter_shows(const char *file, const char *words) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", waiter, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  ssize_t length = read(fd, text, sizeof text - 1);
  CHECK(length > 0 && close(fd) == 0);
  text[length] = 0;
  return strstr(text, words) != NULL;
}

/* Until it sleeps, until the signal has left the queue, and until the wait goes on. */
static void request_from_waiter(void) {
  while (!waiter_shows("status", "State:\tS"))
    continue;
  CHECK(syscall(SYS_tgkill, getpid(), waiter, SIGUSR2) == 0);
  while (!waiter_shows("status", "SigPnd:\t0000000000000000") || !waiter_shows("status", "State:\tS"))
    continue;
}

static void before(void *unused) {
  (void)unused;
  request_from_waiter();
}

/* This request is late, and makes one more checkpoint: only every other time. */
static void after(void *unused) {
  (void)unused;
  if (thaws++ % 2 == 0)
    request_from_waiter();
}

static void *wait_for_byte(void *unused) {
  struct pollfd one = {.fd = ends[0], .events = POLLIN};
  waiter = (pid_t)syscall(SYS_gettid);
  errno = 0;
  if (poll(&one, 1, -1) != 1 || errno != 0)
    FAIL("the wait ended with error %d", errno);
  return unused;
}

int main(void) {
  pthread_t thread;
  CHECK(pipe(ends) == 0 && ckpt_hook(before, after, NULL, NULL) > 0);
  CHECK(pthread_create(&thread, NULL, wait_for_byte, NULL) == 0);
  while (!*(volatile pid_t *)&waiter)
    continue;
  ready();
  wait_for_go();
  CHECK(write(ends[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
  success();
}
