/* Everything that can be found wrong before anything is made: each function says all problems it finds. */
#ifndef RESTART_CHECK_H
#define RESTART_CHECK_H

#include "find.h"
#include "image.h"
#include "job.h"
#include "options.h"

void check_owner(const struct image *image, const struct place *place, const struct options *options);
void check_machine(const struct image *image, const struct options *options);
void check_rights(const struct image *image);
void check_surroundings(const struct image *image, const struct options *options);
/* Do other processes have what its epoll sets watch there? */
void check_watches(const struct job *job, const struct image *image);
void check_pidfds(const struct job *job, const struct image *image, const struct options *options);
void check_unix_names(const struct image *image);                                 /* unix_names.c */
void check_connections(const struct image *image, const struct options *options); /* tcp.c */
/* Is the process of the image, or one that was restarted from its job, still there? */
void check_alive(const struct image *image, const struct place *place, const struct options *options);

#endif
