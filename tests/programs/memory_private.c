/* A System V segment without a key, which only its id finds. When another has the id after a restart, what is
 * in that is not the program's. */
#include <sys/shm.h>

#include "check.h"

static char *attach(int id) {
  void *at = shmat(id, NULL, 0);
  CHECK(at != (void *)-1);
  return at;
}

int main(void) {
  int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  CHECK(id >= 0);
  char *own = attach(id);
  own[0] = 1;
  printf("id %d\n", id);
  fflush(stdout);

  ready();
  wait_for_go();

  CHECK(own[0] == 1);
  own[0] = 2;
  char *found = attach(id);
  CHECK(found[0] == 1 && shmctl(id, IPC_RMID, NULL) == 0);
  success();
}
