/* Threads that are deep inside something whenever a checkpoint comes: the allocator, the dynamic loader,
 * stdio, a signal handler, and locks of every kind that others wait for. All block every signal, but for the
 * one in its handler. */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>

#include "check.h"
#include "queue.h"

static bool stop;
static pthread_rwlock_t reads_and_writes = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t meeting;
static pthread_key_t key;
static unsigned long written, mirrored, spun, destroyed, own_spins[2];
static unsigned long handled;
static sem_t in_handler, go_on;

static bool stopped(void) {
  return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void *allocate(void *unused) {
  enum { BLOCKS = 64 };
  unsigned char *blocks[BLOCKS] = {0};
  size_t sizes[BLOCKS] = {0};
  unsigned long state = 4711;
  while (!stopped()) {
    size_t i = next_number(&state) % BLOCKS;
    for (size_t at = 0; at < sizes[i]; at++)
      CHECK(blocks[i][at] == (unsigned char)(sizes[i] + at));
    free(blocks[i]);
    sizes[i] = next_number(&state) % (i == 0 ? 300000 : 3000);
    CHECK((blocks[i] = malloc(sizes[i])) || sizes[i] == 0);
    for (size_t at = 0; at < sizes[i]; at++)
      blocks[i][at] = (unsigned char)(sizes[i] + at);
  }
  return unused;
}

static void *load(void *unused) {
  while (!stopped()) {
    void *library = dlopen("libm.so.6", RTLD_NOW);
    CHECK(library);
    double (*cube_root)(double) = (double (*)(double))(long)dlsym(library, "cbrt");
    CHECK(cube_root && cube_root(27.0) > 2.99 && cube_root(27.0) < 3.01);
    CHECK(dlclose(library) == 0);
  }
  return unused;
}

static void *print(void *unused) {
  FILE *file = fopen("/dev/null", "w");
  CHECK(file);
  for (unsigned long line = 0; !stopped(); line++) {
    char text[64];
    snprintf(text, sizeof text, "%lu %a", line, (double)line);
    CHECK(strtoul(text, NULL, 10) == line && fprintf(file, "%s\n", text) > 0);
  }
  CHECK(fclose(file) == 0);
  return unused;
}

static void *write_both(void *unused) {
  while (!stopped()) {
    CHECK(pthread_rwlock_wrlock(&reads_and_writes) == 0);
    written++;
    sched_yield();
    mirrored++;
    CHECK(pthread_rwlock_unlock(&reads_and_writes) == 0);
  }
  return unused;
}

static void *read_both(void *unused) {
  while (!stopped()) {
    CHECK(pthread_rwlock_rdlock(&reads_and_writes) == 0);
    CHECK(written == mirrored);
    CHECK(pthread_rwlock_unlock(&reads_and_writes) == 0);
    sched_yield();
  }
  return unused;
}

static void meet(void) {
  int met = pthread_barrier_wait(&meeting);
  CHECK(met == 0 || met == PTHREAD_BARRIER_SERIAL_THREAD);
}

/* Both stop after the same turn. */
static void *take_spin(void *argument) {
  static bool last;
  unsigned long *own = argument;
  do {
    CHECK(pthread_spin_lock(&spin) == 0);
    spun++;
    CHECK(pthread_spin_unlock(&spin) == 0);
    ++*own;
    meet();
    if (own == &own_spins[0])
      last = stopped();
    meet();
  } while (!last);
  return NULL;
}

static void destroy(void *value) {
  __atomic_fetch_add(&destroyed, (unsigned long)value, __ATOMIC_RELAXED);
}

static void *keep_value(void *value) {
  CHECK(pthread_setspecific(key, value) == 0);
  while (!stopped()) {
    CHECK(pthread_getspecific(key) == value);
    sched_yield();
  }
  return NULL;
}

static void on_signal(int signal, siginfo_t *info, void *unused) {
  (void)unused;
  CHECK(signal == SIGUSR1 && info->si_value.sival_int == 4711);
  CHECK(sem_post(&in_handler) == 0 && sem_wait(&go_on) == 0);
  handled++;
}

static void *handle(void *unused) {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
  queue_to_self(SIGUSR1, 4711);
  CHECK(handled == 1);
  return unused;
}

int main(void) {
  static void *(*const kinds[])(void *) = {allocate,  load,      print,  write_both, read_both,
                                           take_spin, take_spin, handle, keep_value, keep_value};
  enum { COUNT = sizeof kinds / sizeof *kinds };
  void *arguments[COUNT] = {[5] = &own_spins[0], [6] = &own_spins[1], [8] = (void *)17, [9] = (void *)4};
  pthread_t threads[COUNT];
  sigset_t all, before;
  const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_key_create(&key, destroy) == 0);
  CHECK(sem_init(&in_handler, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
  CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
  CHECK(pthread_barrier_init(&meeting, NULL, 2) == 0);
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  for (int i = 0; i < COUNT; i++)
    CHECK(pthread_create(&threads[i], NULL, kinds[i], arguments[i]) == 0);
  CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
  CHECK(sem_wait(&in_handler) == 0);
  ready();
  wait_for_go();
  CHECK(handled == 0 && sem_post(&go_on) == 0);
  __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
  CHECK(pthread_join(threads[7], NULL) == 0 && handled == 1);
  for (int i = 0; i < COUNT; i++)
    CHECK(i == 7 || pthread_join(threads[i], NULL) == 0);
  CHECK(written == mirrored && spun == own_spins[0] + own_spins[1] && destroyed == 21);
  success();
}
