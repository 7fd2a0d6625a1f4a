/* undisturbed main CALL | second: blocks in CALL in the main thread, or in every call of the table at once,
 * each in a thread of its own. No checkpoint may end a wait, shorten it, or leave a trace in errno, in the
 * floating point environment or in a register. Waits without an end of their own are ended after the line
 * "go". */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"

enum { MS = 3000, UNTOUCHED = 4711 };

struct row {
  const char *name;
  bool timed;
  bool of_day; /* until a time of day, which goes on while a program is saved */
  void (*prepare)(void);
  void (*block)(void); /* leaves errno alone unless it says so */
  void (*wake)(void);
  pthread_t thread;
  bool woken, done;
};

static __thread struct row *current; /* in the thread that waits, and while its wake function runs */
static volatile sig_atomic_t handled;

static const struct timespec whole = {.tv_sec = MS / 1000, .tv_nsec = MS % 1000 * 1000000l};

static long now_ms(clockid_t clock) {
  struct timespec now;
  CHECK(clock_gettime(clock, &now) == 0);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct timespec after(clockid_t clock) {
  long then = now_ms(clock) + MS + 1;
  return (struct timespec){.tv_sec = then / 1000, .tv_nsec = then % 1000 * 1000000};
}

static void send_signal(void) {
  CHECK(pthread_kill(current->thread, SIGUSR1) == 0);
}

/* ---- Sleeps -----------------------------------------------------------------------------------------------
 */

static void block_nanosleep(void) {
  CHECK(nanosleep(&whole, NULL) == 0);
}

static void block_nanosleep_remainder(void) {
  struct timespec left;
  CHECK(nanosleep(&whole, &left) == 0);
}

static void block_clock_nanosleep(void) {
  struct timespec left;
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &whole, &left) == 0);
}

static void block_clock_nanosleep_absolute(void) {
  struct timespec until = after(CLOCK_REALTIME);
  CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL) == 0);
}

static void block_usleep(void) {
  CHECK(usleep(MS * 1000) == 0);
}

static void block_sleep(void) {
  CHECK(sleep(MS / 1000) == 0);
}

/* ---- Descriptors ------------------------------------------------------------------------------------------
 */

static int quiet[2], readable[2], full[2], polled[2], selected[2], event;
static char page[4096];

static void prepare_quiet(void) {
  if (quiet[1] == 0)
    CHECK(pipe(quiet) == 0);
}

static void block_poll(void) {
  CHECK(poll(NULL, 0, MS) == 0);
}

static void block_ppoll(void) {
  struct pollfd one = {.fd = quiet[0], .events = POLLIN};
  sigset_t none;
  sigemptyset(&none);
  CHECK(ppoll(&one, 1, &whole, &none) == 0);
}

static void block_select(void) {
  struct timeval limit = {.tv_sec = MS / 1000, .tv_usec = MS % 1000 * 1000};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(quiet[0], &set);
  CHECK(select(quiet[0] + 1, &set, NULL, NULL, &limit) == 0);
}

static void block_pselect(void) {
  sigset_t none;
  sigemptyset(&none);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(quiet[0], &set);
  CHECK(pselect(quiet[0] + 1, &set, NULL, NULL, &whole, &none) == 0);
}

static void prepare_polled(void) {
  CHECK(pipe(polled) == 0);
}

static void block_poll_forever(void) {
  struct pollfd one = {.fd = polled[0], .events = POLLIN};
  CHECK(poll(&one, 1, -1) == 1);
}

static void wake_polled(void) {
  CHECK(write(polled[1], "x", 1) == 1);
}

static void prepare_selected(void) {
  CHECK(pipe(selected) == 0);
}

static void block_select_forever(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(selected[0], &set);
  CHECK(select(selected[0] + 1, &set, NULL, NULL, NULL) == 1);
}

static void wake_selected(void) {
  CHECK(write(selected[1], "x", 1) == 1);
}

static void prepare_readable(void) {
  CHECK(pipe(readable) == 0);
}

static void block_read(void) {
  char byte;
  CHECK(read(readable[0], &byte, 1) == 1 && byte == 'x');
}

static void wake_read(void) {
  CHECK(write(readable[1], "x", 1) == 1);
}

static void prepare_full(void) {
  CHECK(pipe2(full, O_NONBLOCK) == 0);
  while (write(full[1], page, sizeof page) == sizeof page)
    continue;
  CHECK(errno == EAGAIN && fcntl(full[1], F_SETFL, 0) == 0 && fcntl(full[0], F_SETFL, 0) == 0);
}

static void block_write(void) {
  CHECK(write(full[1], page, sizeof page) == sizeof page);
}

static void wake_write(void) {
  CHECK(read(full[0], page, sizeof page) == sizeof page);
}

