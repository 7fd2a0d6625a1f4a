/* System V message queues: messages of several types, one of them empty, in a queue with a key; another one
 * without a key, for which a thread waits. */
#include <pthread.h>
#include <sys/msg.h>

#include "check.h"

struct message {
  long type;
  char bytes[2000];
};

static int queue, empty;

static void send(int to, long type, size_t size) {
  struct message message = {.type = type};
  for (size_t i = 0; i < size; i++)
    message.bytes[i] = (char)(i * 7 + (size_t)type);
  CHECK(msgsnd(to, &message, size, IPC_NOWAIT) == 0);
}

static void receive(int from, long wanted, long type, size_t size) {
  struct message message;
  CHECK(msgrcv(from, &message, sizeof message.bytes, wanted, IPC_NOWAIT) == (ssize_t)size);
  CHECK(message.type == type);
  for (size_t i = 0; i < size; i++)
    CHECK(message.bytes[i] == (char)(i * 7 + (size_t)type));
}

static void *wait_for_message(void *nothing) {
  struct message message;
  CHECK(msgrcv(empty, &message, sizeof message.bytes, 0, 0) == 3 && message.type == 9);
  return nothing;
}

int main(void) {
  pthread_t thread;
  struct msqid_ds about;
  key_t key = (key_t)(0x45000000 | getpid());
  queue = msgget(key, IPC_CREAT | IPC_EXCL | 0620);
  empty = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  CHECK(queue >= 0 && empty >= 0 && msgctl(queue, IPC_STAT, &about) == 0);
  about.msg_qbytes = 8192;
  CHECK(msgctl(queue, IPC_SET, &about) == 0);
  send(queue, 3, 2000);
  send(queue, 1, 100);
  send(queue, 3, 0);
  send(queue, 2, 1);
  CHECK(pthread_create(&thread, NULL, wait_for_message, NULL) == 0);
  printf("queues %d %d\n", queue, empty);
  fflush(stdout);

  ready();
  wait_for_go();

  CHECK(msgget(key, 0) == queue && msgctl(queue, IPC_STAT, &about) == 0);
  CHECK(about.msg_qnum == 4 && about.msg_qbytes == 8192 && (about.msg_perm.mode & 0777) == 0620);
  receive(queue, 2, 2, 1);
  receive(queue, -2, 1, 100);
  receive(queue, 0, 3, 2000);
  receive(queue, 0, 3, 0);
  send(empty, 9, 3);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(msgctl(queue, IPC_RMID, NULL) == 0 && msgctl(empty, IPC_RMID, NULL) == 0);
  success();
}
