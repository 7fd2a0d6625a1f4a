/* Threads of a stopped process (SIGSTOP, ^Z) that are let go on without an end of the stop.
 *
 * A stopped process answers no signal. But a thread that is traced may be let go on: the kernel takes it back
 * into the stop as soon as nobody traces it any more, and neither of the two is anything that its parent
 * hears of. So whoever asks such a process for a checkpoint holds all of its threads by ptrace from before
 * the request until the thaw. Each is only let go on when the control signal waits for it, with all others
 * blocked, so that it runs nothing of the program; and in the end it goes from call to call until it has left
 * libckpt's handler, and stops there. */
#ifndef CKPT_HELD_H
#define CKPT_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum held_state {
  HELD,   /* stands still in a trap */
  COMING, /* on its way to the handler, with its signal mask changed */
  RUNS,   /* in the handler */
  LET_GO, /* is ours no more, or not yet */
};

struct held {
  int32_t tid;
  enum held_state state;
  int signal; /* that it stands still for and has yet to get, or 0 */
  uint64_t mask;
};

/* The living threads of a process: how many, 0 when they do not all stand in a stop, -E2BIG when there are
 * more than `most`. */
long held_list(int32_t pid, struct held *all, size_t most);
/* Takes hold of all: 1, and *signal has stopped them; 0: they have been continued, or a negative errno. */
long held_seize(struct held *all, size_t count, int *signal);
/* Has libckpt set its handler? A program that has just begun goes on from call to call until it has. */
bool held_load(struct held *all, size_t count);
/* To be called again and again once they are asked: lets those go on for whom the control signal waits.
 * `watched`: from call to call, since nobody has heard of them as yet; who leaves the handler then stands
 * still. */
void held_look(struct held *all, size_t count, bool watched);
/* Does nobody run, nor have a request to come to? */
bool held_all_stand(const struct held *all, size_t count);
/* Those who are in our handler already go on there. */
void held_go_on(struct held *all, size_t count);
/* Brings all who run to a trap again, but for those who do not come to one in time. */
void held_interrupt(struct held *all, size_t count);
/* Sends all who are in our handler on, from call to call (false: nobody is), and waits until they have left
 * it. They may do so in two steps, so that those of several processes go at the same time. */
bool held_begin_leaving(struct held *all, size_t count);
void held_wait_until_left(struct held *all, size_t count);
/* False when some do not stand still yet, as they must for that: to be called again, since nobody would ever
 * let them go on. `parent_of`: a process of which the caller is the parent, too, so that it must not wait for
 * its end; or 0. */
bool held_let_go(struct held *all, size_t count, int32_t parent_of);
/* Of a process that ends: waits for those who have ended, without which it is not gone, but for the main
 * thread, whose end its parent is to hear of. */
void held_reap(const struct held *all, size_t count, int32_t main_thread);

#endif
