#include "job.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"
#include "say.h"

enum { MOST = 65536 };

struct child *job_find(const struct job *job, pid_t pid) {
  for (uint32_t i = 0; i < job->count; i++)
    if (job->images[i].process.pid == pid)
      return &job->children[i];
  return NULL;
}

bool job_has_no_leader(const struct job *job, pid_t id, pid_t around) {
  return id != around && !job_find(job, id);
}

struct child *job_parent(const struct child *child) {
  bool has_none = child == &child->job->children[0] || child->image->process.orphan;
  return has_none ? NULL : job_find(child->job, child->image->process.ppid);
}

pid_t child_id(const struct child *child) {
  return child->options->pids == PID_NEW ? child->born : child->image->process.pid;
}

const struct ckpt_child *child_that_ended(const struct image *image, pid_t pid) {
  for (uint32_t i = 0; i < image->children_count; i++)
    if (image->children[i].pid == pid)
      return &image->children[i];
  return NULL;
}

/* Whose child has ended, without that it has waited for it. */
static struct child *parent_of_ended(const struct job *job, pid_t pid) {
  for (uint32_t i = 0; i < job->count; i++)
    if (child_that_ended(&job->images[i], pid))
      return &job->children[i];
  return NULL;
}

struct child *job_bearer(const struct child *child) {
  const struct ckpt_process *p = &child->image->process;
  struct child *root = &child->job->children[0];
  if (child == root)
    return NULL;
  if (!p->orphan)
    return job_parent(child);
  struct child *leader = p->sid == p->pid ? NULL : job_find(child->job, p->sid);
  if (leader && leader->image->process.sid == p->sid)
    return leader;
  struct child *parent = leader ? NULL : parent_of_ended(child->job, p->sid);
  return parent ? parent : root;
}

bool job_has_id(const struct job *job, pid_t id) {
  for (uint32_t i = 0; i < job->count; i++) {
    const struct image *image = &job->images[i];
    if (image->process.pgid == id || image->process.sid == id)
      return true;
    for (uint32_t j = 0; j < image->threads_count; j++)
      if (image->threads[j].tid == id)
        return true;
    for (uint32_t j = 0; j < image->children_count; j++)
      if (image->children[j].pid == id)
        return true;
  }
  return false;
}

static int add(struct job *job, const struct image *root, const char *directory, const char *name) {
  char path[PATH_MAX + NAME_MAX + 2];
  struct image *image = &job->images[job->count];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  if (job->count == root->info.process_count)
    return say_problem("%s: more cores than the %u processes of the image", directory,
                       root->info.process_count);
  if (image_open(image, path) < 0)
    return say_problem("%s: %s", path, image->why);
  if (memcmp(image->info.id, root->info.id, sizeof root->info.id) != 0)
    return say_problem("%s is of another image than %d.core", path, root->process.pid);
  if (job_find(job, image->process.pid))
    return say_problem("%s: there is another core of process %d", path, image->process.pid);
  job->count++;
  return 0;
}

static int add_all(struct job *job, const struct place *place, const struct image *root) {
  const char *root_name = text_base(place->core);
  DIR *directory = opendir(place->image);
  if (!directory)
    return say_problem("%s: %s", place->image, strerror(errno));
  int result = 0;
  for (struct dirent *entry; result == 0 && (entry = readdir(directory));)
    if (entry->d_name[0] != '.' && text_ends(entry->d_name, ".core") && strcmp(entry->d_name, root_name) != 0)
      result = add(job, root, place->image, entry->d_name);
  closedir(directory);
  if (result == 0 && job->count != root->info.process_count)
    return say_problem("%s: %u of its %u processes have a core", place->image, job->count,
                       root->info.process_count);
  return result;
}

