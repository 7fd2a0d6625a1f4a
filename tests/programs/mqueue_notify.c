/* mqueue_notify KIND: a message queue notifies the program of the next message that comes when it is empty:
 * by a signal with a value, by a thread of libc's, or not at all ("none"), which still keeps others from
 * asking for it. */
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

static sem_t told;
static int told_value;

static void in_thread(union sigval value) {
  told_value = value.sival_int;
  CHECK(sem_post(&told) == 0);
}

static void check_taken(const char *name) {
  int status;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    mqd_t other = mq_open(name, O_RDONLY);
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    CHECK(other >= 0 && mq_notify(other, &none) == -1 && errno == EBUSY);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  struct mq_attr attributes = {.mq_maxmsg = 3, .mq_msgsize = 16};
  struct sigevent event = {.sigev_notify = SIGEV_NONE, .sigev_value = {.sival_int = 4711}};
  char name[64], bytes[16];
  snprintf(name, sizeof name, "/ckpt-test-%d", getpid());
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  mqd_t gives = mq_open(name, O_WRONLY);
  CHECK(queue >= 0 && gives >= 0 && sem_init(&told, 0, 0) == 0);
  sigset_t set;
  siginfo_t info;
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 3) == 0 &&
        sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  if (strcmp(argv[1], "signal") == 0) {
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN + 3;
  } else if (strcmp(argv[1], "thread") == 0) {
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = in_thread;
  }
  int waits = strcmp(argv[2], "waits") == 0;
  CHECK(!waits || mq_send(queue, "first", 5, 2) == 0);
  CHECK(mq_notify(queue, &event) == 0);

  ready();
  wait_for_go();

  check_taken(name);
  CHECK(sigpending(&set) == 0 && !sigismember(&set, SIGRTMIN + 3) && sem_trywait(&told) == -1);
  unsigned priority;
  CHECK(!waits || (mq_receive(queue, bytes, 16, &priority) == 5 && priority == 2));
  CHECK(mq_send(gives, "second", 6, 1) == 0);
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 3) == 0);
  if (event.sigev_notify == SIGEV_SIGNAL)
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 3 && info.si_code == SI_MESGQ &&
          info.si_value.sival_int == 4711);
  if (event.sigev_notify == SIGEV_THREAD)
    CHECK(sem_wait(&told) == 0 && told_value == 4711);
  CHECK(mq_receive(queue, bytes, 16, &priority) == 6 && priority == 1);
  event.sigev_notify = SIGEV_NONE;
  CHECK(mq_notify(queue, &event) == 0 && mq_unlink(name) == 0);
  success();
}
