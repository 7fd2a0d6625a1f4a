#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "restorer/plan.h"

static char problems[16384];
static bool quiet;
static int parent = -1;

void say_quietly(void) {
  quiet = true;
}

void say_through(int socket) {
  parent = socket;
}

/* Names in an image are somebody else's words, and a terminal would obey them. */
static void make_plain(char *words) {
  for (; *words; words++)
    if (((unsigned char)*words < ' ' && *words != '\n') || *words == 127)
      *words = '?';
}

int say_problem(const char *format, ...) {
  size_t used = strlen(problems);
  if (used && used + 1 < sizeof problems) {
    problems[used++] = '\n';
    problems[used] = 0;
  }
  va_list list;
  va_start(list, format);
  vsnprintf(problems + used, sizeof problems - used, format, list);
  va_end(list);
  make_plain(problems + used);
  return -1;
}

static void send_words(enum plan_news_kind kind, const char *words) {
  struct plan_news news = {.kind = kind};
  struct iovec parts[2] = {{&news, sizeof news}, {(char *)words, strlen(words)}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  /* Should it not arrive, restart still sees that the process ended early. */
  (void)sendmsg(parent, &message, MSG_NOSIGNAL);
}

void say_warning(const char *format, ...) {
  char words[4096];
  va_list list;
  va_start(list, format);
  vsnprintf(words, sizeof words, format, list);
  va_end(list);
  make_plain(words);
  if (parent >= 0)
    send_words(PLAN_NEWS_WARNING, words);
  else if (!quiet)
    fprintf(stderr, "restart: %s\n", words);
}

const char *say_problems(void) {
  return problems;
}

bool say_has_problem(void) {
  return problems[0] != 0;
}

void say_forget_problems(void) {
  problems[0] = 0;
}

void say_send_problems(void) {
  send_words(PLAN_NEWS_WORDS, problems);
}

int say_huge_pages(const char *what, uint64_t size, uint64_t page_size, int error) {
  return say_problem(
      "cannot make %s again, of %llu huge pages of %llu KiB: %s; see /proc/sys/vm/nr_hugepages", what,
      (unsigned long long)((size + page_size - 1) / page_size), (unsigned long long)page_size / 1024,
      strerror(error));
}