/* All descend from the root, or did. */
static int check_family(const struct job *job) {
  if (job->images[0].process.orphan)
    return say_problem("process %d leads the image and is an orphan in it", job->images[0].process.pid);
  for (uint32_t i = 0; i < job->count; i++) {
    const struct child *at = &job->children[i];
    for (uint32_t steps = 0; at && at != &job->children[0]; steps++)
      at = steps == job->count ? NULL : job_bearer(at);
    if (!at)
      return say_problem("process %d of the image descends from none of the others",
                         job->images[i].process.pid);
  }
  return 0;
}

int job_open(struct job *job, const struct place *place, const struct image *root) {
  uint32_t count = root->info.process_count;
  if (count == 0 || count > MOST)
    return say_problem("%s: an image of %u processes", place->image, count);
  if (root->process.pid != root->info.leader)
    return say_problem("%s is one process of a job: name its directory, or the core of process %d",
                       place->core, root->info.leader);
  job->images = calloc(count, sizeof *job->images);
  job->children = calloc(count, sizeof *job->children);
  if (!job->images || !job->children)
    return say_problem("not enough memory");
  job->images[0] = *root;
  job->count = 1;
  for (uint32_t i = 0; i < count; i++)
    job->children[i] = (struct child){.job = job, .image = &job->images[i], .place = place};
  if (count > 1 && add_all(job, place, root) < 0)
    return -1;
  return check_family(job) < 0 ? -1 : nest_check(job);
}

uint64_t job_size(const struct job *job) {
  uint64_t size = 0;
  for (uint32_t i = 0; i < job->count; i++)
    size += job->images[i].prologue.file_size;
  return size;
}

static bool is_written(const struct job *job, const struct ckpt_file *file) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++) {
      const struct ckpt_file *other = &job->images[i].files[j];
      if (other->dev == file->dev && other->ino == file->ino && other->flags & CKPT_FILE_WRITTEN)
        return true;
    }
  return false;
}

/* The image's copy of this file, which another process carries: null when none does. */
static const struct ckpt_file *find_copy(const struct job *job, const struct ckpt_file *file,
                                         const struct image **of) {
  for (uint32_t i = 0; i < job->count; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++) {
      const struct ckpt_file *other = &job->images[i].files[j];
      *of = &job->images[i];
      if (other->dev == file->dev && other->ino == file->ino && other->flags & CKPT_FILE_CARRIED &&
          ((other->flags ^ file->flags) & CKPT_FILE_DELETED) == 0)
        return other;
    }
  return NULL;
}

/* Of what several processes have, one carries the contents. */
static int share_copy(const struct job *job, struct image *image, struct ckpt_file *file) {
  const struct image *of;
  const struct ckpt_file *copy = find_copy(job, file, &of);
  if (!copy)
    return 0;
  if (image_add_string(image, image_string(of, copy->carried), &file->carried) < 0)
    return say_problem("not enough memory");
  file->size = copy->size;
  file->mtime_ns = copy->mtime_ns;
  file->checksum = copy->checksum;
  file->flags |= CKPT_FILE_CARRIED;
  return 0;
}

int job_share_copies(struct job *job) {
  for (uint32_t i = 0; i < job->count && job->count > 1; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++) {
      struct ckpt_file *file = &job->images[i].files[j];
      if (file->flags & (CKPT_FILE_DELETED | CKPT_FILE_SHM | CKPT_FILE_SPARE) &&
          !(file->flags & (CKPT_FILE_CARRIED | CKPT_FILE_MEMORY)) &&
          share_copy(job, &job->images[i], file) < 0)
        return -1;
    }
  return 0;
}

void job_share_flags(struct job *job) {
  for (uint32_t i = 0; i < job->count && job->count > 1; i++)
    for (uint32_t j = 0; j < job->images[i].files_count; j++) {
      struct ckpt_file *file = &job->images[i].files[j];
      if (file->flags & CKPT_FILE_OPEN && is_written(job, file))
        file->flags |= CKPT_FILE_WRITTEN;
    }
}

void job_close(struct job *job) {
  for (uint32_t i = 0; i < job->count; i++)
    image_close(&job->images[i]);
}
