/* A process that holds a terminal, the leader of the session in it, and two jobs of that, one in the
 * foreground: Ctrl-C is the foreground's. What one process takes from the terminal no other gets. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "check.h"

static pid_t start(void (*run)(void)) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid > 0)
    return pid;
  alarm(300);
  run();
  _exit(0);
}

static void in_background(void) {
  char byte;
  CHECK(setpgid(0, 0) == 0);
  /* Stops nobody: the signal is ignored, and so the read fails. */
  signal(SIGTTIN, SIG_IGN);
  while (getppid() != 1) {
    CHECK(read(0, &byte, 1) < 0 && errno == EIO);
    usleep(1000);
  }
}

static volatile sig_atomic_t interrupted;

static void note(int number) {
  interrupted = number;
}

static void in_foreground(void) {
  struct sigaction action = {.sa_handler = note};
  struct pollfd input = {.fd = 0, .events = POLLIN};
  sigset_t none, interrupts;
  char line[16];
  sigemptyset(&none);
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  CHECK(setpgid(0, 0) == 0 && sigaction(SIGINT, &action, NULL) == 0);
  CHECK(sigprocmask(SIG_BLOCK, &interrupts, NULL) == 0); /* until it waits */
  signal(SIGTTOU, SIG_IGN);
  CHECK(tcsetpgrp(0, getpid()) == 0);
  say("running\n");
  CHECK(ppoll(&input, 1, NULL, &none) < 0 && errno == EINTR && interrupted == SIGINT);
  say("interrupted\n");
  CHECK(read(0, line, sizeof line) == 5 && memcmp(line, "next\n", 5) == 0);
  say("read\n");
}

static int terminal;
static pid_t background, foreground;

static void lead(void) {
  int status;
  CHECK(setsid() == getpid() && ioctl(terminal, TIOCSCTTY, 0) == 0);
  CHECK(dup2(terminal, 0) == 0 && dup2(terminal, 1) == 1 && dup2(terminal, 2) == 2 && close(terminal) == 0);
  int own = open("/dev/tty", O_RDWR);
  CHECK(own == terminal);
  background = start(in_background);
  foreground = start(in_foreground);
  CHECK(waitpid(foreground, &status, 0) == foreground && status == 0);
  CHECK(tcgetpgrp(own) == foreground && tcgetsid(own) == getpid() && tcgetpgrp(0) == foreground);
  signal(SIGTTOU, SIG_IGN);
  CHECK(tcsetpgrp(own, getpid()) == 0);
  CHECK(kill(background, SIGKILL) == 0 && waitpid(background, &status, 0) == background);
  say("led\n");
}

static int master;

/* Until the terminal shows these words. */
static void shows(const char *words) {
  static char text[4096];
  static size_t size;
  struct pollfd poller = {.fd = master, .events = POLLIN};
  while (!strstr(text, words)) {
    if (poll(&poller, 1, 60000) != 1)
      FAIL("no \"%s\" in \"%s\"", words, text);
    ssize_t n = read(master, text + size, sizeof text - 1 - size);
    CHECK(n > 0);
    size += (size_t)n;
  }
}

int main(void) {
  int status;
  master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  CHECK(master >= 0 && unlockpt(master) == 0);
  terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
  CHECK(terminal >= 0);
  pid_t leader = start(lead);
  CHECK(close(terminal) == 0);
  shows("running\r\n");
  ready();
  wait_for_go();
  pid_t group;
  CHECK(ioctl(master, TIOCGPGRP, &group) == 0 && group > leader && tcgetsid(master) == leader);
  CHECK(write(master, "\003", 1) == 1);
  shows("interrupted\r\n");
  CHECK(write(master, "next\r", 5) == 5);
  shows("read\r\n");
  shows("led\r\n");
  CHECK(waitpid(leader, &status, 0) == leader && status == 0);
  success();
}
