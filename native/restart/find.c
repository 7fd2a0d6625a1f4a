#include "find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "format/control.h"
#include "say.h"

/* Room for what libckpt adds to the job directory's path. */
enum { NAMES_ROOM = 128 };

/* Is it a name such as 000001.ckpt? */
static bool image_number(const char *name, uint64_t *number) {
  char digits[32];
  size_t length = strlen(name);
  if (!text_ends(name, ".ckpt") || length - 5 >= sizeof digits)
    return false;
  memcpy(digits, name, length - 5);
  digits[length - 5] = 0;
  return text_is_decimal(digits, number);
}

static bool parent(char *path) {
  char *slash = strrchr(path, '/');
  if (!slash || slash == path)
    return false;
  *slash = 0;
  return true;
}

/* The image and job directories around a core file, as far as it lies in such. */
static int locate(struct place *place, const char *name) {
  char directory[PATH_MAX];
  snprintf(directory, sizeof directory, "%s", place->core);
  place->job[0] = place->home[0] = 0;
  place->number = 0;
  if (!parent(directory) || !image_number(text_base(directory), &place->number)) {
    snprintf(place->image, sizeof place->image, "%s", place->core);
    if (name)
      return say_problem("%s is not in a job directory: --name has nothing to stand beside", place->core);
    return 0;
  }
  snprintf(place->image, sizeof place->image, "%s", directory);
  if (!parent(directory))
    return say_problem("%s has no job directory around it", place->image);
  snprintf(place->home, sizeof place->home, "%s", directory);
  int length;
  if (name && parent(directory))
    length = snprintf(place->job, sizeof place->job, "%s/%s", directory, name);
  else
    length = snprintf(place->job, sizeof place->job, "%s", place->home);
  if (length >= CKPT_PATH_MAX - NAMES_ROOM)
    return say_problem("%s: its path is too long for further images", place->home);
  return 0;
}

static int open_core(const char *path, const char *name, struct place *place, struct image *image) {
  if (!realpath(path, place->core))
    return say_problem("%s: %s", path, strerror(errno));
  if (image_open(image, place->core) < 0) {
    image_close(image);
    return say_problem("%s: %s", place->core, image->why);
  }
  if (locate(place, name) == 0)
    return 0;
  image_close(image);
  return -1;
}

/* Calls `each` with every name in a directory; how many there were, or -1. */
static int list(const char *path, void (*each)(const char *name, void *to), void *to) {
  DIR *directory = opendir(path);
  if (!directory)
    return say_problem("%s: %s", path, strerror(errno));
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)); count++)
    each(entry->d_name, to);
  closedir(directory);
  return count;
}

struct cores {
  char first[NAME_MAX + 1];
  int count;
};

static void note_core(const char *name, void *to) {
  struct cores *cores = to;
  if (name[0] == '.' || !text_ends(name, ".core"))
    return;
  if (cores->count++ == 0)
    snprintf(cores->first, sizeof cores->first, "%s", name);
}

/* Every core of an image names the one that the others descend from. */
static int open_image(const char *path, const char *name, struct place *place, struct image *image) {
  struct cores cores = {0};
  char core[PATH_MAX + NAME_MAX + 2];
  if (list(path, note_core, &cores) < 0)
    return -1;
  if (cores.count == 0)
    return say_problem("%s: no core file in it", path);
  snprintf(core, sizeof core, "%s/%s", path, cores.first);
  if (open_core(core, name, place, image) < 0)
    return -1;
  pid_t leader = image->info.leader;
  if (image->process.pid == leader)
    return 0;
  image_close(image);
  snprintf(core, sizeof core, "%s/%d.core", path, leader);
  return open_core(core, name, place, image);
}

/* The highest number below `below`, with the name that it has there. */
struct newest {
  uint64_t below;
  uint64_t number;
  char name[NAME_MAX + 1];
};

static void note_image(const char *name, void *to) {
  struct newest *newest = to;
  uint64_t number;
  if (!image_number(name, &number) || number >= newest->below)
    return;
  if (newest->name[0] && number < newest->number)
    return;
  newest->number = number;
  snprintf(newest->name, sizeof newest->name, "%s", name);
}

/* The newest that is whole; what is wrong with newer ones is said as a warning once there is one. */
static int open_job(const char *path, const char *name, struct place *place, struct image *image) {
  struct newest newest = {.below = UINT64_MAX};
  char directory[PATH_MAX + NAME_MAX + 2];
  for (;; newest = (struct newest){.below = newest.number}) {
    if (list(path, note_image, &newest) < 0)
      return -1;
    if (!newest.name[0])
      break;
    snprintf(directory, sizeof directory, "%s/%s", path, newest.name);
    if (open_image(directory, name, place, image) < 0)
      continue;
    if (say_has_problem())
      say_warning("%s\nrestart: takes the newest whole image, %s", say_problems(), directory);
    say_forget_problems();
    return 0;
  }
  return say_has_problem() ? -1 : say_problem("%s: no image in it (such as 000001.ckpt)", path);
}

int find_image(const char *path, const char *name, struct place *place, struct image *image) {
  char absolute[PATH_MAX];
  struct stat st;
  uint64_t number;
  if (!realpath(path, absolute) || stat(absolute, &st) < 0)
    return say_problem("%s: %s", path, strerror(errno));
  if (!S_ISDIR(st.st_mode))
    return open_core(absolute, name, place, image);
  if (image_number(text_base(absolute), &number))
    return open_image(absolute, name, place, image);
  return open_job(absolute, name, place, image);
}
