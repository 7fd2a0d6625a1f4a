/* A family: children, grandchildren and orphans in groups and sessions of every kind, four of whose leaders
 * have ended, and children that have ended and that nobody has waited for, two of those leaders among them.
 * Each tells its ids when it is asked. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

struct kin {
  pid_t pid, parent, group, session;
};

enum { MEMBERS = 9 };

/* What becomes of a leader. */
enum fate { STAYS, GONE, UNCOLLECTED };

static struct member {
  int orders[2], answers[2];
  struct kin kin;
} members[MEMBERS];
static int count;

static struct kin own_kin(void) {
  return (struct kin){getpid(), getppid(), getpgrp(), getsid(0)};
}

/* Answers until it is told to end. */
_Noreturn static void serve(const struct member *member) {
  char order;
  alarm(300); /* should the others be gone without a word */
  while (read(member->orders[0], &order, 1) == 1 && order == 'k') {
    struct kin kin = own_kin();
    CHECK(write(member->answers[1], &kin, sizeof kin) == sizeof kin);
  }
  _exit(order == 'e' ? 10 + (int)(member - members) : 1);
}

static struct kin ask(const struct member *member) {
  struct kin kin;
  CHECK(write(member->orders[1], "k", 1) == 1);
  CHECK(read(member->answers[0], &kin, sizeof kin) == sizeof kin);
  return kin;
}

static struct member *new_member(void) {
  struct member *member = &members[count++];
  CHECK(pipe(member->orders) == 0 && pipe(member->answers) == 0);
  return member;
}

static pid_t start(void) {
  struct member *member = new_member();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0)
    serve(member);
  return pid;
}

/* A child for which `prepare` is called, with a child of its own. If it ends, that one comes to us. */
static pid_t start_leader(void (*prepare)(void), enum fate fate) {
  siginfo_t info;
  struct member *leader = fate == STAYS ? new_member() : NULL, *follower = new_member();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    prepare();
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
      serve(follower);
    if (fate != STAYS)
      _exit(9);
    serve(leader);
  }
  if (fate != STAYS)
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | (fate == UNCOLLECTED ? WNOWAIT : 0)) == 0);
  return pid;
}

static void lead_group(void) {
  CHECK(setpgid(0, 0) == 0);
}

static void lead_session(void) {
  CHECK(setsid() == getpid());
}

static pid_t start_zombie(int signal) {
  siginfo_t info;
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    if (signal)
      raise(signal);
    _exit(7);
  }
  CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
  return pid;
}

static volatile int deaths;

static void on_child(int signal) {
  deaths += signal == SIGCHLD;
}

int main(void) {
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
  struct kin own = own_kin();
  pid_t plain = start();
  start_leader(lead_group, STAYS);
  start_leader(lead_session, STAYS);
  start_leader(lead_group, GONE);
  start_leader(lead_session, GONE);
  pid_t of_group = start_leader(lead_group, UNCOLLECTED);
  pid_t of_session = start_leader(lead_session, UNCOLLECTED);
  pid_t exited = start_zombie(0), killed = start_zombie(SIGTERM);
  signal(SIGCHLD, on_child);
  for (int i = 0; i < count; i++)
    members[i].kin = ask(&members[i]);
  CHECK(members[0].kin.pid == plain && members[0].kin.group == own.group);
  CHECK(members[1].kin.group == members[1].kin.pid && members[2].kin.group == members[1].kin.pid);
  CHECK(members[3].kin.session == members[3].kin.pid && members[4].kin.session == members[3].kin.pid);
  CHECK(members[5].kin.parent == own.pid && members[5].kin.group != own.group);
  CHECK(members[6].kin.parent == own.pid && members[6].kin.session != own.session);
  CHECK(members[7].kin.parent == own.pid && members[7].kin.group == of_group);
  CHECK(members[8].kin.parent == own.pid && members[8].kin.session == of_session);

  ready();
  wait_for_go();

  CHECK(deaths == 0);
  for (int i = 0; i < count; i++) {
    struct kin now = ask(&members[i]), was = members[i].kin;
    CHECK(now.pid == was.pid && now.parent == was.parent);
    /* What was around the program is another now. */
    CHECK(now.group == (was.group == own.group ? getpgrp() : was.group));
    CHECK(now.session == (was.session == own.session ? getsid(0) : was.session));
  }
  int status;
  CHECK(getpgid(of_group) == of_group && getsid(of_session) == of_session);
  CHECK(waitpid(of_group, &status, 0) == of_group && WIFEXITED(status) && WEXITSTATUS(status) == 9);
  CHECK(waitpid(of_session, &status, 0) == of_session && WIFEXITED(status) && WEXITSTATUS(status) == 9);
  CHECK(waitpid(exited, &status, 0) == exited && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  CHECK(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  CHECK(deaths == 0);
  for (int i = count; i-- > 0;)
    CHECK(write(members[i].orders[1], "e", 1) == 1);
  for (int left = 7; left > 0; left--) {
    pid_t pid;
    do
      pid = wait(&status);
    while (pid < 0 && errno == EINTR);
    int i = 0;
    while (i < count && members[i].kin.pid != pid)
      i++;
    CHECK(i < count && WIFEXITED(status) && WEXITSTATUS(status) == 10 + i);
  }
  CHECK(deaths > 0);
  success();
}
