/* The vdso of the image and the one that the kernel has given us. */
#ifndef RESTART_VDSO_H
#define RESTART_VDSO_H

#include "image.h"
#include "restorer/plan.h"

enum vdso_way {
  VDSO_NONE,  /* the program has none */
  VDSO_MOVE,  /* the same: ours goes to where it was */
  VDSO_PATCH, /* another: it comes back as memory, and its functions lead to ours, which is parked elsewhere
               */
};

struct vdso_part {
  uint64_t start;
  uint64_t end;
  bool code;
};

struct vdso {
  enum vdso_way way;
  struct vdso_part ours[PLAN_VDSO_PARTS]; /* by address; they touch */
  uint32_t ours_count;
  uint64_t span;              /* of ours, from the first to the last */
  uint64_t moved_to;          /* MOVE: where the first of ours goes */
  struct plan_patch *patches; /* PATCH: with ours at address 0 */
  uint64_t *targets;          /* offsets into ours, or UINT64_MAX for none */
  uint32_t patch_count;
};

/* Decides the way and what it takes: 0, or -1 with a problem said. */
int vdso_prepare(struct image *image, struct vdso *vdso);
/* Completes the patches for our vdso parked at this address. */
void vdso_aim(struct vdso *vdso, uint64_t parked);

#endif
