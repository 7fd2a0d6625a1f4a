/* A server with workers: so many processes (the first argument) that share so many MiB with their parent
 * since a fork. Each writes a page of its own; what all of them take together tells whether the rest is
 * shared. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

static unsigned long *memory;
static size_t words;

static unsigned long sum(void) {
  unsigned long total = 0;
  for (size_t i = 0; i < words; i++)
    total = total * 31 + memory[i];
  return total;
}

/* Of this process, in KiB, where each page counts as a part as there are processes that share it. */
static long share(void) {
  char text[4096], *at;
  int fd = open("/proc/self/smaps_rollup", O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  CHECK(n > 0);
  text[n] = 0;
  close(fd);
  CHECK((at = strstr(text, "\nPss:")) != NULL);
  return atol(at + 5);
}

static void work(int number, int go, int end, int answer, unsigned long expected) {
  char byte;
  alarm(300); /* should the parent be gone without a word */
  unsigned long *own = memory + (size_t)number * 1000 % words, was = *own;
  *own = (unsigned long)number;
  CHECK(write(answer, "r", 1) == 1);
  CHECK(read(go, &byte, 1) == 1);
  CHECK(*own == (unsigned long)number);
  *own = was;
  CHECK(sum() == expected);
  long kib = share();
  CHECK(write(answer, &kib, sizeof kib) == sizeof kib);
  CHECK(read(end, &byte, 1) == 0); /* all have looked */
  _exit(0);
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 4, mib = argc > 2 ? atoi(argv[2]) : 16;
  int go[2], end[2], answer[2];
  unsigned long state = 88172645463325252ul;
  words = (size_t)mib << 17;
  memory = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED && pipe(go) == 0 && pipe(end) == 0 && pipe(answer) == 0);
  for (size_t i = 0; i < words; i++)
    memory[i] = next_number(&state);
  unsigned long expected = sum();
  for (int i = 0; i < count; i++) {
    char byte;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      close(end[1]);
      work(i, go[0], end[0], answer[1], expected);
    }
    CHECK(read(answer[0], &byte, 1) == 1);
  }

  ready();
  wait_for_go();

  CHECK(sum() == expected);
  long total = share(), kib;
  for (int i = 0; i < count; i++)
    CHECK(write(go[1], "g", 1) == 1);
  for (int i = 0; i < count; i++, total += kib)
    CHECK(read(answer[0], &kib, sizeof kib) == sizeof kib);
  dprintf(2, "%ld KiB in all\n", total);
  CHECK(total < 2048l * mib + 512l * count);
  close(end[1]);
  for (int status; wait(&status) > 0;)
    CHECK(status == 0);
  success();
}
