/* Unix sockets with names: those that listen, connections through them, some that wait to be accepted, one
 * whose file has been renamed, and datagram sockets. */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "check.h"

#define STREAM "/stream.socket"
#define LOST "lost.socket"
#define BOUND "renamed.1"
#define RENAMED "renamed.socket"
#define ABSTRACT "@ckpt test"

static char got[100];

struct name {
  struct sockaddr_un address;
  socklen_t size;
};

/* "@" stands for a zero byte: an abstract name, made this process's own. "/" stands for the working
 * directory. */
static struct name name(const char *words) {
  struct name name = {.address.sun_family = AF_UNIX};
  char cwd[80];
  CHECK(getcwd(cwd, sizeof cwd));
  int length = words[0] == '@'
                   ? snprintf(name.address.sun_path, 100, "%s %d", words, getpid())
                   : snprintf(name.address.sun_path, 100, "%s%s", *words == '/' ? cwd : "", words) + 1;
  if (words[0] == '@')
    name.address.sun_path[0] = 0;
  name.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
  return name;
}

static int bound(int type, const char *words) {
  struct name to = name(words);
  int fd = socket(AF_UNIX, type, 0);
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&to.address, to.size) == 0);
  return fd;
}

static int listener(int type, const char *words) {
  int fd = bound(type, words);
  CHECK(listen(fd, 3) == 0);
  return fd;
}

static int connected(int fd, const char *words) {
  struct name to = name(words);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to.address, to.size) == 0);
  return fd;
}

static void expect_name(int fd, bool peer, const char *words) {
  struct name is = {.size = sizeof is.address}, wanted = name(words ? words : "");
  CHECK((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&is.address, &is.size) == 0);
  if (!words)
    CHECK(is.size == sizeof(sa_family_t));
  else
    CHECK(is.size == wanted.size && memcmp(&is.address, &wanted.address, is.size) == 0);
}

static void put(int fd, const char *words) {
  CHECK(send(fd, words, strlen(words), MSG_NOSIGNAL) == (ssize_t)strlen(words));
}

static void expect(int fd, const char *words) {
  ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
  CHECK(n == (ssize_t)strlen(words) && memcmp(got, words, (size_t)n) == 0);
}

/* Both ways, with the names at both ends. */
static void expect_connection(int server, const char *server_name, int client, const char *client_name) {
  expect_name(server, false, server_name);
  expect_name(client, true, server_name);
  expect_name(client, false, client_name);
  expect_name(server, true, client_name);
  put(client, "to server");
  expect(server, "to server");
  put(server, "to client");
  expect(client, "to client");
}

static int accepted(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  CHECK(fd >= 0);
  return fd;
}

/* The next datagram comes with the name of who sent it. */
static void expect_datagram(int fd, const char *words, const char *sender) {
  struct name from = {.size = sizeof from.address}, wanted = name(sender ? sender : "");
  ssize_t n = recvfrom(fd, got, sizeof got, MSG_DONTWAIT, (struct sockaddr *)&from.address, &from.size);
  CHECK(n == (ssize_t)strlen(words) && memcmp(got, words, (size_t)n) == 0);
  CHECK(sender ? from.size == wanted.size && memcmp(&from.address, &wanted.address, from.size) == 0
               : from.size == 0);
}

