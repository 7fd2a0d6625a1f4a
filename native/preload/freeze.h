/* Stopping all threads but the one that leads a checkpoint, and letting them go. */
#ifndef CKPT_FREEZE_H
#define CKPT_FREEZE_H

#include "thread.h"

/* After a checkpoint, whether it worked or not. */
void thaw_threads(struct checkpoint *c);
/* park.c: in a restarted process: until every other thread has come back, and then let them go. */
void wait_for_returned(void);
/* Until one that had ended has ended again: it does so in the hole. */
void wait_for_main_thread(void);
void open_gate(void);
/* stop.c: until children that were stopped are so again, and then to be stopped, if it was. */
void wait_for_stopped_children(void);
void stop_again(void);

#endif
