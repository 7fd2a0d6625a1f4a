/* What two processes share: an open file with its position, a pipe and a pair of sockets with what waits in
 * them, an eventfd, an epoll set, a lock; and what each has for itself. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static int file, own_file, down[2], pair[2], counter, set;

static void child(void) {
  char text[64];
  alarm(300);                               /* should the parent be gone without a word */
  CHECK(lseek(own_file, 3, SEEK_SET) == 3); /* on the same description */
  close(own_file);
  own_file = open("/proc/self/exe", O_RDONLY);
  CHECK(own_file >= 0 && lseek(own_file, 1, SEEK_SET) == 1);
  close(down[1]);
  close(pair[0]);
  CHECK(write(pair[1], "up", 2) == 2);
  while (read(down[0], text, 1) == 1 && text[0] != 'g')
    ;
  CHECK(lseek(own_file, 0, SEEK_CUR) == 1 && read(own_file, text, 3) == 3 && memcmp(text, "ELF", 3) == 0);
  CHECK(write(file, "child ", 6) == 6);
  CHECK(recv(pair[1], text, sizeof text, 0) == 4 && memcmp(text, "down", 4) == 0);
  eventfd_t value;
  CHECK(eventfd_read(counter, &value) == 0 && value == 5);
  struct epoll_event event;
  CHECK(epoll_wait(set, &event, 1, 0) == 0);
  CHECK(read(down[0], text, sizeof text) == 7 && memcmp(text, "waiting", 7) == 0);
  CHECK(write(pair[1], "done", 4) == 4);
  CHECK(read(down[0], text, 1) == 0);
  _exit(3);
}

int main(void) {
  char name[] = "shared-XXXXXX", text[64];
  file = mkstemp(name);
  own_file = dup(open("/proc/self/exe", O_RDONLY));
  CHECK(file >= 0 && own_file >= 0 && pipe(down) == 0 && (counter = eventfd(5, 0)) >= 0);
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 && (set = epoll_create1(0)) >= 0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, counter, &event) == 0);
  CHECK(flock(file, LOCK_EX) == 0);
  CHECK(write(file, "both ", 5) == 5);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    child();
  close(down[0]);
  close(pair[1]);
  CHECK(read(pair[0], text, sizeof text) == 2 && write(pair[0], "down", 4) == 4);
  CHECK(lseek(own_file, 0, SEEK_CUR) == 3);

  ready();
  wait_for_go();

  CHECK(epoll_wait(set, &event, 1, -1) == 1 && event.data.u64 == 77);
  CHECK(write(file, "parent ", 7) == 7);
  CHECK(write(down[1], "gwaiting", 8) == 8);
  CHECK(recv(pair[0], text, sizeof text, 0) == 4 && memcmp(text, "done", 4) == 0);
  CHECK(lseek(file, 0, SEEK_CUR) == 18 && pread(file, text, 18, 0) == 18);
  CHECK(memcmp(text, "both parent child ", 18) == 0);
  CHECK(lseek(own_file, 0, SEEK_CUR) == 3);
  int other = open(name, O_RDWR);
  CHECK(flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
  close(down[1]);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  CHECK(flock(file, LOCK_UN) == 0 && flock(other, LOCK_EX | LOCK_NB) == 0);
  CHECK(unlink(name) == 0);
  success();
}
