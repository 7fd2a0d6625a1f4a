/* fd_inotify DIRECTORY: two inotify instances with watches that have gaps in their numbers, on directories
 * below each other and on a file, and an event that nobody has read yet. */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "check.h"

static void touch(const char *name) {
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

/* The next event must be this one. */
static void expect(int fd, int number, unsigned mask, const char *name) {
  static char buffer[4096], *next, *end;
  static int last = -1;
  CHECK(next == end || last == fd);
  if (next == end) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    CHECK(n > 0);
    next = buffer;
    end = buffer + n;
    last = fd;
  }
  struct inotify_event event;
  memcpy(&event, next, sizeof event);
  if (event.wd != number || event.mask != mask || strcmp(event.len ? next + sizeof event : "", name) != 0)
    FAIL("watch %d, mask %x, name %s", event.wd, event.mask, event.len ? next + sizeof event : "");
  next += sizeof event + event.len;
}

/* A restarted program is told that events are lost; one that went on has the one that waited. */
static void expect_the_first(int fd) {
  struct inotify_event event;
  ssize_t n = read(fd, &event, sizeof event);
  if (n == sizeof event)
    CHECK(event.wd == -1 && event.mask == IN_Q_OVERFLOW && event.len == 0);
  else
    expect(fd, 4, IN_CREATE, "early"); /* longer, as it has a name */
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK(mkdir(argv[1], 0700) == 0 && chdir(argv[1]) == 0 && mkdir("below", 0700) == 0 &&
        mkdir("below/deep", 0700) == 0);
  touch("file");
  int one = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), two = inotify_init1(0);
  CHECK(inotify_add_watch(one, ".", IN_DELETE) == 1);
  CHECK(inotify_add_watch(one, "file", IN_MODIFY | IN_ONESHOT) == 2);
  CHECK(inotify_add_watch(one, "/etc", IN_DELETE_SELF) == 3 && inotify_rm_watch(one, 3) == 0);
  struct inotify_event event;
  CHECK(read(one, &event, sizeof event) == sizeof event && event.wd == 3 && event.mask == IN_IGNORED);
  CHECK(inotify_add_watch(one, "below/deep", IN_CREATE) == 4);
  CHECK(inotify_add_watch(two, "below", IN_CREATE | IN_DELETE | IN_ONLYDIR) == 1);
  CHECK(inotify_add_watch(two, "/etc/passwd", IN_MODIFY) == 2);
  touch("below/deep/early");

  ready();
  wait_for_go();

  CHECK(fcntl(one, F_GETFL) == O_NONBLOCK && fcntl(one, F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(two, F_GETFL) == 0 && fcntl(two, F_GETFD) == 0);
  expect_the_first(one);
  touch("below/deep/later");
  touch("file");
  CHECK(unlink("file") == 0);
  expect(one, 4, IN_CREATE, "later");
  expect(one, 2, IN_MODIFY, "");
  expect(one, 2, IN_IGNORED, "");
  expect(one, 1, IN_DELETE, "file");
  CHECK(read(one, &event, sizeof event) == -1 && errno == EAGAIN);
  CHECK(fcntl(two, F_SETFL, O_NONBLOCK) == 0);
  if (read(two, &event, sizeof event) == sizeof event)
    CHECK(event.wd == -1 && event.mask == IN_Q_OVERFLOW);
  touch("below/new");
  expect(two, 1, IN_CREATE, "new");
  CHECK(read(two, &event, sizeof event) == -1 && errno == EAGAIN);
  success();
}
