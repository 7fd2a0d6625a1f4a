/* All processes of an image: one, or a tree of them. */
#ifndef RESTART_JOB_H
#define RESTART_JOB_H

#include "child.h"
#include "find.h"
#include "image.h"

struct made_pty;
struct making;
struct repaired;

struct job {
  struct image *images; /* the root's first */
  struct child *children;
  uint32_t count;
  struct made_pty *ptys; /* of the program's own, once descriptors are made */
  uint32_t ptys_count;
  struct repaired *repaired; /* connections to the outside (tcp_repair.h) */
  uint32_t repaired_count;
  struct making *making; /* their descriptors (common.h) */
};

/* Opens the cores beside the root's: 0, or -1 with a problem said. Takes over `root`. */
int job_open(struct job *job, const struct place *place, const struct image *root);
/* What one process writes, all know as written. */
void job_share_flags(struct job *job);
/* What one process carries, all have that share it: 0, or -1 with a problem said. */
int job_share_copies(struct job *job);
/* segments.c: finds or makes the System V segments of all processes: 0, or -1 with a problem said. */
int segments_make(struct job *job);
void job_close(struct job *job);
/* Of all cores, in bytes. */
uint64_t job_size(const struct job *job);
/* The process with this id in the image, or null. */
struct child *job_find(const struct job *job, pid_t pid);
/* Has everyone gone who could have made this session or group? What was there before the job is restart's. */
bool job_has_no_leader(const struct job *job, pid_t id, pid_t around);
/* Is it one of a process, thread, group or session of the image? */
bool job_has_id(const struct job *job, pid_t id);
/* Null for the root and for orphans, whose parent had ended. */
struct child *job_parent(const struct child *child);
/* Its id now, as its parent knows it; 0 when it does not. */
pid_t child_id(const struct child *child);
/* Of an image, the child with this id that has ended and that the process has not waited for. */
const struct ckpt_child *child_that_ended(const struct image *image, pid_t pid);
/* Who gives birth to it: its parent; for an orphan the leader of its session or, where that has ended and was
 * not waited for, whose child it was, or else the root. */
struct child *job_bearer(const struct child *child);

/* family.c. In the root's process: gives birth to its descendants, each of which becomes its part of the
 * image. Does not return when it succeeds; else -1 with a problem said. */
int family_grow(const struct job *job, struct child *child);
/* As fork, with an id that no process of the job will have: somebody who lives only for a moment may not be
 * in their way. */
pid_t clone_apart(const struct child *parent);
/* In such a process: is there for as long as its parent is, and does not end it. */
__attribute__((noreturn)) void stay_with(pid_t parent);
/* continued.c. Of a child that goes on after a stop, of which its parent has yet to hear: stands still until
 * that lets it go on. */
void continued_stand_still(const struct child *child);
/* The parent's part. */
void continued_let_go_on(const struct child *parent);

#endif
