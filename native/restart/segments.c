/* System V shared memory segments outlive the process: they are found again, or made again.
 *
 * One that was marked for removal belonged to those who had it attached: the program gets one of its own. */
#include "segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "core/sys.h"
#include "job.h"
#include "made.h"
#include "say.h"
#include "sysv.h"

#define NEXT_ID "/proc/sys/kernel/shm_next_id"

static const char *segment_name(const struct ckpt_file *file) {
  static char name[64];
  snprintf(name, sizeof name, "System V segment %d (key 0x%x)", (int)file->ino, (unsigned)file->rdev);
  return name;
}

/* Is the program's own one still there? 1, 0, or -1 with a problem said. */
static int find(const struct image *image, const struct ckpt_file *file) {
  struct shmid_ds now;
  int id = (int)file->ino;
  if (file->flags & CKPT_FILE_DELETED)
    return 0;
  bool there = sysv_may_be_there(image, (int32_t)file->rdev) && shmctl(id, IPC_STAT, &now) == 0 &&
               now.shm_segsz == file->size && (uint32_t)now.shm_perm.__key == (uint32_t)file->rdev &&
               !(now.shm_perm.mode & SHM_DEST);
  if (there && now.shm_nattch)
    return say_problem(
        "%s is in use by another process: stop that first, so that its contents can be put back",
        segment_name(file));
  if (!there && file->rdev && (id = shmget((key_t)file->rdev, 0, 0)) >= 0)
    return say_problem("%s cannot be made again: segment %d has that key; ipcrm -m %d removes it",
                       segment_name(file), id, id);
  return there;
}

void check_segments(const struct image *image) {
  for (uint32_t i = 0; i < image->files_count; i++)
    if (image->files[i].flags & CKPT_FILE_SEGMENT)
      find(image, &image->files[i]);
}

/* How large its pages are when they are huge: a power of two, in the place where shmget takes that. */
static int huge_flags(const struct image *image, uint32_t index) {
  for (uint32_t i = 0; i < image->regions_count; i++)
    if (image->regions[i].file == index + 1 && image->regions[i].flags & CKPT_REGION_HUGETLB)
      return SHM_HUGETLB | (int)(image->regions[i].flags & (~0u << CKPT_HUGE_SHIFT));
  return 0;
}

/* With its id, where that is free and may be chosen. */
static int make(const struct image *image, uint32_t index) {
  const struct ckpt_file *file = &image->files[index];
  int huge = huge_flags(image, index);
  int flags = IPC_CREAT | IPC_EXCL | (int)(file->mode & 0777) | huge;
  FILE *next = fopen(NEXT_ID, "we");
  if (next) {
    fprintf(next, "%d", (int)file->ino);
    fclose(next);
  }
  int id = shmget((key_t)file->rdev, file->size, flags);
  if (id < 0 && huge)
    return say_huge_pages(segment_name(file), file->size, 1ull << ((unsigned)huge >> CKPT_HUGE_SHIFT), errno);
  if (id < 0)
    return say_problem("%s cannot be made again: %s", segment_name(file), strerror(errno));
  if (id != (int)file->ino && !(file->flags & CKPT_FILE_DELETED))
    say_warning("%s has the id %d now: choosing one needs root or CAP_CHECKPOINT_RESTORE", segment_name(file),
                id);
  made_note(MADE_SEGMENT, id);
  return id;
}

/* What it holds now is another's: the pages of the image come into an empty one. */
static int clear(const struct ckpt_file *file) {
  void *at = shmat((int)file->ino, NULL, 0);
  int error = at == (void *)-1 || madvise(at, file->size, MADV_REMOVE) < 0 ? -errno : 0;
  if (at != (void *)-1)
    shmdt(at);
  return error == 0 ? 0 : say_problem("%s cannot be cleared: %s", segment_name(file), strerror(-error));
}

static int find_or_make(const struct image *image, uint32_t index, struct plan_segment *segment) {
  const struct ckpt_file *file = &image->files[index];
  int found = find(image, file);
  int id = found == 0 ? make(image, index) : (int)file->ino;
  if (found < 0 || id < 0 || (found && clear(file) < 0))
    return -1;
  *segment = (struct plan_segment){
      .id = id,
      .removed = (file->flags & CKPT_FILE_DELETED) != 0,
  };
  return 0;
}

/* A process before this one that has the same segment; null if none. */
static const struct plan_segment *known_segment(const struct job *job, uint32_t process, uint64_t id) {
  for (uint32_t i = 0; i < process; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++)
      if (job->images[i].files[j].flags & CKPT_FILE_SEGMENT && job->images[i].files[j].ino == id)
        return &job->children[i].segments[j];
  return NULL;
}

int segments_make(struct job *job) {
  for (uint32_t i = 0; i < job->count; i++) {
    const struct image *image = &job->images[i];
    struct plan_segment *segments = calloc((size_t)image->files_count + 1, sizeof *segments);
    job->children[i].segments = segments;
    if (!segments)
      return say_problem("not enough memory");
    for (uint32_t j = 0; j < image->files_count; j++) {
      const struct ckpt_file *file = &image->files[j];
      if (!(file->flags & CKPT_FILE_SEGMENT))
        continue;
      const struct plan_segment *known = known_segment(job, i, file->ino);
      if (known)
        segments[j] = *known;
      else if (find_or_make(image, j, &segments[j]) < 0)
        return -1;
    }
  }
  return 0;
}