static void prepare_eventfd(void) {
  CHECK((event = eventfd(0, 0)) >= 0);
}

static void block_eventfd(void) {
  uint64_t count;
  CHECK(read(event, &count, sizeof count) == sizeof count && count == 3);
}

static void wake_eventfd(void) {
  uint64_t count = 3;
  CHECK(write(event, &count, sizeof count) == sizeof count);
}

/* ---- Locks ------------------------------------------------------------------------------------------------
 */

static int flock_holder, flock_waiter, range_holder, range_waiter;

static int open_lock(const char *name) {
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  return fd;
}

static void prepare_flock(void) {
  flock_holder = open_lock("flock");
  flock_waiter = open_lock("flock");
  CHECK(flock(flock_holder, LOCK_EX) == 0);
}

static void block_flock(void) {
  CHECK(flock(flock_waiter, LOCK_EX) == 0);
}

static void wake_flock(void) {
  CHECK(flock(flock_holder, LOCK_UN) == 0);
}

static void prepare_range(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_len = 10};
  range_holder = open_lock("range");
  range_waiter = open_lock("range");
  CHECK(fcntl(range_holder, F_OFD_SETLK, &lock) == 0);
}

static void block_range(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_start = 5, .l_len = 10};
  CHECK(fcntl(range_waiter, F_OFD_SETLKW, &lock) == 0);
}

static void wake_range(void) {
  struct flock lock = {.l_type = F_UNLCK, .l_len = 10};
  CHECK(fcntl(range_holder, F_OFD_SETLK, &lock) == 0);
}

/* ---- Threads ----------------------------------------------------------------------------------------------
 */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, held_on = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t with_condition = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER, silent = PTHREAD_COND_INITIALIZER;
static bool condition_holds;
static sem_t semaphore, silent_semaphore;
static int futex_word;

/* By a thread that ends: a mutex of the default kind does not mind who unlocks it. */
static void *lock(void *mutex) {
  CHECK(pthread_mutex_lock(mutex) == 0);
  return NULL;
}

static void hold(pthread_mutex_t *mutex) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, lock, mutex) == 0 && pthread_join(thread, NULL) == 0);
}

static void prepare_mutex(void) {
  hold(&held);
}

static void block_mutex(void) {
  CHECK(pthread_mutex_lock(&held) == 0);
}

static void wake_mutex(void) {
  CHECK(pthread_mutex_unlock(&held) == 0);
}

static void prepare_timed_mutex(void) {
  hold(&held_on);
}

static void block_timed_mutex(void) {
  struct timespec until = after(CLOCK_REALTIME);
  CHECK(pthread_mutex_timedlock(&held_on, &until) == ETIMEDOUT);
}

static void block_condition(void) {
  CHECK(pthread_mutex_lock(&with_condition) == 0);
  CHECK(pthread_cond_wait(&condition, &with_condition) == 0 && condition_holds);
  CHECK(pthread_mutex_unlock(&with_condition) == 0);
}

static void wake_condition(void) {
  CHECK(pthread_mutex_lock(&with_condition) == 0);
  condition_holds = true;
  CHECK(pthread_cond_signal(&condition) == 0 && pthread_mutex_unlock(&with_condition) == 0);
}

static void block_timed_condition(void) {
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  struct timespec until = after(CLOCK_REALTIME);
  CHECK(pthread_mutex_lock(&own) == 0);
  CHECK(pthread_cond_timedwait(&silent, &own, &until) == ETIMEDOUT);
}

static void prepare_semaphores(void) {
  CHECK(sem_init(&semaphore, 0, 0) == 0 && sem_init(&silent_semaphore, 0, 0) == 0);
}

static void block_semaphore(void) {
  CHECK(sem_wait(&semaphore) == 0);
}

static void wake_semaphore(void) {
  CHECK(sem_post(&semaphore) == 0);
}

static void block_timed_semaphore(void) {
  struct timespec until = after(CLOCK_REALTIME);
  CHECK(sem_timedwait(&silent_semaphore, &until) == -1 && errno == ETIMEDOUT);
  errno = UNTOUCHED;
}

static void block_futex(void) {
  CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &whole, NULL, 0) == -1 && errno == ETIMEDOUT);
  errno = UNTOUCHED;
}

/* ---- Signals ----------------------------------------------------------------------------------------------
 */

static void block_signal(int how, int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

static void block_sigwait(void) {
  sigset_t set;
  int signal;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  block_signal(SIG_BLOCK, SIGUSR1);
  CHECK(sigwait(&set, &signal) == 0 && signal == SIGUSR1);
}

static void block_sigtimedwait(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 5);
  block_signal(SIG_BLOCK, SIGRTMIN + 5);
  CHECK(sigtimedwait(&set, NULL, &whole) == -1 && errno == EAGAIN);
  errno = UNTOUCHED;
}

