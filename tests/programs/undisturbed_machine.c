/* System V, whose objects belong to the machine and not to an image. See undisturbed.h. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "undisturbed.h"

static int queue = -1, set_of_one = -1;
static struct {
  long type;
  char text[2048];
} text = {.type = 1};

static void remove_objects(void) {
  if (queue >= 0)
    msgctl(queue, IPC_RMID, NULL);
  if (set_of_one >= 0)
    semctl(set_of_one, 0, IPC_RMID);
}

static void prepare_queue(void) {
  CHECK((queue = msgget(IPC_PRIVATE, 0600)) >= 0 && atexit(remove_objects) == 0);
}

static void block_msgrcv(void) {
  struct {
    long type;
    char text;
  } message;
  CHECK(msgrcv(queue, &message, 1, 0, 0) == 1);
}

/* As many as there is room for. */
static void prepare_full_queue(void) {
  prepare_queue();
  while (msgsnd(queue, &text, sizeof text.text, IPC_NOWAIT) == 0)
    continue;
  CHECK(errno == EAGAIN);
}

static void block_msgsnd(void) {
  CHECK(msgsnd(queue, &text, sizeof text.text, 0) == 0);
}

static void wake_msgsnd(void) {
  CHECK(msgrcv(queue, &text, sizeof text.text, 0, 0) == sizeof text.text);
}

static void wake_msgrcv(void) {
  const struct {
    long type;
    char text;
  } message = {1, 'x'};
  CHECK(msgsnd(queue, &message, 1, 0) == 0);
}

static void prepare_set(void) {
  CHECK((set_of_one = semget(IPC_PRIVATE, 1, 0600)) >= 0 && atexit(remove_objects) == 0);
}

static void block_semop(void) {
  struct sembuf down = {.sem_op = -1};
  CHECK(semop(set_of_one, &down, 1) == 0);
}

static void block_semtimedop(void) {
  struct sembuf down = {.sem_op = -1};
  CHECK(semtimedop(set_of_one, &down, 1, &whole) == -1 && errno == EAGAIN);
  errno = UNTOUCHED;
}

static void wake_semop(void) {
  struct sembuf up = {.sem_op = 1};
  CHECK(semop(set_of_one, &up, 1) == 0);
}

static struct row rows[] = {
    {.name = "msgrcv", .outside = true, .prepare = prepare_queue, .block = block_msgrcv, .wake = wake_msgrcv},
    {.name = "msgsnd",
     .outside = true,
     .prepare = prepare_full_queue,
     .block = block_msgsnd,
     .wake = wake_msgsnd},
    {.name = "semop", .outside = true, .prepare = prepare_set, .block = block_semop, .wake = wake_semop},
    {.name = "semtimedop",
     .kind = TIMED_AGAIN,
     .outside = true,
     .prepare = prepare_set,
     .block = block_semtimedop},
};

MAIN
