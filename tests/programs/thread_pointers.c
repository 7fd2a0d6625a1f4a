/* The addresses that the kernel keeps for a thread: robust list and clear_child_tid. */
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

static void ask(void **list, size_t *size, int **tid, bool *known) {
  CHECK(syscall(SYS_get_robust_list, 0, list, size) == 0);
  *tid = NULL;
  *known = prctl(PR_GET_TID_ADDRESS, (unsigned long)tid, 0, 0, 0) == 0;
}

int main(void) {
  void *list, *list_now;
  size_t size, size_now;
  int *tid, *tid_now;
  bool known, known_now;
  ask(&list, &size, &tid, &known);
  ready();
  wait_for_go();
  ask(&list_now, &size_now, &tid_now, &known_now);
  CHECK(list == list_now && size == size_now);
  CHECK(known == known_now && tid == tid_now);
  success();
}
