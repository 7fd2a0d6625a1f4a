/* tree_removed PLACE: processes whose working directories have been removed: two have the same one, and their
 * parent has its own open as well. They come back in such ones, where nothing can be made, and whose parent
 * is still PLACE. */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static int place; /* a descriptor of it */

static void go_into_removed(const char *name) {
  CHECK(mkdirat(place, name, 0750) == 0 && fchdir(place) == 0 && chdir(name) == 0);
  CHECK(unlinkat(place, name, AT_REMOVEDIR) == 0);
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static void expect_removed(struct stat *here) {
  char path[PATH_MAX];
  struct stat above, outside;
  CHECK(getcwd(path, sizeof path) == NULL && errno == ENOENT);
  CHECK(open("new", O_WRONLY | O_CREAT, 0600) == -1 && errno == ENOENT);
  CHECK(stat(".", here) == 0 && S_ISDIR(here->st_mode) && here->st_nlink == 0 &&
        (here->st_mode & 07777) == 0750);
  CHECK(stat("..", &above) == 0 && fstat(place, &outside) == 0 && is_same(&above, &outside));
}

static int go[2][2], told[2][2]; /* pipes, of each of the children */

static pid_t start(int child) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid)
    return pid;
  char word;
  struct stat here;
  CHECK(close(go[0][1]) == 0 && close(go[1][1]) == 0); /* ends when the parent is gone */
  CHECK(read(go[child][0], &word, 1) == 1);
  expect_removed(&here);
  CHECK(write(told[child][1], &here, sizeof here) == sizeof here);
  _exit(0);
}

static struct stat hear(int child, pid_t pid) {
  struct stat there;
  int status;
  CHECK(write(go[child][1], "g", 1) == 1 && read(told[child][0], &there, sizeof there) == sizeof there);
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  return there;
}

int main(int argc, char **argv) {
  pid_t pids[2];
  int sockets[2];
  CHECK(argc == 2 && mkdir(argv[1], 0700) == 0);
  place = open(argv[1], O_RDONLY | O_DIRECTORY);
  CHECK(place >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  for (int i = 0; i < 2; i++)
    CHECK(pipe(go[i]) == 0 && pipe(told[i]) == 0);
  go_into_removed("theirs");
  for (int i = 0; i < 2; i++)
    pids[i] = start(i);
  for (int i = 0; i < 2; i++)
    CHECK(close(told[i][1]) == 0);
  go_into_removed("own");
  int opened = open(".", O_RDONLY | O_DIRECTORY);
  CHECK(opened >= 0);

  ready();
  wait_for_go();

  struct stat here, through;
  expect_removed(&here);
  CHECK(fstat(opened, &through) == 0 && is_same(&through, &here));
  struct stat first = hear(0, pids[0]), second = hear(1, pids[1]);
  CHECK(is_same(&first, &second) && !is_same(&first, &here));
  CHECK(close(place) == 0 && rmdir(argv[1]) == 0); /* nothing is left in it */
  success();
}
