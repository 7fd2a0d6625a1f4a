/* From the image to the restorer's plan, and into the restorer. */
#ifndef RESTART_PLAN_H
#define RESTART_PLAN_H

#include "child.h"

/* Does not return when it succeeds; else -1 with a problem said. */
int plan_jump(struct child *child);

/* The words for what the restorer reports. */
struct plan_news;
void plan_explain(const struct image *image, const struct plan_news *news);

#endif
