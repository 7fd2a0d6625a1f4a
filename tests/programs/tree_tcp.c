/* TCP connections between processes: what waits in both directions, ends that are shut or closed, one that is
 * open in two processes, and one that waits to be accepted by another process. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "tcp.h"

enum connection { PLAIN, FULL, HALF, OVER, HELD, LEFT, COUNT };

/* A process, and what it and the first one say to each other. */
struct child {
  pid_t pid;
  int socket;
};

static char block[BIG];
static int listener, both, shared_listener;
static struct { size_t client_wrote, server_wrote, server_cut; } * facts;

static int listen_at(union address address) {
  int yes = 1, fd = socket(address.any.sa_family, SOCK_STREAM, 0);
  CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  CHECK(bind(fd, &address.any, sizeof address) == 0 && listen(fd, 16) == 0);
  return fd;
}

static int connect_to(int listener_fd, bool six) {
  union address to = {.six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
  if (!six)
    to.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  to.four.sin_port = port_of(listener_fd);
  int fd = socket(to.any.sa_family, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, &to.any, sizeof to) == 0);
  return fd;
}

static int accept_at(int fd) {
  int accepted = accept(fd, NULL, NULL);
  CHECK(accepted >= 0);
  return accepted;
}

static void say_done(int socket) {
  CHECK(send(socket, "d", 1, MSG_NOSIGNAL) == 1);
}

static void wait_for_word(int socket) {
  char word;
  CHECK(recv(socket, &word, 1, 0) == 1);
}

static struct child start(void (*run)(int)) {
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  struct child child = {fork(), pair[0]};
  CHECK(child.pid >= 0);
  if (child.pid == 0) {
    alarm(300); /* should the parent be gone without a word */
    CHECK(close(pair[0]) == 0);
    run(pair[1]);
    _exit(0);
  }
  CHECK(close(pair[1]) == 0);
  return child;
}

static void finish(struct child child) {
  int status;
  say_done(child.socket);
  CHECK(waitpid(child.pid, &status, 0) == child.pid && status == 0);
}

static void client(int parent) {
  int to[COUNT], mixed = connect_to(both, false), six = connect_to(both, true);
  int shared = connect_to(shared_listener, false), yes = 1, no = 0, size = 20000;
  for (int i = 0; i < COUNT; i++)
    to[i] = connect_to(listener, false);
  say_done(parent);
  wait_for_word(parent);
  put(to[PLAIN], "to server", 9);
  CHECK(setsockopt(to[PLAIN], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
  facts->client_wrote = flood(to[FULL], block);
  put(to[HALF], "last words", 10);
  CHECK(shutdown(to[HALF], SHUT_WR) == 0);
  CHECK(setsockopt(to[OVER], SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
  CHECK(setsockopt(to[HELD], IPPROTO_TCP, TCP_CORK, &yes, sizeof yes) == 0);
  put(to[HELD], "held", 4);
  put(mixed, "mixed", 5);
  put(six, "six", 3);
  put(shared, "for both", 8);
  int waiting = connect_to(listener, false);
  say_done(parent);
  wait_for_word(parent);

  expect(to[PLAIN], "to client", 9);
  socklen_t length = sizeof yes;
  CHECK(getsockopt(to[PLAIN], IPPROTO_TCP, TCP_NODELAY, &yes, &length) == 0 && yes == 1);
  expect(to[FULL], block, facts->server_wrote);
  CHECK(send(to[HALF], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  expect(to[HALF], "answer", 6);
  expect(to[OVER], block, facts->server_cut);
  expect(to[OVER], "", 0);
  CHECK(setsockopt(to[HELD], IPPROTO_TCP, TCP_CORK, &no, sizeof no) == 0);
  expect(to[LEFT], "left", 4);
  expect(to[LEFT], "", 0);
  put(waiting, "accepted", 8);
  expect(mixed, "back", 4);
  expect(six, "back", 4);
  expect(shared, "wp", 2);
}

static void server(int parent) {
  int from[COUNT];
  for (int i = 0; i < COUNT; i++)
    from[i] = accept_at(listener);
  int mixed = accept_at(both), six = accept_at(both);
  say_done(parent);
  wait_for_word(parent);
  put(from[PLAIN], "to client", 9);
  facts->server_wrote = flood(from[FULL], block);
  facts->server_cut = flood(from[OVER], block);
  CHECK(shutdown(from[OVER], SHUT_WR) == 0);
  put(from[LEFT], "left", 4);
  CHECK(close(from[LEFT]) == 0);
  say_done(parent);
  wait_for_word(parent);

  expect(from[PLAIN], "to server", 9);
  expect(from[FULL], block, facts->client_wrote);
  expect(from[HALF], "last words", 10);
  expect(from[HALF], "", 0);
  put(from[HALF], "answer", 6);
  expect(from[HELD], "held", 4);
  expect(mixed, "mixed", 5);
  expect(six, "six", 3);
  put(mixed, "back", 4);
  put(six, "back", 4);
  expect(accept_at(listener), "accepted", 8);
}

static int shared;

static void worker(int parent) {
  wait_for_word(parent);
  expect(shared, "for ", 4);
  put(shared, "w", 1);
}

int main(void) {
  union address four = {.four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
  union address any = {.six = {.sin6_family = AF_INET6}};
  for (int i = 0; i < BIG; i++)
    block[i] = (char)(i * 31 + i / 256);
  facts = mmap(NULL, sizeof *facts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(facts != MAP_FAILED);
  listener = listen_at(four);
  both = listen_at(any);
  shared_listener = listen_at(four);
  struct child a = start(client), b = start(server);
  shared = accept_at(shared_listener);
  struct child c = start(worker);
  wait_for_word(a.socket);
  wait_for_word(b.socket);
  say_done(a.socket);
  say_done(b.socket);
  wait_for_word(a.socket);
  wait_for_word(b.socket);

  ready();
  wait_for_go();

  finish(c);
  expect(shared, "both", 4);
  put(shared, "p", 1);
  say_done(a.socket);
  finish(b);
  int status;
  CHECK(waitpid(a.pid, &status, 0) == a.pid && status == 0);
  success();
}
