/* What is in flight from one process to another, while the sender or somebody else has it open as well: it is
 * the same open file, with its position. Pipes and connections one end of which is nowhere but in flight. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rights.h"
#include "talk.h"

static int down[2], up[2]; /* descriptors to the child, and to the parent: the second end receives */
static int orders[2], answers[2];

static int text_file(const char *name) {
  int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10 && lseek(fd, 2, SEEK_SET) == 2);
  return fd;
}

static void tcp_pair(int ends[2]) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(ends[0], (struct sockaddr *)&at, size) == 0);
  ends[1] = accept(listener, NULL, NULL);
  CHECK(ends[1] >= 0 && close(listener) == 0);
}

static int open_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 200; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

static struct flock some_bytes(void) {
  return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
}

/* Under the first number that is free. */
static void open_what_is_refused(void) {
  CHECK(mkfifo("removed", 0600) == 0 && open("removed", O_PATH) >= 0 && unlink("removed") == 0);
}

static void child(bool refused) {
  int pipe_ends[2];
  alarm(300); /* should the parent be gone without a word */
  CHECK(close(down[0]) == 0 && close(up[1]) == 0 && close(orders[1]) == 0 && close(answers[0]) == 0);
  if (refused)
    open_what_is_refused();
  CHECK(pipe(pipe_ends) == 0);
  int file = text_file("child's"), locked = open("parent's", O_RDWR);
  struct flock lock = some_bytes();
  CHECK(locked >= 0 && fcntl(locked, F_SETLK, &lock) == 0);
  send_descriptor(up[0], file);
  tell(pipe_ends[1], "before ");
  send_away(up[0], pipe_ends[0]);
  int before = open_descriptors();
  tell(answers[1], "ready");
  expect_next(orders[0], "take");

  CHECK(open_descriptors() == before);
  int shared = receive_descriptor(down[1]), writer = receive_descriptor(down[1]);
  int inner = receive_descriptor(down[1]), tcp = receive_descriptor(down[1]);
  int again = receive_descriptor(down[1]), output = receive_descriptor(down[1]),
      nested = receive_descriptor(inner);
  struct stat here, there;
  CHECK(fstat(output, &there) == 0 && fstat(STDOUT_FILENO, &here) == 0 && here.st_ino == there.st_ino);
  expect_next(shared, "23");
  expect_next(again, "4");
  expect_next(nested, "23");
  tell(writer, "after");
  expect_next(tcp, "to the child");
  tell(tcp, "to the parent");
  tell(inner, "inside");
  tell(answers[1], "taken");
  expect_next(orders[0], "go on");
  expect_next(file, "56");
  tell(pipe_ends[1], "after");
  _exit(0);
}

/* With any argument the child has something that cannot be saved. */
int main(int argc, char **argv) {
  (void)argv;
  int pipe_ends[2], inner[2], tcp[2], status;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, down) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, up) == 0);
  CHECK(pipe(orders) == 0 && pipe(answers) == 0);
  int shared = text_file("parent's"), nameless = text_file("nameless");
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(close(shared) == 0 && close(nameless) == 0);
    child(argc > 1);
  }
  CHECK(close(down[1]) == 0 && close(up[0]) == 0 && close(orders[0]) == 0 && close(answers[1]) == 0);
  CHECK(pipe(pipe_ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0);
  tcp_pair(tcp);
  CHECK(unlink("nameless") == 0);
  send_descriptor(down[0], shared);
  tell(pipe_ends[1], "before ");
  send_away(down[0], pipe_ends[1]);
  send_descriptor(inner[0], nameless);
  send_away(down[0], inner[1]);
  tell(tcp[0], "to the child");
  send_away(down[0], tcp[1]);
  send_descriptor(down[0], shared);
  send_descriptor(down[0], STDOUT_FILENO);
  expect_next(answers[0], "ready");
  int before = open_descriptors();
  ready();
  wait_for_go();

  struct flock lock = some_bytes();
  CHECK(open_descriptors() == before);
  CHECK(fcntl(shared, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_pid == pid);
  tell(orders[1], "take");
  expect_next(answers[0], "taken");
  expect_next(shared, "56");
  expect_next(nameless, "45");
  expect_next(pipe_ends[0], "before after");
  expect_next(tcp[0], "to the parent");
  expect_next(inner[0], "inside");
  int theirs = receive_descriptor(up[1]), reader = receive_descriptor(up[1]);
  expect_next(theirs, "234");
  tell(orders[1], "go on");
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  expect_next(theirs, "7");
  expect_next(reader, "before after");
  CHECK(unlink("parent's") == 0 && unlink("child's") == 0);
  success();
}
