/* The first process of a machine that runs another kernel: brings back each test program that needs no more
 * than libckpt.so and restart, as root and as an ordinary user, says "ok" or "not ok", counts, and ends the
 * machine.
 *
 * tests/kernel.ts makes the machine; /programs has a name a line. */
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ORDINARY = 1000, LIMIT_MS = 120000, LOOK_MS = 10 };

struct run {
  pid_t pid;
  int in, out;
  size_t length;
  char text[8192];
};

static void mount_on(const char *type, const char *path, const char *options) {
  mkdir(path, 0755);
  if (mount(type, path, type, 0, options) < 0)
    printf("note: cannot mount %s on %s: %m\n", type, path);
}

/* What Debian's kernel would ask modprobe for. */
static void load_modules(void) {
  char path[64];
  FILE *modules = fopen("/modules", "re");
  while (modules && fscanf(modules, "%63s", path) == 1) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
      printf("note: cannot load %s: %m\n", path);
    close(fd);
  }
  if (modules)
    fclose(modules);
}

static void set_up(void) {
  struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  mount_on("devtmpfs", "/dev", NULL);
  int console = open("/dev/console", O_RDWR);
  for (int i = 0; i <= 2; i++)
    dup2(console, i);
  if (console > 2)
    close(console);
  mount_on("proc", "/proc", NULL);
  mount_on("sysfs", "/sys", NULL);
  mount_on("devpts", "/dev/pts", "mode=620,ptmxmode=666");
  mount_on("tmpfs", "/dev/shm", "mode=1777");
  mount_on("mqueue", "/dev/mqueue", NULL);
  mount_on("tmpfs", "/tmp", "mode=1777");
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) < 0)
    printf("note: the loopback interface is down: %m\n");
  close(fd);
  load_modules();
}

_Noreturn static void become(char **words, const char *directory, uid_t user, const int in[2],
                             const int out[2]) {
  dup2(in[0], 0);
  dup2(out[1], 1);
  dup2(out[1], 2);
  close(in[0]);
  close(in[1]);
  close(out[0]);
  close(out[1]);
  if (chdir(directory) == 0 && (user == 0 || (setgid(user) == 0 && setuid(user) == 0)))
    execv(words[0], words);
  dprintf(2, "%s: %m\n", words[0]);
  _exit(127);
}

static bool start(struct run *run, char **words, const char *directory, uid_t user) {
  int in[2], out[2];
  *run = (struct run){.pid = -1};
  if (pipe(in) < 0 || pipe(out) < 0)
    return false;
  run->pid = fork();
  if (run->pid == 0)
    become(words, directory, user, in, out);
  close(in[0]);
  close(out[1]);
  run->in = in[1];
  run->out = out[0];
  return run->pid > 0;
}

/* What there is to read: false at the end, and when there is nothing in time. */
static bool read_some(struct run *run, int limit) {
  struct pollfd wait = {.fd = run->out, .events = POLLIN};
  ssize_t n = poll(&wait, 1, limit);
  if (n > 0)
    n = read(run->out, run->text + run->length, sizeof run->text - 1 - run->length);
  if (n <= 0)
    return false;
  run->length += (size_t)n;
  run->text[run->length] = 0;
  return true;
}

/* Reads until the text has `words`, or, without words, until its end. */
static bool read_until(struct run *run, const char *words) {
  while (read_some(run, LIMIT_MS))
    if (words && strstr(run->text, words))
      return true;
  return !words;
}

/* False when it says something first: why it cannot be saved. */
static bool wait_for_file(struct run *run, const char *path) {
  struct stat st;
  for (int i = 0; i < LIMIT_MS / LOOK_MS; i++) {
    if (lstat(path, &st) == 0)
      return true;
    if (read_some(run, LOOK_MS))
      return false;
  }
  return false;
}

/* All processes but this one. */
static int end_all(pid_t pid) {
  int status, found = -1;
  pid_t got;
  if (pid <= 0)
    kill(-1, SIGKILL);
  while ((got = waitpid(pid > 0 ? pid : -1, &status, 0)) > 0) {
    if (got == pid)
      found = status;
  }
  return found;
}

/* Null when it came back as it was, else what went wrong. */
static const char *bring_back(struct run *run, const char *name, const char *directory, uid_t user) {
  char program[64], job[128], latest[160];
  snprintf(program, sizeof program, "/tests/%s", name);
  snprintf(job, sizeof job, "%s/ckpt/job", directory);
  snprintf(latest, sizeof latest, "%s/latest", job);
  setenv("CKPT_DIR", "ckpt", 1);
  setenv("CKPT_NAME", "job", 1);
  setenv("LD_PRELOAD", "/build/libckpt.so", 1);
  bool started = start(run, (char *[]){program, NULL}, directory, user);
  unsetenv("LD_PRELOAD");
  if (!started || !read_until(run, "READY\n"))
    return "it is not ready";
  kill(run->pid, SIGUSR2);
  bool saved = wait_for_file(run, latest);
  end_all(0);
  close(run->in);
  close(run->out);
  if (!saved)
    return "there is no image";
  if (!start(run, (char *[]){"/build/restart", job, NULL}, directory, user))
    return "restart does not start";
  bool told = write(run->in, "go\n!", 4) == 4;
  close(run->in);
  bool ended = read_until(run, NULL);
  int status = ended ? end_all(run->pid) : -1;
  close(run->out);
  if (!told || !ended)
    return "it does not end";
  return status == 0 && strstr(run->text, "EXIT-SUCCESS\n") ? NULL : "it is not as it was";
}

static bool try(const char *name, uid_t user) {
  static struct run run;
  char directory[64];
  snprintf(directory, sizeof directory, "/tmp/%s-%u", name, user);
  mkdir(directory, 0755);
  if (chown(directory, user, user) < 0)
    printf("note: %s: %m\n", directory);
  const char *wrong = bring_back(&run, name, directory, user);
  end_all(0);
  printf(wrong ? "not ok %s as %s: %s\n%s" : "ok %s as %s\n", name, user ? "an ordinary user" : "root", wrong,
         run.text);
  return !wrong;
}

int main(void) {
  char name[64];
  struct utsname system;
  int passed = 0, failed = 0;
  set_up();
  setvbuf(stdout, NULL, _IOLBF, 0);
  uname(&system);
  printf("kernel %s\n", system.release);
  FILE *programs = fopen("/programs", "re");
  while (programs && fscanf(programs, "%63s", name) == 1)
    for (uid_t user = 0; user <= ORDINARY; user += ORDINARY)
      *(try(name, user) ? &passed : &failed) += 1;
  printf("%d passed, %d failed\n", passed, failed);
  fflush(stdout);
  reboot(RB_AUTOBOOT);
}
