/* Entries of processes in /proc. Each process opens its own, and others', itself: none is there before all
 * are. */
#include "entries.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "descriptors.h"
#include "job.h"
#include "running.h"
#include "say.h"

#define PROC "/proc/"
#define GONE " (deleted)"

static bool is_own(const char *path) {
  return text_starts(path, PROC "self/.") || text_starts(path, PROC "thread-self/.");
}

bool entry_is_foreign(const struct ckpt_file *file, const char *path) {
  return file->flags & CKPT_FILE_LIVE && text_starts(path, PROC) &&
         isdigit((unsigned char)path[strlen(PROC)]);
}

bool entry_is_of_process(const struct ckpt_file *file, const char *path) {
  return entry_is_foreign(file, path) || (file->flags & CKPT_FILE_LIVE && is_own(path));
}

int entry_name_owner(const char *path, pid_t owner, char name[PATH_MAX]) {
  const char *own = PROC "self/.", *thread = PROC "thread-self/.";
  int length = text_starts(path, own) ? snprintf(name, PATH_MAX, PROC "%d%s", owner, path + strlen(own))
               : text_starts(path, thread)
                   ? snprintf(name, PATH_MAX, PROC "%d/task/%d%s", owner, owner, path + strlen(thread))
                   : snprintf(name, PATH_MAX, "%s", path);
  return length < PATH_MAX ? 0 : -1;
}

/* The same entry of another process, of which only the main thread is there. */
static int name_of_other(pid_t pid, const char *rest, char path[PATH_MAX]) {
  size_t length = strlen(rest);
  if (text_ends(rest, GONE))
    length -= strlen(GONE);
  int written = snprintf(path, PATH_MAX, PROC "%d", pid);
  if (text_starts(rest, "/task/") && isdigit((unsigned char)rest[6])) {
    size_t thread = 6 + strspn(rest + 6, "0123456789");
    written += snprintf(path + written, PATH_MAX - (size_t)written, "/task/%d", pid);
    rest += thread;
    length -= thread;
  }
  return snprintf(path + written, PATH_MAX - (size_t)written, "%.*s", (int)length, rest) < PATH_MAX - written
             ? 0
             : -1;
}

/* That of a process which has ended by now says what the one says whose process is gone. */
static int open_of_gone(const struct child *child, const char *was, const char *rest, uint32_t flags) {
  char path[PATH_MAX];
  pid_t parent = getpid(), helper = clone_apart(child);
  if (helper < 0)
    return say_problem("cannot make a process for %s: %s", was, strerror(errno));
  if (helper == 0)
    stay_with(parent);
  int fd = name_of_other(helper, rest, path) < 0
               ? -1
               : open(path, ((int)flags & (O_ACCMODE | O_PATH | O_DIRECTORY | O_NOFOLLOW)) | O_CLOEXEC);
  int error = errno;
  kill(helper, SIGKILL);
  while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
    ;
  errno = error;
  return descriptor_lift(child, fd, was);
}

int entry_open(struct child *child, const struct ckpt_description *d) {
  const struct ckpt_file *file = &child->image->files[d->file - 1];
  const char *path = image_string(child->image, file->path);
  char *rest;
  long pid = strtol(path + strlen(PROC), &rest, 10);
  bool is_member = pid <= INT_MAX && job_find(child->job, (pid_t)pid);
  if (is_member && child->options->pids == PID_NEW)
    return say_problem("%s: with --pid=new this process has another id", path);
  if (is_member || (pid <= INT_MAX && d->a && running_lives((pid_t)pid, d->a)))
    return file_open(child, d->file - 1, d->flags);
  return open_of_gone(child, path, rest, d->flags);
}
