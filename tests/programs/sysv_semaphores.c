/* System V semaphores: a set with a key, a thread that waits for one of them, and a child that has taken from
 * another and given to a third with SEM_UNDO, which is undone when it ends; and a set without a key that
 * nobody has used. */
#include <pthread.h>
#include <sys/sem.h>
#include <sys/wait.h>

#include "check.h"

enum { COUNTS, LOCK, GATE, SEMAPHORES };

static int set, silent;

static void change(int number, short by, short flags) {
  struct sembuf operation = {.sem_num = (unsigned short)number, .sem_op = by, .sem_flg = flags};
  CHECK(semop(set, &operation, 1) == 0);
}

static int value_of(int number) {
  int value = semctl(set, number, GETVAL);
  CHECK(value >= 0);
  return value;
}

static void *wait_at_gate(void *nothing) {
  change(GATE, -1, 0);
  return nothing;
}

/* Holds the lock until it is told to end. */
static void hold(int orders, int answers) {
  char byte = 1;
  change(LOCK, -1, SEM_UNDO);
  change(COUNTS, 3, SEM_UNDO);
  CHECK(write(answers, &byte, 1) == 1 && read(orders, &byte, 1) == 1);
  CHECK(value_of(LOCK) == 0);
  _exit(0);
}

int main(void) {
  int orders[2], answers[2], status;
  char byte = 1;
  pthread_t thread;
  key_t key = (key_t)(0x44000000 | getpid());
  set = semget(key, SEMAPHORES, IPC_CREAT | IPC_EXCL | 0640);
  silent = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
  CHECK(set >= 0 && silent >= 0 && pipe(orders) == 0 && pipe(answers) == 0);
  CHECK(semctl(set, COUNTS, SETVAL, 5) == 0 && semctl(set, LOCK, SETVAL, 1) == 0);
  change(COUNTS, -1, SEM_UNDO);
  change(COUNTS, -1, SEM_UNDO);
  change(COUNTS, 1, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    hold(orders[0], answers[1]);
  CHECK(read(answers[0], &byte, 1) == 1);
  CHECK(pthread_create(&thread, NULL, wait_at_gate, NULL) == 0);
  while (semctl(set, GATE, GETNCNT) != 1)
    usleep(1000);
  printf("sets %d %d\n", set, silent);
  fflush(stdout);

  ready();
  wait_for_go();

  struct semid_ds about;
  CHECK(semget(key, 0, 0) == set && semctl(set, 0, IPC_STAT, &about) == 0);
  CHECK((about.sem_perm.mode & 0777) == 0640 && about.sem_nsems == SEMAPHORES &&
        about.sem_perm.uid == geteuid());
  CHECK(semctl(silent, 0, IPC_STAT, &about) == 0 && about.sem_nsems == 2);
  CHECK(value_of(COUNTS) == 7 && value_of(LOCK) == 0 && value_of(GATE) == 0);
  change(GATE, 1, 0);
  CHECK(pthread_join(thread, NULL) == 0 && value_of(GATE) == 0);
  CHECK(write(orders[1], &byte, 1) == 1 && waitpid(child, &status, 0) == child && status == 0);
  CHECK(value_of(LOCK) == 1 && value_of(COUNTS) == 4);
  CHECK(semctl(set, 0, IPC_RMID) == 0 && semctl(silent, 0, IPC_RMID) == 0);
  success();
}
