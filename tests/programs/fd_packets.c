/* Pipes in packet mode: a read gives one packet, whatever room it has. One whose writing end still writes
 * packets, one that is closed by now, one that is full, and one with a single packet. */
#include <fcntl.h>

#include "check.h"

enum { PACKET = 4096, PACKETS = 16 };

static void receive(int fd, const char *words) {
  char bytes[PACKET];
  ssize_t size = (ssize_t)strlen(words);
  CHECK(read(fd, bytes, sizeof bytes) == size && memcmp(bytes, words, (size_t)size) == 0);
}

int main(void) {
  int writes[2], closed[2], full[2], one[2];
  char page[PACKET];
  CHECK(pipe2(writes, O_DIRECT | O_NONBLOCK) == 0 && pipe2(closed, O_DIRECT) == 0 &&
        pipe2(full, O_DIRECT | O_NONBLOCK) == 0 && pipe2(one, O_DIRECT) == 0);
  CHECK(write(writes[1], "a", 1) == 1 && write(writes[1], "bc", 2) == 2 && write(writes[1], "d", 1) == 1);
  CHECK(write(closed[1], "first", 5) == 5 && write(closed[1], "second", 6) == 6 && close(closed[1]) == 0);
  for (int i = 0; i < PACKETS; i++) {
    memset(page, 'a' + i, sizeof page);
    CHECK(write(full[1], page, i % 2 ? sizeof page : 3) > 0);
  }
  CHECK(write(full[1], "x", 1) == -1 && errno == EAGAIN);
  CHECK(write(one[1], "alone", 5) == 5);

  ready();
  wait_for_go();

  CHECK(fcntl(writes[1], F_GETFL) & O_DIRECT && fcntl(writes[1], F_GETFL) & O_NONBLOCK);
  receive(writes[0], "a");
  receive(writes[0], "bc");
  receive(writes[0], "d");
  CHECK(read(writes[0], page, 1) == -1 && errno == EAGAIN);
  /* What is read of a packet in part is gone. */
  CHECK(read(closed[0], page, 2) == 2 && memcmp(page, "fi", 2) == 0);
  receive(closed[0], "second");
  CHECK(read(closed[0], page, 1) == 0);
  CHECK(write(full[1], "x", 1) == -1 && errno == EAGAIN);
  for (int i = 0; i < PACKETS; i++) {
    CHECK(read(full[0], page, sizeof page) == (i % 2 ? (ssize_t)sizeof page : 3));
    CHECK(page[0] == 'a' + i && page[2] == 'a' + i);
  }
  CHECK(read(one[0], page, 1) == 1 && fcntl(one[0], F_SETFL, O_NONBLOCK) == 0);
  CHECK(read(one[0], page, 1) == -1 && errno == EAGAIN);
  CHECK(write(writes[1], "ef", 2) == 2 && write(writes[1], "g", 1) == 1);
  receive(writes[0], "ef");
  receive(writes[0], "g");
  success();
}
