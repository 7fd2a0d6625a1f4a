/* Epoll sets between processes that watch what the other one has: in flight from one to the other, open
 * nowhere besides; and of a connection that has been handed on to a child, which has it under another number.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "rights.h"
#include "talk.h"

enum { AT = 40, THERE = 41 };

static int way[2], back[2], orders[2], answers[2];

static void watch(int set, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void expect(int set, uint64_t data) {
  struct epoll_event got[4];
  CHECK(epoll_wait(set, got, 4, 20000) == 1 && got[0].events == EPOLLIN && got[0].data.u64 == data);
}

static void expect_nothing(int set) {
  struct epoll_event got;
  CHECK(epoll_wait(set, &got, 1, 0) == 0);
}

static _Noreturn void child(int connection) {
  int ends[2], own = epoll_create1(0);
  alarm(120); /* should the parent be gone without a word */
  CHECK(close(way[0]) == 0 && close(back[1]) == 0 && close(orders[1]) == 0 && close(answers[0]) == 0);
  CHECK(own >= 0 && pipe(ends) == 0 && dup2(connection, THERE) == THERE && close(connection) == 0);
  watch(own, ends[0], EPOLLIN, 31);
  send_descriptor(back[0], own);
  CHECK(close(own) == 0);
  tell(answers[1], "ready");
  expect_next(orders[0], "wait");
  int set = receive_descriptor(way[1]);
  tell(answers[1], "waiting");
  expect(set, 11);
  tell(answers[1], "seen");
  expect_next(orders[0], "tell");
  tell(ends[1], "told");
  expect_next(orders[0], "take");
  expect_next(THERE, "words");
  tell(answers[1], "taken");
  expect_next(orders[0], "end");
  _exit(3);
}

int main(void) {
  int news[2], connection[2], status, set = epoll_create1(0), given = epoll_create1(0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, back) == 0);
  CHECK(set >= 0 && given >= 0 && pipe(orders) == 0 && pipe(answers) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, connection) == 0 && dup2(connection[0], AT) == AT);
  watch(set, AT, EPOLLIN, 21);
  CHECK(close(connection[0]) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(close(set) == 0 && close(given) == 0 && close(connection[1]) == 0);
    child(AT);
  }
  CHECK(close(AT) == 0 && close(way[1]) == 0 && close(back[0]) == 0);
  CHECK(close(orders[0]) == 0 && close(answers[1]) == 0 && pipe(news) == 0);
  watch(given, news[0], EPOLLIN, 11);
  send_descriptor(way[0], given);
  CHECK(close(given) == 0);
  expect_next(answers[0], "ready");
  ready();
  wait_for_go();

  CHECK(fcntl(AT, F_GETFD) == -1);
  tell(orders[1], "wait");
  expect_next(answers[0], "waiting");
  tell(news[1], "n");
  expect_next(answers[0], "seen");
  int theirs = receive_descriptor(back[1]);
  expect_nothing(theirs);
  tell(orders[1], "tell");
  expect(theirs, 31);
  expect_nothing(set);
  tell(connection[1], "words");
  expect(set, 21);
  tell(orders[1], "take");
  expect_next(answers[0], "taken");
  expect_nothing(set);
  tell(orders[1], "end");
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  expect_nothing(set);
  success();
}
