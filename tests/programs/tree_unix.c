/* Unix sockets that processes find by name: a connection with what waits in both directions and a descriptor
 * in flight, one that waits to be accepted by another process, and datagrams. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"
#include "rights.h"

static int listener, mailbox;
static struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "listener"};
static struct sockaddr_un box = {.sun_family = AF_UNIX, .sun_path = "mailbox"};

static int bound(int type, const struct sockaddr_un *name) {
  int fd = socket(AF_UNIX, type, 0);
  CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)name, sizeof *name) == 0);
  return fd;
}

static int connected(int type, const struct sockaddr_un *name) {
  int fd = socket(AF_UNIX, type, 0);
  CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0);
  return fd;
}

static void put(int fd, const char *words) {
  CHECK(send(fd, words, strlen(words), MSG_NOSIGNAL) == (ssize_t)strlen(words));
}

static void expect(int fd, const char *words) {
  char got[64];
  ssize_t n = recv(fd, got, strlen(words), MSG_WAITALL);
  if (n != (ssize_t)strlen(words) || memcmp(got, words, (size_t)n) != 0)
    FAIL("process %d: %zd bytes instead of \"%s\" (%s)", getpid(), n, words, strerror(errno));
}

static void client(int parent) {
  alarm(300); /* should the parent be gone without a word */
  CHECK(close(listener) == 0 && close(mailbox) == 0);
  int stream = connected(SOCK_STREAM, &at), mail = connected(SOCK_DGRAM, &box);
  put(stream, "to server");
  int file = open("/proc/self/exe", O_RDONLY);
  CHECK(file >= 0 && lseek(file, 1, SEEK_SET) == 1);
  send_descriptor(stream, file);
  put(stream, "after");
  put(mail, "first");
  put(mail, "second");
  CHECK(write(parent, "1", 1) == 1);
  expect(parent, "2");
  int waiting = connected(SOCK_STREAM, &at);
  CHECK(write(parent, "3", 1) == 1);
  expect(parent, "go");

  expect(stream, "to client");
  put(waiting, "accepted");
  expect(waiting, "welcome");
  put(mail, "third");
  _exit(0);
}

int main(void) {
  int pair[2], status;
  char text[8];
  listener = bound(SOCK_STREAM, &at);
  mailbox = bound(SOCK_DGRAM, &box);
  CHECK(listen(listener, 4) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    client(pair[1]);
  CHECK(close(pair[1]) == 0);
  expect(pair[0], "1");
  int stream = accept(listener, NULL, NULL);
  put(stream, "to client");
  put(pair[0], "2");
  expect(pair[0], "3");
  ready();
  wait_for_go();

  put(pair[0], "go");
  expect(stream, "to server");
  int file = receive_descriptor(stream);
  CHECK(lseek(file, 0, SEEK_CUR) == 1 && read(file, text, 3) == 3 && memcmp(text, "ELF", 3) == 0);
  expect(stream, "after");
  int accepted = accept(listener, NULL, NULL);
  CHECK(accepted >= 0);
  expect(accepted, "accepted");
  put(accepted, "welcome");
  expect(mailbox, "first");
  expect(mailbox, "second");
  expect(mailbox, "third");
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(unlink(at.sun_path) == 0 && unlink(box.sun_path) == 0);
  success();
}
