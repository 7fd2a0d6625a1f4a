/* Of libckpt.so, which is linked for itself alone. */
#include "preload/messages.c"

#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

static int ends[2];

/* As another program may send it: with so many descriptors. */
static void send_with(size_t count) {
  union {
    struct cmsghdr head;
    char room[CMSG_SPACE(8 * sizeof(int))];
  } words;
  struct iovec piece = {.iov_base = (void *)(uintptr_t) "x", .iov_len = 1};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &words,
                           .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  memset(&words, 0, sizeof words);
  words.head = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  for (size_t i = 0; i < count; i++)
    memcpy(CMSG_DATA(&words.head) + i * sizeof(int), &ends[0], sizeof(int));
  EXPECT(sendmsg(ends[0], &message, 0) == 1);
}

static void test_too_many(void) {
  struct {
    struct passed passed;
    int behind;
  } received = {.behind = 4711};
  char packet;
  int free = dup(0);
  close(free);
  send_with(MESSAGE_FDS + 1);
  EXPECT(message_receive(ends[1], &packet, 1, &received.passed) == 1);
  EXPECT(received.behind == 4711);
  for (int i = 0; i < MESSAGE_FDS; i++)
    EXPECT(received.passed.fds[i] == free + i);
  passed_close(&received.passed);
  EXPECT(fcntl(free + MESSAGE_FDS, F_GETFD) < 0); /* the one too many is not left open */
}

int main(void) {
  EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  unit_run("more descriptors than there is room for", test_too_many);
  return unit_status();
}