int main(void) {
  struct stat before, after;
  int stream = listener(SOCK_STREAM, STREAM), packets = listener(SOCK_SEQPACKET, ABSTRACT);
  int lost = listener(SOCK_STREAM, LOST), again;
  CHECK(chmod(STREAM + 1, 0623) == 0 && stat(STREAM + 1, &before) == 0);
  int client = connected(socket(AF_UNIX, SOCK_STREAM, 0), STREAM), server = accepted(stream);
  int named = connected(bound(SOCK_STREAM, "client.socket"), STREAM), third = accepted(stream);
  int packet_client = connected(socket(AF_UNIX, SOCK_SEQPACKET, 0), ABSTRACT);
  int packet_server = accepted(packets);
  int lost_client = connected(socket(AF_UNIX, SOCK_STREAM, 0), LOST), lost_server = accepted(lost);
  CHECK(close(lost) == 0 && unlink(LOST) == 0);
  again = listener(SOCK_STREAM, LOST); /* another one under the same name */
  int gone_client = connected(socket(AF_UNIX, SOCK_STREAM, 0), STREAM), gone = accepted(stream);
  put(gone_client, "last");
  CHECK(close(gone_client) == 0);
  int first = connected(socket(AF_UNIX, SOCK_STREAM, 0), STREAM);
  int second = connected(bound(SOCK_STREAM, "second.socket"), STREAM);
  int renamed = listener(SOCK_STREAM, BOUND);
  int old_client = connected(socket(AF_UNIX, SOCK_STREAM, 0), BOUND), old_server = accepted(renamed);
  CHECK(chmod(BOUND, 0640) == 0 && rename(BOUND, RENAMED) == 0);
  put(client, "waits");
  CHECK(shutdown(server, SHUT_WR) == 0 && shutdown(server, SHUT_RD) == 0);

  int receiver = bound(SOCK_DGRAM, "@receiver"),
      sender = connected(bound(SOCK_DGRAM, "@sender"), "@receiver");
  int other = connected(bound(SOCK_DGRAM, "other.socket"), "@receiver"), reader[2];
  int nameless = connected(socket(AF_UNIX, SOCK_DGRAM, 0), "@receiver");
  put(sender, "one");
  put(other, "two");
  put(nameless, "three");
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, reader) == 0);
  struct name pair_name = name("@pair");
  CHECK(bind(reader[0], (struct sockaddr *)&pair_name.address, pair_name.size) == 0);
  put(reader[0], "from the pair");
  int fresh = socket(AF_UNIX, SOCK_STREAM, 0), automatic = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct name none = {.address.sun_family = AF_UNIX}, gave = {.size = sizeof gave.address}, has = gave;
  CHECK(bind(automatic, (struct sockaddr *)&none.address, sizeof(sa_family_t)) == 0);
  CHECK(getsockname(automatic, (struct sockaddr *)&gave.address, &gave.size) == 0);
  ready();
  wait_for_go();

  CHECK(stat(STREAM + 1, &after) == 0 && S_ISSOCK(after.st_mode) && after.st_mode == before.st_mode);
  expect(server, "waits");
  expect(client, "");
  expect_name(server, false, STREAM);
  expect_name(client, true, STREAM);
  expect_connection(third, STREAM, named, "client.socket");
  expect_connection(packet_server, ABSTRACT, packet_client, NULL);
  expect_connection(lost_server, LOST, lost_client, NULL);
  expect_name(gone, false, STREAM);
  expect(gone, "last");
  expect(gone, "");
  /* Those that waited come first, in their order; then everybody else. */
  int late = connected(socket(AF_UNIX, SOCK_STREAM, 0), STREAM);
  expect_connection(accepted(stream), STREAM, first, NULL);
  expect_connection(accepted(stream), STREAM, second, "second.socket");
  expect_connection(accepted(stream), STREAM, late, NULL);
  int more = connected(socket(AF_UNIX, SOCK_STREAM, 0), LOST);
  expect_connection(accepted(again), LOST, more, NULL);
  CHECK(stat(RENAMED, &after) == 0 && (after.st_mode & 0777) == 0640 && stat(BOUND, &after) < 0);
  expect_connection(old_server, BOUND, old_client, NULL);
  int new_client = connected(socket(AF_UNIX, SOCK_STREAM, 0), RENAMED);
  expect_name(renamed, false, BOUND);
  expect_connection(accepted(renamed), BOUND, new_client, NULL);
  expect_datagram(receiver, "one", "@sender");
  expect_datagram(receiver, "two", "other.socket");
  expect_datagram(receiver, "three", NULL);
  put(nameless, "four");
  expect_datagram(receiver, "four", NULL);
  expect_name(other, true, "@receiver");
  expect_datagram(reader[1], "from the pair", "@pair");
  CHECK(getsockname(automatic, (struct sockaddr *)&has.address, &has.size) == 0);
  CHECK(has.size == gave.size && memcmp(&has.address, &gave.address, has.size) == 0);
  connected(fresh, STREAM);
  CHECK(unlink(STREAM + 1) == 0 && unlink(LOST) == 0 && unlink("other.socket") == 0);
  CHECK(unlink("client.socket") == 0 && unlink("second.socket") == 0);
  CHECK(unlink(RENAMED) == 0);
  success();
}
