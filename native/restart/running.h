/* The file `running` of a job directory: "PID STARTTIME BOOTID\n" of the process that runs the job now, after
 * a restart, with the process id as it is seen from outside. When nobody waits for the restart that looks
 * after it (--detach), PID and STARTTIME of that one follow, and when the program has ended, "PID STARTTIME
 * BOOTID STATUS\n" stands in the file `ended`. */
#ifndef RESTART_RUNNING_H
#define RESTART_RUNNING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct running {
  pid_t pid;
  uint64_t starttime;
  uint8_t boot_id[16];
  pid_t keeper; /* who leaves word of its end, or 0 */
  uint64_t keeper_starttime;
};

enum { RUNNING_TEXT = 128 };

int running_boot_id(uint8_t id[16]);
/* Clock ticks since boot, 0 when there is no such process. `proc`: a descriptor of /proc, or AT_FDCWD. */
uint64_t running_starttime(int proc, pid_t pid);
/* Is the process that began then still there? One that is about to end, or has been killed, is waited for: it
 * takes time to give back its memory, and holds its files and ports until then. */
bool running_lives(pid_t pid, uint64_t starttime);
/* Who is to wait for it, when it has ended; else 0. */
pid_t running_unwaited(pid_t pid);
/* Waits for init to take note of the end of an orphan, whose id is taken until then. */
void running_leaves(pid_t pid);
/* Is somebody in the session of this number, as far as /proc shows? */
bool running_has_session(pid_t id);
/* 0 when the file is there and its process lives. */
int running_read(const char *job, struct running *running);
/* Its first three words. */
void running_text(const struct running *running, char text[RUNNING_TEXT]);
/* A file with this text, for nobody else to read: 0 or a negative errno. */
int running_write_text(const char *path, const char *text);
int running_write(const char *job, const struct running *running);
/* Removes the file when it is still about this process. */
void running_remove(const char *job, const struct running *running);

#endif
