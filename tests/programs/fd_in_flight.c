/* Descriptors in flight: sent through a unix socket and not yet received, most of them open nowhere else. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#define MOST 4
#define BIG 100000

union control {
  struct cmsghdr head;
  char bytes[CMSG_SPACE(MOST * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

static char block[BIG], got[BIG];

static void pair(int type, int ends[2]) {
  CHECK(socketpair(AF_UNIX, type, 0, ends) == 0);
}

/* Sends the words with these descriptors, of which we keep none when they are to be given away. */
static void give(int fd, const char *words, const int *fds, size_t count, bool away) {
  union control control = {
      .head = {.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  struct iovec piece = {(void *)(unsigned long)words, strlen(words)};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
  CHECK(sendmsg(fd, &message, 0) == (ssize_t)strlen(words));
  for (size_t i = 0; i < count && away; i++)
    CHECK(close(fds[i]) == 0);
}

static void put(int fd, const char *bytes, size_t size) {
  CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* Takes exactly these words, with that many descriptors. */
static void take(int fd, const char *words, int *fds, size_t count) {
  union control control;
  size_t size = strlen(words);
  struct iovec piece = {got, size};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  CHECK(recvmsg(fd, &message, MSG_DONTWAIT) == (ssize_t)size && memcmp(got, words, size) == 0);
  CHECK(!(message.msg_flags & MSG_CTRUNC));
  if (count == 0) {
    CHECK(message.msg_controllen == 0);
    return;
  }
  CHECK(message.msg_controllen >= CMSG_LEN(count * sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS);
  CHECK(control.head.cmsg_len == CMSG_LEN(count * sizeof(int)));
  memcpy(fds, CMSG_DATA(&control.head), count * sizeof(int));
}

static void take_bytes(int fd, const char *bytes, size_t size) {
  ssize_t n = recv(fd, got, size, MSG_WAITALL);
  CHECK(n == (ssize_t)size && memcmp(got, bytes, size) == 0);
}

static int open_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 200; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

static struct flock whole_file(void) {
  return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* Another process is refused the lock. */
static void expect_lock(void) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct flock lock = whole_file();
    CHECK(fcntl(150, F_SETLK, &lock) == -1 && (errno == EAGAIN || errno == EACCES));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void offer_files(int to) {
  int file = open("shared", O_RDWR | O_CREAT, 0600), nameless = open("nameless", O_RDWR | O_CREAT, 0600);
  CHECK(write(file, "0123456789", 10) == 10 && write(nameless, "nowhere else", 12) == 12);
  CHECK(lseek(file, 3, SEEK_SET) == 3 && unlink("nameless") == 0 && lseek(nameless, 8, SEEK_SET) == 8);
  CHECK(dup2(file, 150) == 150 && close(file) == 0);
  give(to, "files", (int[]){150, nameless}, 2, false);
  struct flock lock = whole_file();
  CHECK(close(nameless) == 0 && fcntl(150, F_SETLK, &lock) == 0);
}

static void expect_files(int from) {
  int fds[2];
  char text[8] = "";
  expect_lock();
  take(from, "files", fds, 2);
  CHECK(read(150, text, 2) == 2 && read(fds[0], text + 2, 2) == 2 && strcmp(text, "3456") == 0);
  CHECK(read(fds[1], text, 8) == 4 && memcmp(text, "else", 4) == 0);
  CHECK(close(fds[0]) == 0 && close(fds[1]) == 0 && close(150) == 0 && unlink("shared") == 0);
}

static void try_lock(int to_fail) {
  int fd = open("locked", O_RDWR);
  struct flock lock = whole_file();
  CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == -to_fail && fcntl(fd, F_OFD_SETLK, &lock) == -to_fail);
  CHECK(close(fd) == 0);
}

/* Both kinds that belong to an open file, which nobody has. */
static void offer_locked(int to) {
  int fd = open("locked", O_RDWR | O_CREAT, 0600);
  struct flock lock = whole_file();
  CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0);
  give(to, "locked", &fd, 1, true);
  try_lock(1);
}

static void expect_locked(int from) {
  int fd;
  try_lock(1);
  take(from, "locked", &fd, 1);
  try_lock(1);
  CHECK(close(fd) == 0);
  try_lock(0);
  CHECK(unlink("locked") == 0);
}

/* Of this process itself: a pidfd, an entry in /proc that it has open as well, and one that it has not. */
static int offer_own(int to) {
  char text[3];
  int status = open("/proc/self/status", O_RDONLY), comm = open("/proc/self/comm", O_RDONLY);
  int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  CHECK(pidfd >= 0 && comm >= 0 && read(status, text, 3) == 3 && memcmp(text, "Nam", 3) == 0);
  give(to, "own", (int[]){status, pidfd, comm}, 3, false);
  CHECK(close(pidfd) == 0 && close(comm) == 0);
  return status;
}

static void expect_own(int from, int status) {
  int fds[3];
  char text[16] = "";
  take(from, "own", fds, 3);
  CHECK(read(fds[0], text, 2) == 2 && memcmp(text, "e:", 2) == 0);
  CHECK(read(status, text, 6) == 6 && memcmp(text, "\tfd_in", 6) == 0);
  CHECK(syscall(SYS_pidfd_send_signal, fds[1], 0, NULL, 0) == 0);
  CHECK(read(fds[2], text, sizeof text) == 13 && memcmp(text, "fd_in_flight\n", 13) == 0);
}

int main(void) {
  int stream[2], packets[2], files[2], inner[2], pipe_ends[2], fds[MOST], before;
  unsigned long count = 7;
  for (int i = 0; i < BIG; i++)
    block[i] = (char)(i * 31 + i / 256);
  pair(SOCK_STREAM, stream);
  pair(SOCK_SEQPACKET, packets);
  pair(SOCK_STREAM, files);
  CHECK(pipe(pipe_ends) == 0 && write(pipe_ends[1], "in the pipe", 11) == 11);
  put(stream[0], block, BIG);
  put(stream[0], "abc", 3);
  give(stream[0], "d", &pipe_ends[0], 1, true);
  give(stream[0], "ef", (int[]){pipe_ends[1], eventfd(7, EFD_NONBLOCK)}, 2, true);
  put(stream[0], "ghi", 3);
  offer_files(packets[0]);
  /* Sockets inside sockets: the one in flight has something in flight itself, and in the end the socket that
   * it lies in. */
  pair(SOCK_STREAM, inner);
  give(inner[0], "inner", (int[]){eventfd(3, EFD_NONBLOCK)}, 1, true);
  give(packets[0], "a pair", inner, 2, true);
  give(packets[0], "itself", packets, 2, false);
  int own = offer_own(packets[0]);
  offer_locked(files[0]);
  before = open_descriptors();
  ready();
  wait_for_go();

  CHECK(open_descriptors() == before);
  take_bytes(stream[1], block, BIG);
  take(stream[1], "abc", NULL, 0);
  take(stream[1], "d", fds, 1);
  take(stream[1], "ef", fds + 1, 2);
  take(stream[1], "ghi", NULL, 0);
  CHECK(read(fds[2], &count, sizeof count) == sizeof count && count == 7);
  CHECK(write(fds[1], "+", 1) == 1 && close(fds[1]) == 0);
  CHECK(read(fds[0], got, 100) == 12 && memcmp(got, "in the pipe+", 12) == 0 && read(fds[0], got, 1) == 0);
  expect_files(packets[1]);
  take(packets[1], "a pair", inner, 2);
  take(inner[1], "inner", fds, 1);
  CHECK(read(fds[0], &count, sizeof count) == sizeof count && count == 3);
  put(inner[1], "back", 4);
  take(inner[0], "back", NULL, 0);
  take(packets[1], "itself", fds, 2);
  expect_own(packets[1], own);
  expect_locked(files[1]);
  put(fds[1], "same", 4);
  take(packets[0], "same", NULL, 0);
  success();
}
