/* System V and message queues, whose objects belong to the machine and not to an image. See undisturbed.h. */
#include <fcntl.h>
#include <mqueue.h>
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

static mqd_t empty_queue, full_queue, silent_queue;

static mqd_t open_queue(const char *what) {
  struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
  char name[64];
  snprintf(name, sizeof name, "/ckpt-%s-%d", what, getpid());
  mqd_t made = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
  CHECK(made >= 0);
  return made;
}

static void close_queue(const char *what, mqd_t mq) {
  char name[64];
  snprintf(name, sizeof name, "/ckpt-%s-%d", what, getpid());
  CHECK(mq_unlink(name) == 0 && mq_close(mq) == 0);
}

static void prepare_mq_receive(void) {
  empty_queue = open_queue("receive");
}

static void block_mq_receive(void) {
  char got[8];
  CHECK(mq_receive(empty_queue, got, sizeof got, NULL) == 2);
  close_queue("receive", empty_queue);
}

static void wake_mq_receive(void) {
  CHECK(mq_send(empty_queue, "hi", 2, 1) == 0);
}

static void prepare_mq_send(void) {
  full_queue = open_queue("send");
  CHECK(mq_send(full_queue, "1", 1, 1) == 0);
}

static void block_mq_send(void) {
  CHECK(mq_send(full_queue, "2", 1, 1) == 0);
  close_queue("send", full_queue);
}

static void wake_mq_send(void) {
  char got[8];
  CHECK(mq_receive(full_queue, got, sizeof got, NULL) == 1);
}

static void prepare_mq_timed(void) {
  silent_queue = open_queue("timed");
}

static void block_mq_timed(void) {
  struct timespec until = after(CLOCK_REALTIME);
  char got[8];
  CHECK(mq_timedreceive(silent_queue, got, sizeof got, NULL, &until) == -1 && errno == ETIMEDOUT);
  close_queue("timed", silent_queue);
  errno = UNTOUCHED;
}

static struct row rows[] = {
    {.name = "mq_receive", .prepare = prepare_mq_receive, .block = block_mq_receive, .wake = wake_mq_receive},
    {.name = "mq_send", .prepare = prepare_mq_send, .block = block_mq_send, .wake = wake_mq_send},
    {.name = "mq_timedreceive", .kind = OF_DAY, .prepare = prepare_mq_timed, .block = block_mq_timed},
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
