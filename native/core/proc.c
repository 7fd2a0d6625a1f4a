#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "sys.h"
#include "text.h"

long proc_lines_open(struct proc_lines *lines, const char *path, char *buffer, size_t size) {
  long fd = sys(SYS_(openat), AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fd;
  *lines = (struct proc_lines){.fd = (int)fd, .buffer = buffer, .size = size};
  return 0;
}

static char *take_line(struct proc_lines *lines) {
  for (size_t at = lines->begin; at < lines->end; at++) {
    if (lines->buffer[at] != '\n')
      continue;
    lines->buffer[at] = 0;
    char *line = lines->buffer + lines->begin;
    lines->begin = at + 1;
    return line;
  }
  return NULL;
}

char *proc_lines_next(struct proc_lines *lines) {
  for (;;) {
    char *line = take_line(lines);
    if (line || lines->ended || lines->error)
      return line;
    memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
    if (lines->end == lines->size) {
      lines->error = -E2BIG;
      return NULL;
    }
    long n = sys(SYS_(read), lines->fd, lines->buffer + lines->end, lines->size - lines->end);
    if (n == -EINTR)
      continue;
    if (n < 0)
      lines->error = n;
    else if (n == 0)
      lines->ended = true;
    else
      lines->end += (size_t)n;
  }
}

void proc_lines_close(struct proc_lines *lines) {
  sys(SYS_(close), lines->fd);
}

/* The kernel writes a newline in a path as \012 and nothing else specially. */
static void unescape(char *name) {
  char *to = name;
  for (const char *from = name; *from; to++) {
    if (text_starts(from, "\\012")) {
      *to = '\n';
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = 0;
}

bool proc_parse_map(char *line, struct proc_map *map) {
  const char *at = line;
  uint64_t start = text_take_hex(&at);
  if (at == line || *at++ != '-')
    return false;
  map->start = start;
  map->end = text_take_hex(&at);
  if (*at++ != ' ')
    return false;
  map->prot =
      (at[0] == 'r' ? PROT_READ : 0u) | (at[1] == 'w' ? PROT_WRITE : 0u) | (at[2] == 'x' ? PROT_EXEC : 0u);
  map->shared = at[3] == 's';
  at += 5;
  map->offset = text_take_hex(&at);
  at++;
  map->major = (uint32_t)text_take_hex(&at);
  at++;
  map->minor = (uint32_t)text_take_hex(&at);
  at++;
  map->ino = text_take_decimal(&at);
  text_skip_spaces(&at);
  map->name = at;
  unescape(line + (at - line));
  return true;
}

bool proc_has_flag(const char *list, const char *flag) {
  for (const char *at = list; *at;) {
    text_skip_spaces(&at);
    if (at[0] == flag[0] && at[0] && at[1] == flag[1])
      return true;
    while (*at && *at != ' ')
      at++;
  }
  return false;
}

/* What follows "name:" at the start of a line. */
static const char *find_field(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *at = text; *at; at++) {
    if (text_starts(at, name) && at[length] == ':') {
      at += length + 1;
      text_skip_spaces(&at);
      return at;
    }
    while (*at && *at != '\n')
      at++;
    if (!*at)
      break;
  }
  return NULL;
}

bool proc_field(const char *text, const char *name, unsigned base, uint64_t *value) {
  const char *at = find_field(text, name);
  if (!at)
    return false;
  *value = base == 16 ? text_take_hex(&at) : base == 8 ? text_take_octal(&at) : text_take_decimal(&at);
  return true;
}

size_t proc_fields(const char *text, const char *name, uint64_t *values, size_t most) {
  const char *at = find_field(text, name);
  size_t count = 0;
  while (at && count < most && *at >= '0' && *at <= '9') {
    values[count++] = text_take_decimal(&at);
    text_skip_spaces(&at);
  }
  return count;
}

uint64_t proc_stat_field(const char *stat, unsigned number) {
  const char *at = stat + strlen(stat);
  while (at > stat && *at != ')')
    at--;
  for (unsigned field = 2; field < number && *at; field++) {
    while (*at && *at != ' ')
      at++;
    text_skip_spaces(&at);
  }
  if (*at == '-')
    at++;
  return text_take_decimal(&at);
}

long proc_read(int32_t pid, const char *file, char *buffer, size_t size) {
  char path[64];
  struct text text = text_in(path, sizeof path);
  text_format(&text, "/proc/%d/%s", (int64_t)pid, file);
  return sys_read_file(path, buffer, size);
}

void proc_name(int32_t pid, char name[32]) {
  long n = proc_read(pid, "comm", name, 32);
  if (n <= 0)
    text_copy(name, 32, "?");
  size_t length = strlen(name);
  if (length && name[length - 1] == '\n')
    name[length - 1] = 0;
}

char proc_state(int32_t tid) {
  char stat[512];
  long n = proc_read(tid, "stat", stat, sizeof stat);
  for (long i = n - 1; i > 0; i--)
    if (stat[i] == ')')
      return i + 2 < n ? stat[i + 2] : 0;
  return 0;
}

bool proc_lives(int32_t tid) {
  char state = proc_state(tid);
  return state && state != 'Z' && state != 'X';
}

/* "boottime  -12  500000000": seconds of either sign, and nanoseconds. */
static int64_t time_offset(const char *text, const char *clock) {
  while (*text && !text_starts(text, clock))
    while (*text && *text++ != '\n')
      ;
  while (*text && *text != ' ')
    text++;
  text_skip_spaces(&text);
  bool negative = *text == '-';
  text += negative;
  int64_t seconds = (int64_t)text_take_decimal(&text);
  text_skip_spaces(&text);
  return (negative ? -seconds : seconds) * 1000000000 + (int64_t)text_take_decimal(&text);
}

struct proc_time_offsets proc_time_offsets(void) {
  char text[256];
  if (sys_read_file("/proc/self/timens_offsets", text, sizeof text) < 0)
    return (struct proc_time_offsets){0}; /* a kernel without time namespaces */
  return (struct proc_time_offsets){time_offset(text, "monotonic"), time_offset(text, "boottime")};
}

uint64_t proc_starttime(const char *stat) {
  return proc_stat_field(stat, 22) - (uint64_t)(proc_time_offsets().boottime_ns / PROC_TICK_NS);
}
