/**
 * The programs of tests/programs.ts that run programs made for something else than what they run on: their memory maps,
 * threads and signals are not those that their own libraries would have made.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

export const emulatorWorkloads: Workload[] = [
  {
    name: "QEMU's user mode",
    command: "qemu-x86_64 ../input/guest > out",
    needs: { "qemu-x86_64": "qemu-user", gcc: "gcc" },
    prepare: "gcc -O1 -pthread -D_GNU_SOURCE -o guest guest.c",
    inputs: {
      // Threads, signals and children of the guest, each of which is one of the host's.
      "guest.c": `#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
enum { THREADS = 3, ROUNDS = 120 };
static pthread_barrier_t barrier;
static sem_t heard;
static __thread unsigned long state;
static unsigned long results[THREADS];
static unsigned long compute(unsigned long x, unsigned turns) {
  while (turns--)
    x = x * 16807 % 2147483647;
  return x;
}
static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  state += (unsigned long)info->si_value.sival_int;
  sem_post(&heard);
}
static void *work(void *argument) {
  unsigned long self = (unsigned long)argument;
  state = self + 1;
  for (int round = 0; round < ROUNDS; round++) {
    results[self] = compute(state, 1500000);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    state = results[self] + state % 1000;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[THREADS];
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 3, &action, NULL);
  pthread_barrier_init(&barrier, NULL, THREADS + 1);
  for (unsigned long i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, work, (void *)i);
  for (int round = 0; round < ROUNDS; round++) {
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
      for (int k = 1; k <= 5; k++) {
        pthread_sigqueue(threads[i], SIGRTMIN + 3, (union sigval){.sival_int = k});
        while (sem_wait(&heard))
          ;
      }
    int status = 0;
    pid_t child = round % 10 ? 0 : fork();
    if (round % 10 == 0 && child == 0)
      _exit((int)(compute(results[0], 100000) % 97));
    if (child > 0)
      waitpid(child, &status, 0);
    printf("%d %lu %lu %lu %d\\n", round, results[0], results[1], results[2], WEXITSTATUS(status));
    fflush(stdout);
    pthread_barrier_wait(&barrier);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
}
`,
    },
  },
  {
    name: "Wine",
    // Its server and services are daemons, and part of the job.
    command:
      "env WINEPREFIX=$PWD/../input/prefix WINEDEBUG=-all /usr/lib/wine/wine64 cmd /c ../input/loop.bat > out",
    needs: {
      "/usr/lib/wine/wine64": "wine64",
      "/usr/lib/wine/wine64-preloader": "wine64-preloader",
    },
    // They write to the registry.
    inPlace: true,
    prepare: `export WINEPREFIX=$PWD/prefix WINEDEBUG=-all HOME=$PWD
/usr/lib/wine/wine64 wineboot -i && /usr/lib/wine/wineserver64 -w`,
    // A server that is left would serve the next run, too. Its socket is in TMPDIR.
    compare: "TMPDIR=$PWD/../tmp WINEPREFIX=$PWD/../input/prefix /usr/lib/wine/wineserver64 -w",
    inputs: {
      "loop.bat": [
        "@echo off",
        "setlocal enabledelayedexpansion",
        "set x=7",
        "for /l %%i in (1,1,60000) do (",
        "  set /a x=x*16807 %% 65537",
        '  if !x! lss 2 cmd /c echo !x! ^| find "!x!"',
        "  if %%i==30000 for /f %%a in ('echo %%i') do echo %%a",
        "  echo %%i !x!",
        ")",
        "",
      ].join("\r\n"),
    },
  },
];
