/* tree_main_ended FILE: two processes whose main threads have ended, with pipes and sockets between them, and
 * a watch on the file. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static const char *watched;
static int to[2], from[2], events;

/* As a zombie, which has no descriptors any more. */
static void wait_for_end_of_main(void) {
  char stat[1024];
  do {
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, stat, sizeof stat - 1) : -1;
    CHECK(n > 0 && close(fd) == 0);
    stat[n] = 0;
  } while (strrchr(stat, ')')[2] != 'Z' && sched_yield() == 0);
}

static void *reply(void *unused) {
  char byte = 'a';
  alarm(300); /* should the parent be gone without a word */
  wait_for_end_of_main();
  while (write(from[1], &byte, 1) == 1 && read(to[0], &byte, 1) == 1 && byte != 'z')
    byte++;
  _exit(byte == 'z' ? 0 : 1);
  return unused;
}

static void *ask(void *unused) {
  char byte, room[4096];
  int status;
  wait_for_end_of_main();
  CHECK(read(from[0], &byte, 1) == 1 && byte == 'a');
  ready();
  wait_for_go();
  CHECK(write(to[1], "f", 1) == 1 && read(from[0], &byte, 1) == 1 && byte == 'g');
  int fd = open(watched, O_RDONLY);
  CHECK(fd >= 0 && close(fd) == 0 && read(events, room, sizeof room) > 0);
  CHECK(write(to[1], "z", 1) == 1 && wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  success();
  return unused;
}

int main(int argc, char **argv) {
  pthread_t thread;
  CHECK(argc == 2);
  watched = argv[1];
  events = inotify_init();
  CHECK(events >= 0 && inotify_add_watch(events, watched, IN_OPEN) > 0);
  CHECK(pipe(to) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, from) == 0);
  pid_t child = fork();
  CHECK(child >= 0 && pthread_create(&thread, NULL, child ? ask : reply, NULL) == 0);
  pthread_exit(NULL);
}