static void block_sigsuspend(void) {
  sigset_t none;
  sigemptyset(&none);
  block_signal(SIG_BLOCK, SIGUSR1);
  CHECK(sigsuspend(&none) == -1 && errno == EINTR && handled);
  errno = UNTOUCHED;
}

static void block_pause(void) {
  CHECK(pause() == -1 && errno == EINTR && handled);
  errno = UNTOUCHED;
}

/* ---- System V, which an image does not hold ---------------------------------------------------------------
 */

static int queue = -1, set_of_one = -1;

static void remove_objects(void) {
  if (queue >= 0)
    msgctl(queue, IPC_RMID, NULL);
  if (set_of_one >= 0)
    semctl(set_of_one, 0, IPC_RMID);
}

static void prepare_queue(void) {
  CHECK((queue = msgget(IPC_PRIVATE, 0600)) >= 0 && atexit(remove_objects) == 0);
}

static void block_msgrcv(void) {
  struct {
    long type;
    char text;
  } message;
  CHECK(msgrcv(queue, &message, 1, 0, 0) == 1);
}

static void wake_msgrcv(void) {
  const struct {
    long type;
    char text;
  } message = {1, 'x'};
  CHECK(msgsnd(queue, &message, 1, 0) == 0);
}

static void prepare_set(void) {
  CHECK((set_of_one = semget(IPC_PRIVATE, 1, 0600)) >= 0 && atexit(remove_objects) == 0);
}

static void block_semop(void) {
  struct sembuf down = {.sem_op = -1};
  CHECK(semop(set_of_one, &down, 1) == 0);
}

static void wake_semop(void) {
  struct sembuf up = {.sem_op = 1};
  CHECK(semop(set_of_one, &up, 1) == 0);
}

/* ---- Registers --------------------------------------------------------------------------------------------
 */

/* poll(NULL, 0, MS) with the direction flag set, a pattern in the red zone and one in xmm0 and xmm15. */
static void block_registers(void) {
  unsigned long low, high, red = 0, result, flags = 0;
  __asm__ volatile(
      "movq %[a], %%xmm0\n\tmovq %[b], %%xmm15\n\t"
      "movq %[a], -120(%%rsp)\n\t"
      "movl $7, %%eax\n\tstd\n\tsyscall\n\t"
      "movq -120(%%rsp), %[red]\n\t"
      "leaq -128(%%rsp), %%rsp\n\tpushfq\n\tpopq %[flags]\n\tcld\n\tleaq 128(%%rsp), %%rsp\n\t"
      "movq %%xmm0, %[low]\n\tmovq %%xmm15, %[high]"
      : "=a"(result), [red] "=&r"(red), [low] "=&r"(low), [high] "=&r"(high), [flags] "=&r"(flags)
      : "D"(0), "S"(0), "d"(MS), [a] "r"(0x1234567890abcdefUL), [b] "r"(0xfedcba0987654321UL)
      : "rcx", "r11", "memory", "cc", "xmm0", "xmm15");
  CHECK(result == 0 && (flags & 0x400));
  CHECK(red == 0x1234567890abcdefUL && low == red && high == 0xfedcba0987654321UL);
}

/* -----------------------------------------------------------------------------------------------------------
 */

