/* Epoll sets: data, level and edge, one-shot watches armed and fired, a set inside a set, duplicates. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "check.h"

#define FAR 0x1122334455667788ul

static void watch(int set, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void add(int fd) {
  uint64_t one = 1;
  CHECK(write(fd, &one, 8) == 8);
}

/* The only event that the set reports. */
static void expect(int set, uint32_t events, uint64_t data) {
  struct epoll_event got[4];
  CHECK(epoll_wait(set, got, 4, 60000) == 1);
  CHECK(got[0].events == events && got[0].data.u64 == data);
}

static void expect_nothing(int set) {
  struct epoll_event got;
  CHECK(epoll_wait(set, &got, 1, 0) == 0);
}

int main(void) {
  int level = eventfd(0, 0), edge = eventfd(0, 0), armed = eventfd(0, 0), fired = eventfd(1, 0);
  int many[150];
  int set = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), silent = epoll_create1(0);
  int crowd = epoll_create1(0);
  CHECK(set >= 0 && outer >= 0 && silent >= 0 && crowd >= 0);
  watch(set, level, EPOLLIN, FAR);
  watch(set, edge, EPOLLIN | EPOLLET, 2);
  watch(set, armed, EPOLLIN | EPOLLONESHOT, 3);
  watch(silent, fired, EPOLLIN | EPOLLONESHOT, 4);
  expect(silent, EPOLLIN, 4);
  watch(outer, set, EPOLLIN | EPOLLET, 6);
  for (int i = 0; i < 150; i++) {
    CHECK((many[i] = eventfd(0, 0)) >= 0);
    watch(crowd, many[i], EPOLLIN, (uint64_t)i);
  }
  int exclusive = eventfd(0, 0), alone = epoll_create1(0);
  CHECK(exclusive >= 0 && alone >= 0);
  watch(alone, exclusive, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 7);
  int copy = dup(set);
  CHECK(copy >= 0);
  ready();
  wait_for_go();

  CHECK(fcntl(set, F_GETFD) == FD_CLOEXEC && fcntl(outer, F_GETFD) == 0);
  expect_nothing(set);
  expect_nothing(silent);
  expect_nothing(outer);
  expect_nothing(alone);
  add(exclusive);
  expect(alone, EPOLLIN, 7);
  expect_nothing(alone);
  struct epoll_event other = {.events = EPOLLIN};
  CHECK(epoll_ctl(alone, EPOLL_CTL_MOD, exclusive, &other) == -1 &&
        errno == EINVAL); /* of an exclusive one */
  uint64_t value;
  add(level);
  expect(copy, EPOLLIN, FAR);
  expect(outer, EPOLLIN, 6);
  CHECK(read(level, &value, 8) == 8);
  add(edge);
  expect(set, EPOLLIN, 2);
  expect_nothing(set);
  add(edge);
  expect(set, EPOLLIN, 2);
  add(armed);
  expect(set, EPOLLIN, 3);
  add(armed);
  expect_nothing(set);
  add(fired);
  expect_nothing(silent);
  struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 7};
  CHECK(epoll_ctl(silent, EPOLL_CTL_MOD, fired, &again) == 0);
  expect(silent, EPOLLIN, 7);
  add(many[149]);
  expect(crowd, EPOLLIN, 149);
  CHECK(epoll_ctl(crowd, EPOLL_CTL_DEL, many[0], NULL) == 0);
  success();
}
