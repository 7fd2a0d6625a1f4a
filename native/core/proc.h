/* Readers of /proc that need no libc. */
#ifndef CKPT_PROC_H
#define CKPT_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROC_PATH_MAX 4096

/* Lines of a file, through a buffer of the caller's. */
struct proc_lines {
  int fd;
  bool ended;
  char *buffer;
  size_t size;
  size_t begin; /* of what is not yet handed out */
  size_t end;
  long error;
};

/* `size` must exceed the longest line. */
long proc_lines_open(struct proc_lines *lines, const char *path, char *buffer, size_t size);
/* The next line without its newline, or null at the end or after an error (lines->error < 0). */
char *proc_lines_next(struct proc_lines *lines);
void proc_lines_close(struct proc_lines *lines);

/* One line of maps, or of smaps with its VmFlags. */
struct proc_map {
  uint64_t start;
  uint64_t end;
  uint64_t offset;
  uint32_t prot; /* PROT_* */
  bool shared;
  uint32_t major, minor;
  uint64_t ino;
  const char *name; /* points into the line; "" for none */
};

/* False when the line is not one of a mapping (in smaps: a property of the last one). */
bool proc_parse_map(char *line, struct proc_map *map);

/* Does the space-separated list (VmFlags) hold this two-letter word? */
bool proc_has_flag(const char *list, const char *flag);

/* The number behind "\nName:" in the text of /proc/self/status or fdinfo; base 8, 10 or 16. */
bool proc_field(const char *text, const char *name, unsigned base, uint64_t *value);
/* All numbers behind that name, decimal: how many were there, `most` at the most. */
size_t proc_fields(const char *text, const char *name, uint64_t *values, size_t most);

/* Field `number` (1-based, 3 or more) of the text of a stat file: the command in it may hold anything. */
uint64_t proc_stat_field(const char *stat, unsigned number);

/* /proc/PID/FILE, whole, as sys_read_file. */
long proc_read(int32_t pid, const char *file, char *buffer, size_t size);
/* What the kernel calls a process, "?" when it is gone. */
void proc_name(int32_t pid, char name[32]);
/* The letter in its stat; 0: it is gone. */
char proc_state(int32_t tid);
/* Rather than gone or as good as that. */
bool proc_lives(int32_t tid);

#define PROC_TICK_NS 10000000 /* the unit of start times: 1/100 s on x86-64 */

/* How far the clocks of this process's time namespace are ahead of those of the initial one. In a process
 * that has made one, that of its children. */
struct proc_time_offsets {
  int64_t monotonic_ns;
  int64_t boottime_ns;
};
struct proc_time_offsets proc_time_offsets(void);

/* When a process has started, from its stat, as outside of the time namespace that a restart makes. */
uint64_t proc_starttime(const char *stat);

#endif