static struct row rows[] = {
    {.name = "nanosleep", .timed = true, .block = block_nanosleep},
    {.name = "nanosleep_remainder", .timed = true, .block = block_nanosleep_remainder},
    {.name = "clock_nanosleep", .timed = true, .block = block_clock_nanosleep},
    {.name = "clock_nanosleep_absolute",
     .timed = true,
     .of_day = true,
     .block = block_clock_nanosleep_absolute},
    {.name = "usleep", .timed = true, .block = block_usleep},
    {.name = "sleep", .timed = true, .block = block_sleep},
    {.name = "poll", .timed = true, .block = block_poll},
    {.name = "ppoll", .timed = true, .prepare = prepare_quiet, .block = block_ppoll},
    {.name = "select", .timed = true, .prepare = prepare_quiet, .block = block_select},
    {.name = "pselect", .timed = true, .prepare = prepare_quiet, .block = block_pselect},
    {.name = "poll_forever", .prepare = prepare_polled, .block = block_poll_forever, .wake = wake_polled},
    {.name = "select_forever",
     .prepare = prepare_selected,
     .block = block_select_forever,
     .wake = wake_selected},
    {.name = "read", .prepare = prepare_readable, .block = block_read, .wake = wake_read},
    {.name = "write", .prepare = prepare_full, .block = block_write, .wake = wake_write},
    {.name = "eventfd", .prepare = prepare_eventfd, .block = block_eventfd, .wake = wake_eventfd},
    {.name = "flock", .prepare = prepare_flock, .block = block_flock, .wake = wake_flock},
    {.name = "fcntl", .prepare = prepare_range, .block = block_range, .wake = wake_range},
    {.name = "mutex", .prepare = prepare_mutex, .block = block_mutex, .wake = wake_mutex},
    {.name = "mutex_timed",
     .timed = true,
     .of_day = true,
     .prepare = prepare_timed_mutex,
     .block = block_timed_mutex},
    {.name = "condition", .block = block_condition, .wake = wake_condition},
    {.name = "condition_timed", .timed = true, .of_day = true, .block = block_timed_condition},
    {.name = "semaphore", .prepare = prepare_semaphores, .block = block_semaphore, .wake = wake_semaphore},
    {.name = "semaphore_timed",
     .timed = true,
     .of_day = true,
     .prepare = prepare_semaphores,
     .block = block_timed_semaphore},
    {.name = "futex", .timed = true, .block = block_futex},
    {.name = "sigwait", .block = block_sigwait, .wake = send_signal},
    {.name = "sigtimedwait", .timed = true, .block = block_sigtimedwait},
    {.name = "sigsuspend", .block = block_sigsuspend, .wake = send_signal},
    {.name = "pause", .block = block_pause, .wake = send_signal},
    {.name = "registers", .timed = true, .block = block_registers},
    /* From here on: not in an image, so not in the run for all. */
    {.name = "msgrcv", .prepare = prepare_queue, .block = block_msgrcv, .wake = wake_msgrcv},
    {.name = "semop", .prepare = prepare_set, .block = block_semop, .wake = wake_semop},
};
enum { ROWS = sizeof rows / sizeof rows[0], SAVED = ROWS - 2 };

static void on_signal(int signal) {
  (void)signal;
  handled = 1;
}

/* Blocks, and looks at all that a checkpoint might have changed. */
static void *run(void *argument) {
  struct row *row = current = argument;
  unsigned short x87, x87_before = 0x0e7f; /* round to zero, 53 bits */
  row->thread = pthread_self();
  __asm__ volatile("fldcw %0" : : "m"(x87_before));
  unsigned mxcsr, mxcsr_before = 0x5fa0; /* round up, precision raised */
  __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr_before));
  errno = UNTOUCHED;
  clockid_t clock = row->of_day ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  long start = now_ms(clock);
  row->block();
  long took = now_ms(clock) - start;
  int left = errno;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  __asm__ volatile("fnstcw %0" : "=m"(x87));
  if (left != UNTOUCHED)
    FAIL("%s: errno became %d", row->name, left);
  if (mxcsr != mxcsr_before || x87 != x87_before)
    FAIL("%s: mxcsr %x, control word %x", row->name, mxcsr, x87);
  if (row->timed && took < MS - 1)
    FAIL("%s took only %ld ms", row->name, took);
  if (!row->timed && !__atomic_load_n(&row->woken, __ATOMIC_ACQUIRE))
    FAIL("%s ended by itself after %ld ms", row->name, took);
  __atomic_store_n(&row->done, true, __ATOMIC_RELEASE);
  return NULL;
}

/* A signal is sent until it has arrived in the wait: what pause misses is lost. */
static void wake(struct row *row) {
  if (row->timed)
    return;
  current = row;
  __atomic_store_n(&row->woken, true, __ATOMIC_RELEASE);
  do
    row->wake();
  while (row->wake == send_signal && !__atomic_load_n(&row->done, __ATOMIC_ACQUIRE) && sched_yield() == 0);
}

static void *wake_main(void *row) {
  wait_for_go();
  wake(row);
  return NULL;
}

static void in_main_thread(struct row *row) {
  pthread_t waker;
  row->thread = pthread_self();
  CHECK(pthread_create(&waker, NULL, wake_main, row) == 0);
  ready();
  run(row);
}

static void in_second_threads(void) {
  pthread_t threads[SAVED];
  for (int i = 0; i < SAVED; i++)
    CHECK(pthread_create(&threads[i], NULL, run, &rows[i]) == 0);
  ready();
  wait_for_go();
  for (int i = 0; i < SAVED; i++)
    wake(&rows[i]);
  for (int i = 0; i < SAVED; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = on_signal};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  if (argc == 2 && strcmp(argv[1], "second") == 0) {
    for (int i = 0; i < SAVED; i++)
      if (rows[i].prepare)
        rows[i].prepare();
    in_second_threads();
    success();
  }
  CHECK(argc == 3);
  for (int i = 0; i < ROWS; i++)
    if (strcmp(argv[2], rows[i].name) == 0) {
      if (rows[i].prepare)
        rows[i].prepare();
      in_main_thread(&rows[i]);
      success();
    }
  FAIL("no such call: %s", argv[2]);
}
