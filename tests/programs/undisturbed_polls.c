/* Waits for any of several descriptors. See undisturbed.h. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "undisturbed.h"

static int quiet[2], polled[2], selected[2], set_of_quiet = -1, watched[2], set_of_watched;

static void prepare_quiet(void) {
  if (quiet[1] == 0)
    CHECK(pipe(quiet) == 0);
}

static void block_poll(void) {
  CHECK(poll(NULL, 0, MS) == 0);
}

static void block_ppoll(void) {
  struct pollfd one = {.fd = quiet[0], .events = POLLIN};
  sigset_t none;
  sigemptyset(&none);
  CHECK(ppoll(&one, 1, &whole, &none) == 0);
}

static void block_select(void) {
  struct timeval limit = {.tv_sec = MS / 1000, .tv_usec = MS % 1000 * 1000};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(quiet[0], &set);
  CHECK(select(quiet[0] + 1, &set, NULL, NULL, &limit) == 0);
}

static void block_pselect(void) {
  sigset_t none;
  sigemptyset(&none);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(quiet[0], &set);
  CHECK(pselect(quiet[0] + 1, &set, NULL, NULL, &whole, &none) == 0);
}

static void prepare_polled(void) {
  CHECK(pipe(polled) == 0);
}

static void block_poll_forever(void) {
  struct pollfd one = {.fd = polled[0], .events = POLLIN};
  CHECK(poll(&one, 1, -1) == 1);
}

static void wake_polled(void) {
  CHECK(write(polled[1], "x", 1) == 1);
}

static void prepare_selected(void) {
  CHECK(pipe(selected) == 0);
}

static void block_select_forever(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(selected[0], &set);
  CHECK(select(selected[0] + 1, &set, NULL, NULL, NULL) == 1);
}

static void wake_selected(void) {
  CHECK(write(selected[1], "x", 1) == 1);
}

static int make_set(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 77};
  int set = epoll_create1(EPOLL_CLOEXEC);
  CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
  return set;
}

static void prepare_epoll(void) {
  prepare_quiet();
  if (set_of_quiet < 0)
    set_of_quiet = make_set(quiet[0]);
}

static void block_epoll_wait(void) {
  struct epoll_event event;
  CHECK(epoll_wait(set_of_quiet, &event, 1, MS) == 0);
}

static void block_epoll_pwait(void) {
  struct epoll_event event;
  sigset_t none;
  sigemptyset(&none);
  CHECK(epoll_pwait(set_of_quiet, &event, 1, MS, &none) == 0);
}

static void prepare_watched(void) {
  CHECK(pipe(watched) == 0);
  set_of_watched = make_set(watched[0]);
}

static void block_epoll_forever(void) {
  struct epoll_event event;
  CHECK(epoll_wait(set_of_watched, &event, 1, -1) == 1 && event.data.u32 == 77);
}

static void wake_watched(void) {
  CHECK(write(watched[1], "x", 1) == 1);
}

static struct row rows[] = {
    {.name = "poll", .kind = TIMED_AGAIN, .block = block_poll},
    {.name = "ppoll", .kind = TIMED, .prepare = prepare_quiet, .block = block_ppoll},
    {.name = "select", .kind = TIMED, .prepare = prepare_quiet, .block = block_select},
    {.name = "pselect", .kind = TIMED, .prepare = prepare_quiet, .block = block_pselect},
    {.name = "epoll_wait", .kind = TIMED_AGAIN, .prepare = prepare_epoll, .block = block_epoll_wait},
    {.name = "epoll_pwait", .kind = TIMED_AGAIN, .prepare = prepare_epoll, .block = block_epoll_pwait},
    {.name = "poll_forever", .prepare = prepare_polled, .block = block_poll_forever, .wake = wake_polled},
    {.name = "select_forever",
     .prepare = prepare_selected,
     .block = block_select_forever,
     .wake = wake_selected},
    {.name = "epoll_forever", .prepare = prepare_watched, .block = block_epoll_forever, .wake = wake_watched},
};

MAIN
