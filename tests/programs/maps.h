/* What /proc/self/maps says about one address. */
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

#endif
