/* What /proc/self/maps and smaps say about one address. */
#ifndef TESTS_MAPS_H
#define TESTS_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"

struct map_line {
  uintptr_t start, end;
  char prot[5];
  char name[512];
};

static inline bool map_at(const void *address, struct map_line *map) {
  FILE *maps = fopen("/proc/self/maps", "re");
  CHECK(maps);
  char line[1024];
  bool found = false;
  while (!found && fgets(line, sizeof line, maps)) {
    map->name[0] = 0;
    int fields =
        sscanf(line, "%lx-%lx %4s %*s %*s %*s %511[^\n]", &map->start, &map->end, map->prot, map->name);
    found = fields >= 3 && map->start <= (uintptr_t)address && (uintptr_t)address < map->end;
  }
  CHECK(fclose(maps) == 0);
  return found;
}

/* Is this among the VmFlags of smaps? With the space in front of it. */
static inline bool has_vm_flag(const void *address, const char *flag) {
  FILE *smaps = fopen("/proc/self/smaps", "re");
  CHECK(smaps);
  char line[1024];
  bool inside = false, found = false;
  while (fgets(line, sizeof line, smaps)) {
    uintptr_t start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
      inside = start <= (uintptr_t)address && (uintptr_t)address < end;
    else if (inside && strncmp(line, "VmFlags:", 8) == 0)
      found = strstr(line + 8, flag) != NULL;
  }
  CHECK(fclose(smaps) == 0);
  return found;
}

#endif
