/* Waits three functions deep, for a debugger to show where. */
#include "check.h"

__attribute__((noinline)) static int innermost_function(int depth) {
  ready();
  wait_for_go();
  return depth + 1;
}

__attribute__((noinline)) static int middle_function(int depth) {
  return innermost_function(depth + 1) + 1;
}

__attribute__((noinline)) static int outer_function(int depth) {
  return middle_function(depth + 1) + 1;
}

int main(void) {
  CHECK(outer_function(0) == 5);
  success();
}
