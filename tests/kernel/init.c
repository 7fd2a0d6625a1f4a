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
#include <time.h>
#include <unistd.h>

/* A program may take this long, and what was killed this long to be gone. */
enum { ORDINARY = 1000, LIMIT_MS = 180000, ENDS_MS = 30000, LOOK_MS = 10 };

struct run {
  pid_t pid;
  int status;
  bool ended;
  bool alone; /* nobody is left whom this process could wait for */
  int in, out;
  size_t length, said;
  char text[8192], latest[160];
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

static void nothing(int signal) {
  (void)signal;
}

/* The end of a child ends the wait of this process, and no other call. */
static void set_child_signals(int how, void (*handler)(int)) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(how, &set, NULL);
  signal(SIGCHLD, handler);
}

_Noreturn static void become(char **words, const char *directory, uid_t user, const int in[2],
                             const int out[2]) {
  set_child_signals(SIG_UNBLOCK, SIG_DFL);
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
  *run = (struct run){.pid = -1, .in = -1, .out = -1};
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

/* ---- Waiting ------------------------------------------------------------------------------------------ */

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Every process that has lost its parent is this one's to wait for. */
static void reap(struct run *run) {
  pid_t got;
  int status;
  while ((got = waitpid(-1, &status, WNOHANG)) > 0)
    if (got == run->pid) {
      run->ended = true;
      run->status = status;
    }
  run->alone = got < 0;
}

/* What is too much to be kept goes from the front. */
static void read_some(struct run *run) {
  size_t room = sizeof run->text - 1, half = room / 2;
  if (run->length == room) {
    memmove(run->text, run->text + half, room - half);
    run->length -= half;
  }
  ssize_t n = read(run->out, run->text + run->length, room - run->length);
  if (n <= 0) {
    close(run->out);
    run->out = -1;
    return;
  }
  run->length += (size_t)n;
  run->text[run->length] = 0;
}

/* Until this holds: false when the time is up, and when nothing is left that could still make it hold. */
static bool wait_until(struct run *run, bool (*holds)(const struct run *run), long end) {
  const struct timespec look = {.tv_nsec = LOOK_MS * 1000000};
  sigset_t none;
  sigemptyset(&none);
  while (!holds(run)) {
    struct pollfd wait = {.fd = run->out, .events = POLLIN};
    if (now_ms() > end || (run->alone && run->out < 0))
      return false;
    if (ppoll(&wait, 1, &look, &none) > 0)
      read_some(run);
    reap(run);
  }
  return true;
}

static bool is_ready(const struct run *run) {
  return strstr(run->text, "READY\n");
}

static bool has_image(const struct run *run) {
  struct stat st;
  return lstat(run->latest, &st) == 0;
}

/* An image, or why there is none. */
static bool has_answered(const struct run *run) {
  return has_image(run) || run->length > run->said;
}

static bool is_over(const struct run *run) {
  return run->ended && run->out < 0;
}

static bool is_alone(const struct run *run) {
  return run->alone;
}

static void stop_talking(struct run *run) {
  if (run->in >= 0)
    close(run->in);
  if (run->out >= 0)
    close(run->out);
  run->in = run->out = -1;
}

/* All processes but this one. */
static bool end_all(struct run *run) {
  kill(-1, SIGKILL);
  stop_talking(run);
  reap(run);
  return wait_until(run, is_alone, now_ms() + ENDS_MS);
}

/* ---- Trying ------------------------------------------------------------------------------------------- */

/* Null when it came back as it was, else what went wrong. */
static const char *bring_back(struct run *run, const char *name, const char *directory, uid_t user) {
  long end = now_ms() + LIMIT_MS;
  char program[80], job[128];
  snprintf(program, sizeof program, "/tests/%s", name);
  snprintf(job, sizeof job, "%s/ckpt/job", directory);
  setenv("CKPT_DIR", "ckpt", 1);
  setenv("CKPT_NAME", "job", 1);
  setenv("CKPT_JOB", "1-job", 1);
  setenv("LD_PRELOAD", "/build/libckpt.so", 1);
  bool started = start(run, (char *[]){program, NULL}, directory, user);
  unsetenv("LD_PRELOAD");
  unsetenv("CKPT_JOB");
  snprintf(run->latest, sizeof run->latest, "%s/latest", job);
  if (!started || !wait_until(run, is_ready, end))
    return "it is not ready";
  run->said = run->length;
  kill(run->pid, SIGUSR2);
  (void)wait_until(run, has_answered, end);
  if (!has_image(run))
    return "there is no image";
  if (!end_all(run))
    return "what was saved does not end";
  if (!start(run, (char *[]){"/build/restart", job, NULL}, directory, user))
    return "restart does not start";
  bool told = write(run->in, "go\n!", 4) == 4;
  close(run->in);
  run->in = -1;
  if (!told || !wait_until(run, is_over, end))
    return "it does not end";
  return run->status == 0 && strstr(run->text, "EXIT-SUCCESS\n") ? NULL : "it is not as it was";
}

static bool try(const char *name, uid_t user) {
  static struct run run;
  char directory[96];
  snprintf(directory, sizeof directory, "/tmp/%s-%u", name, user);
  mkdir(directory, 0755);
  if (chown(directory, user, user) < 0)
    printf("note: %s: %m\n", directory);
  const char *wrong = bring_back(&run, name, directory, user);
  if (!end_all(&run) && !wrong)
    wrong = "what it leaves behind does not end";
  printf(wrong ? "not ok %s as %s: %s\n%s" : "ok %s as %s\n", name, user ? "an ordinary user" : "root", wrong,
         run.text);
  return !wrong;
}

int main(void) {
  char name[64];
  struct utsname system;
  int passed = 0, failed = 0;
  set_up();
  set_child_signals(SIG_BLOCK, nothing);
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
