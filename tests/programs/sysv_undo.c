/* One semaphore, taken with SEM_UNDO: the image may be made in the middle of that. */
#include <sys/sem.h>

#include "check.h"

int main(void) {
  struct sembuf take = {.sem_op = -1, .sem_flg = SEM_UNDO};
  int set = semget((key_t)(0x46000000 | getpid()), 1, IPC_CREAT | IPC_EXCL | 0600);
  CHECK(set >= 0 && semctl(set, 0, SETVAL, 1) == 0);
  CHECK(semop(set, &take, 1) == 0);
  ready();
  wait_for_go();
  CHECK(semctl(set, 0, GETVAL) == 0);
  CHECK(semctl(set, 0, IPC_RMID) == 0);
  success();
}
