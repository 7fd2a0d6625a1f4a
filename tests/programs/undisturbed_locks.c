/* Locks of files and of threads. See undisturbed.h. */
#include <fcntl.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "undisturbed.h"

/* musl makes relative waits of a time of day, and makes the next one of what remains. */
#ifdef __GLIBC__
#define LOCK_TIMED OF_DAY
#else
#define LOCK_TIMED OF_DAY_AGAIN
#endif

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

/* musl's tries first, and leaves what that gave. */
static void block_semaphore(void) {
  CHECK(sem_wait(&semaphore) == 0);
  errno = UNTOUCHED;
}

static void wake_semaphore(void) {
  CHECK(sem_post(&semaphore) == 0);
}

static void block_timed_semaphore(void) {
  struct timespec until = after(CLOCK_REALTIME);
  CHECK(sem_timedwait(&silent_semaphore, &until) == -1 && errno == ETIMEDOUT);
  errno = UNTOUCHED;
}

#ifdef __GLIBC__ /* in musl's syscall() nobody can tell the number of a call that has been interrupted */
static void block_futex(void) {
  CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &whole, NULL, 0) == -1 && errno == ETIMEDOUT);
  errno = UNTOUCHED;
}
#endif

static struct row rows[] = {
    {.name = "flock", .prepare = prepare_flock, .block = block_flock, .wake = wake_flock},
    {.name = "fcntl", .prepare = prepare_range, .block = block_range, .wake = wake_range},
    {.name = "mutex", .prepare = prepare_mutex, .block = block_mutex, .wake = wake_mutex},
    {.name = "mutex_timed", .kind = LOCK_TIMED, .prepare = prepare_timed_mutex, .block = block_timed_mutex},
    {.name = "condition", .block = block_condition, .wake = wake_condition},
    {.name = "condition_timed", .kind = LOCK_TIMED, .block = block_timed_condition},
    {.name = "semaphore", .prepare = prepare_semaphores, .block = block_semaphore, .wake = wake_semaphore},
    {.name = "semaphore_timed",
     .kind = LOCK_TIMED,
     .prepare = prepare_semaphores,
     .block = block_timed_semaphore},
#ifdef __GLIBC__
    {.name = "futex", .kind = TIMED_AGAIN, .block = block_futex},
#endif
};

MAIN
