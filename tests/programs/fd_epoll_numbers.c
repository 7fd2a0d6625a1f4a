/* Epoll sets that watch a file under a number that has been closed or is another file's by now, while the
 * file is open under another number or in flight; sets in flight that nobody has open. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "rights.h"

enum { HIGH = 900 };

static void watch(int set, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void expect(int set, uint64_t data) {
  struct epoll_event got[4];
  CHECK(epoll_wait(set, got, 4, 1000) == 1 && got[0].events == EPOLLIN && got[0].data.u64 == data);
}

static void expect_nothing(int set) {
  struct epoll_event got;
  CHECK(epoll_wait(set, &got, 1, 0) == 0);
}

/* The set tells of it, and of nothing once it is read. */
static void turn(int set, int counter, uint64_t data) {
  eventfd_t value;
  expect_nothing(set);
  CHECK(eventfd_write(counter, 3) == 0);
  expect(set, data);
  CHECK(eventfd_read(counter, &value) == 0 && value == 3);
  expect_nothing(set);
}

static int counter_at(int number) {
  int fd = eventfd(0, EFD_NONBLOCK);
  CHECK(fd >= 0 && dup2(fd, number) == number && close(fd) == 0);
  return number;
}

int main(void) {
  int way[2], set = epoll_create1(0), lost = epoll_create1(0), fired = epoll_create1(0);
  CHECK(set >= 0 && lost >= 0 && fired >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0);
  /* Three files that have been number 50, of which one is so still. */
  int first = fcntl(counter_at(50), F_DUPFD, 60);
  watch(set, 50, EPOLLIN, 1);
  int second = fcntl(counter_at(50), F_DUPFD, 60);
  watch(set, 50, EPOLLIN | EPOLLET, 2);
  watch(set, counter_at(50), EPOLLIN, 3);
  CHECK(fcntl(50, F_SETFD, FD_CLOEXEC) == 0);
  /* One whose number nobody has any more; it is higher than all that are in use. */
  int moved = fcntl(counter_at(HIGH), F_DUPFD, 60);
  watch(set, HIGH, EPOLLIN, 4);
  CHECK(close(HIGH) == 0);
  /* A one-shot watch that has fired, of a number that is free. */
  int silent = fcntl(counter_at(51), F_DUPFD, 60);
  watch(fired, 51, EPOLLIN | EPOLLONESHOT, 5);
  CHECK(eventfd_write(silent, 1) == 0);
  expect(fired, 5);
  CHECK(close(51) == 0);
  /* In flight: a set of something open, one of something in flight itself, and one within another. */
  int open_counter = eventfd(0, EFD_NONBLOCK), away = eventfd(0, EFD_NONBLOCK), outer = epoll_create1(0);
  int of_open = epoll_create1(0);
  CHECK(open_counter >= 0 && away >= 0 && outer >= 0 && of_open >= 0);
  watch(of_open, open_counter, EPOLLIN, 6);
  watch(outer, of_open, EPOLLIN | EPOLLET, 7);
  watch(lost, away, EPOLLIN, 8);
  send_away(way[0], of_open);
  send_away(way[0], lost);
  send_away(way[0], away);
  ready();
  wait_for_go();

  CHECK(fcntl(HIGH, F_GETFD) == -1 && fcntl(51, F_GETFD) == -1 && fcntl(50, F_GETFD) == FD_CLOEXEC);
  turn(set, first, 1);
  turn(set, second, 2);
  turn(set, 50, 3);
  turn(set, moved, 4);
  expect_nothing(fired);
  CHECK(eventfd_write(silent, 1) == 0);
  expect_nothing(fired);
  turn(outer, open_counter, 7);
  of_open = receive_descriptor(way[1]);
  turn(of_open, open_counter, 6);
  lost = receive_descriptor(way[1]);
  away = receive_descriptor(way[1]);
  turn(lost, away, 8);
  /* The last of its descriptors ends a watch. */
  CHECK(close(first) == 0 && close(moved) == 0 && epoll_ctl(set, EPOLL_CTL_DEL, 50, NULL) == 0);
  turn(set, second, 2);
  success();
}
