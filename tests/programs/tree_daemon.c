/* Daemons, each of whose parent has ended: one in a session whose leader has ended, one in the session of the
 * program, one that leads a session, one in that session, and one with a child that shares memory with it
 * since the fork. Each tells its ids and a sum over its own memory when it is asked, and counts in memory
 * that all share. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { MEMBERS = 6, OWN = 256 << 10 };

struct answer {
  pid_t pid, parent, group, session;
  unsigned long sum;
};

static struct member {
  int orders[2], answers[2];
  struct answer answer;
} members[MEMBERS];

static volatile int *counts; /* shared by all */
static unsigned long *own;

static unsigned long sum(void) {
  unsigned long total = 0;
  for (size_t i = 0; i < OWN / sizeof *own; i++)
    total = total * 31 + own[i];
  return total;
}

/* What nobody else has in its memory. */
static void fill(unsigned long seed) {
  for (size_t i = 0; i < OWN / sizeof *own; i++)
    own[i] = next_number(&seed);
}

_Noreturn static void serve(int number) {
  struct member *member = &members[number];
  char order;
  alarm(300); /* should the others be gone without a word */
  while (read(member->orders[0], &order, 1) == 1 && order == 'a') {
    struct answer answer = {getpid(), getppid(), getpgrp(), getsid(0), sum()};
    counts[number]++;
    CHECK(write(member->answers[1], &answer, sizeof answer) == sizeof answer);
  }
  CHECK(order == 'e' && write(member->answers[1], "e", 1) == 1);
  _exit(0);
}

static pid_t start(void) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  return pid;
}

static void end_after(pid_t child) {
  if (child > 0)
    _exit(0);
}

static void classic(void) {
  CHECK(setsid() == getpid());
  end_after(start());
  fill(1);
  serve(0);
}

static void plain(void) {
  end_after(start());
  fill(2);
  serve(1);
}

static void leader(void) {
  end_after(start());
  CHECK(setsid() == getpid());
  pid_t between = start();
  if (between == 0) {
    end_after(start());
    fill(4);
    serve(3);
  }
  CHECK(waitpid(between, NULL, 0) == between);
  fill(3);
  serve(2);
}

static void parent(void) {
  end_after(start());
  fill(5);
  if (start() == 0) {
    own[7] = 77;
    serve(5);
  }
  serve(4);
}

static void start_daemon(void (*daemon)(void)) {
  pid_t pid = start();
  if (pid == 0)
    daemon();
  CHECK(waitpid(pid, NULL, 0) == pid);
}

static struct answer ask(int number) {
  struct answer answer;
  int before = counts[number];
  CHECK(write(members[number].orders[1], "a", 1) == 1);
  CHECK(read(members[number].answers[0], &answer, sizeof answer) == sizeof answer);
  CHECK(counts[number] == before + 1);
  return answer;
}

int main(void) {
  char byte;
  counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  own = mmap(NULL, OWN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(counts != MAP_FAILED && own != MAP_FAILED);
  fill(9);
  for (int i = 0; i < MEMBERS; i++)
    CHECK(pipe(members[i].orders) == 0 && pipe(members[i].answers) == 0);
  start_daemon(classic);
  start_daemon(plain);
  start_daemon(leader);
  start_daemon(parent);
  unsigned long own_sum = sum();
  pid_t group = getpgrp(), session = getsid(0);
  for (int i = 0; i < MEMBERS; i++)
    members[i].answer = ask(i);
  const struct answer *a[MEMBERS];
  for (int i = 0; i < MEMBERS; i++)
    a[i] = &members[i].answer;
  CHECK(a[0]->session != a[0]->pid && a[0]->session != session);
  CHECK(a[1]->session == session && a[2]->session == a[2]->pid);
  CHECK(a[3]->session == a[2]->pid && a[3]->parent != a[2]->pid);
  CHECK(a[5]->parent == a[4]->pid);

  ready();
  wait_for_go();

  CHECK(sum() == own_sum && waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
  for (int i = 0; i < MEMBERS; i++) {
    struct answer now = ask(i), was = members[i].answer;
    CHECK(now.pid == was.pid && now.sum == was.sum && now.parent != getpid());
    /* What was around the program is another now. */
    CHECK(now.group == (was.group == group ? getpgrp() : was.group));
    CHECK(now.session == (was.session == session ? getsid(0) : was.session));
  }
  CHECK(ask(3).parent != a[2]->pid && ask(5).parent == a[4]->pid);
  for (int i = MEMBERS; i-- > 0;)
    CHECK(write(members[i].orders[1], "e", 1) == 1 && read(members[i].answers[0], &byte, 1) == 1 &&
          byte == 'e');
  success();
}
