/* Epoll sets between processes: one that two share and both wait at, of a pipe and a socket that they share;
 * and those of one process alone that watch what the other has, too, under another number or no longer. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "asleep.h"
#include "talk.h"

static int set, news[2], talk[2], counter, go[2];

static void watch(int of, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  CHECK(epoll_ctl(of, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void expect(int of, int timeout, uint32_t events, uint64_t data) {
  struct epoll_event got[4];
  CHECK(epoll_wait(of, got, 4, timeout) == 1 && got[0].events == events && got[0].data.u64 == data);
}

static void expect_nothing(int of) {
  struct epoll_event got;
  CHECK(epoll_wait(of, &got, 1, 0) == 0);
}

static _Noreturn void child(void) {
  alarm(300); /* should the parent be gone without a word */
  int own = epoll_create1(0), moved = fcntl(counter, F_DUPFD, 100);
  CHECK(own >= 0 && moved == 100 && close(go[1]) == 0);
  watch(own, moved, EPOLLIN | EPOLLET, 11);
  watch(own, news[0], EPOLLIN, 12);
  tell(talk[1], "r");
  expect(set, -1, EPOLLIN, 2); /* waits when the program is saved */
  expect_next(talk[1], "to child");
  expect(own, -1, EPOLLIN, 11);
  expect_nothing(own);
  CHECK(eventfd_write(counter, 1) == 0);
  expect(own, 0, EPOLLIN, 11);
  watch(set, counter, EPOLLIN, 3); /* its parent's set, too */
  tell(talk[1], "added");
  expect_next(go[0], "g");
  expect(own, 0, EPOLLIN, 12);
  expect_next(news[0], "news");
  expect_nothing(own);
  _exit(3);
}

int main(void) {
  int status;
  set = epoll_create1(0);
  counter = eventfd(0, EFD_NONBLOCK);
  CHECK(set >= 0 && counter >= 0 && pipe(news) == 0 && pipe(go) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, talk) == 0);
  watch(set, news[0], EPOLLIN, 1);
  watch(set, talk[1], EPOLLIN, 2);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    child();
  int own = epoll_create1(0);
  CHECK(own >= 0);
  watch(own, counter, EPOLLIN, 21);
  watch(own, news[0], EPOLLIN, 22);
  expect_next(talk[0], "r");
  wait_until_asleep(pid);

  ready();
  wait_for_go();

  expect_nothing(set);
  expect_nothing(own);
  tell(talk[0], "to child");
  CHECK(eventfd_write(counter, 1) == 0);
  expect(own, 0, EPOLLIN, 21);
  expect_next(talk[0], "added");
  expect(set, 0, EPOLLIN, 3);
  struct epoll_event none = {0};
  eventfd_t value;
  CHECK(epoll_ctl(set, EPOLL_CTL_DEL, counter, &none) == 0);
  CHECK(eventfd_read(counter, &value) == 0 && value == 2);
  tell(news[1], "news");
  expect(set, 0, EPOLLIN, 1);
  expect(own, 0, EPOLLIN, 22);
  tell(go[1], "g");
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  expect_nothing(set);
  success();
}
