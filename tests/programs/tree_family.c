/* A family: children, grandchildren and orphans in groups and sessions of every kind, two of whose leaders
 * have ended, and children that have ended and that nobody has waited for. Each tells its ids when it is
 * asked. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

struct kin {
  pid_t pid, parent, group, session;
};

enum { MEMBERS = 8 };

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
  alarm(60); /* should the others be gone without a word */
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

/* A child for which `prepare` is called, with a child of its own. With `gone` it ends, and that one comes to
 * us. */
static void start_leader(void (*prepare)(void), int gone) {
  struct member *leader = gone ? NULL : new_member(), *follower = new_member();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    prepare();
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
      serve(follower);
    if (gone)
      _exit(0);
    serve(leader);
  }
  if (gone)
    CHECK(waitpid(pid, NULL, 0) == pid);
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
  start_leader(lead_group, 0);
  start_leader(lead_session, 0);
  start_leader(lead_group, 1);
  start_leader(lead_session, 1);
  pid_t exited = start_zombie(0), killed = start_zombie(SIGTERM);
  signal(SIGCHLD, on_child);
  for (int i = 0; i < count; i++)
    members[i].kin = ask(&members[i]);
  CHECK(members[0].kin.pid == plain && members[0].kin.group == own.group);
  CHECK(members[1].kin.group == members[1].kin.pid && members[2].kin.group == members[1].kin.pid);
  CHECK(members[3].kin.session == members[3].kin.pid && members[4].kin.session == members[3].kin.pid);
  CHECK(members[5].kin.parent == own.pid && members[5].kin.group != own.group);
  CHECK(members[6].kin.parent == own.pid && members[6].kin.session != own.session);

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
  CHECK(waitpid(exited, &status, 0) == exited && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  CHECK(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  CHECK(deaths == 0);
  for (int i = count; i-- > 0;)
    CHECK(write(members[i].orders[1], "e", 1) == 1);
  for (int left = 5; left > 0; left--) {
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
