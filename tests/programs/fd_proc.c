/* Files of the kernel's: of the process itself, of the system, a directory in the middle of being read, and a
 * symbolic link itself. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "check.h"

static volatile int number = 4711;

static void *sleep_on(void *unused) {
  for (;;)
    pause();
  return unused;
}

/* What follows in a file that was half read is about this process as it is. */
static void expect_rest(int status) {
  char text[8192];
  ssize_t n = read(status, text, sizeof text - 1);
  CHECK(n > 0);
  text[n] = 0;
  CHECK(memcmp(text, "renamed\n", 8) == 0 && strstr(text, "\nThreads:\t2\n"));
}

int main(void) {
  char text[4096], told[64];
  int comm = open("/proc/self/comm", O_RDWR | O_CLOEXEC), memory = open("/proc/self/mem", O_RDWR);
  int status = open("/proc/self/status", O_RDONLY), task = open("/proc/thread-self/stat", O_RDONLY);
  int uptime = open("/proc/uptime", O_RDONLY), self = open("/proc/self/", O_PATH | O_DIRECTORY);
  int link = open("/proc/self/exe", O_PATH | O_NOFOLLOW),
      system = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
  CHECK(comm >= 0 && memory >= 0 && status >= 0 && task >= 0 && uptime >= 0 && self >= 0 && link >= 0 &&
        system >= 0);
  CHECK(write(comm, "renamed", 7) == 7);
  CHECK(read(status, text, 6) == 6 && memcmp(text, "Name:\t", 6) == 0);
  CHECK(lseek(memory, (off_t)&number, SEEK_SET) == (off_t)&number);

  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, sleep_on, NULL) == 0);
  int half = open("/proc/self/status", O_RDONLY);
  CHECK(read(half, text, 6) == 6);

  ready();
  wait_for_go();

  int changed = 1147;
  expect_rest(half);
  CHECK(lseek(status, 0, SEEK_CUR) == 6 && lseek(status, 0, SEEK_SET) == 0);
  CHECK(read(status, text, 14) == 14 && memcmp(text, "Name:\trenamed\n", 14) == 0);
  CHECK(write(memory, &changed, sizeof changed) == sizeof changed && number == 1147);
  CHECK(fcntl(comm, F_GETFD) == FD_CLOEXEC && write(comm, "again", 5) == 5);
  CHECK(lseek(comm, 0, SEEK_SET) == 0 && read(comm, text, sizeof text) == 6 &&
        memcmp(text, "again\n", 6) == 0);
  int length = snprintf(told, sizeof told, "%d (again) ", getpid());
  CHECK(read(task, text, sizeof text) > length && memcmp(text, told, (size_t)length) == 0);
  CHECK(read(uptime, text, sizeof text) > 4 && strchr(text, '.'));
  CHECK(faccessat(self, "fd", R_OK, 0) == 0 && readlinkat(link, "", text, sizeof text) > 1 && text[0] == '/');
  CHECK(read(system, text, sizeof text) > 4 && memchr(text, '[', 64));
  success();
}
