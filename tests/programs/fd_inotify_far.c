/* fd_inotify_far DIRECTORY: watches far from where the program works: below a directory that only a variable
 * names, and below /usr/share. */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "check.h"

/* A restarted program is told that events are lost; one that went on has none. */
static void expect(int fd, const char *name) {
  char buffer[4096] __attribute__((aligned(8)));
  const struct inotify_event *event = (const struct inotify_event *)buffer;
  CHECK(read(fd, buffer, sizeof buffer) > 0);
  if (event->mask == IN_Q_OVERFLOW)
    event++;
  CHECK(event->wd == 1 && event->mask == (IN_CREATE | IN_ISDIR) && strcmp(event->name, name) == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 1 || argc == 2);
  if (argc == 2) { /* its arguments are looked at as well */
    CHECK(mkdir(argv[1], 0700) == 0 && setenv("FAR", argv[1], 1) == 0);
    CHECK(chdir("/etc") == 0 && execl(argv[0], argv[0], NULL) == 0);
  }
  int far = open(getenv("FAR"), O_PATH | O_DIRECTORY), instance = inotify_init1(0);
  CHECK(far >= 0 && instance >= 0 && mkdirat(far, "below", 0700) == 0);
  CHECK(mkdirat(far, "below/deep", 0700) == 0 && fchdir(far) == 0);
  CHECK(inotify_add_watch(instance, "below/deep", IN_CREATE) == 1);
  CHECK(inotify_add_watch(instance, "/usr/share/doc", IN_DELETE_SELF) == 2);
  CHECK(chdir("/etc") == 0 && close(far) == 0);
  ready();
  wait_for_go();
  CHECK(chdir(getenv("FAR")) == 0 && mkdir("below/deep/new", 0700) == 0);
  expect(instance, "new");
  success();
}
