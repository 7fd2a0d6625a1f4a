/* The leader brings the members of its job to a stop. */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "core/sys.h"
#include "members.h"
#include "open_files.h"

static long give_up(struct checkpoint *c) {
  for (size_t i = 0; i < member_count(c); i++)
    if (member_at(c, i)->stage < STAGE_JOINED)
      return job_fail_for(c, member_at(c, i), -ETIMEDOUT,
                          "it does not come to a stop in time (see CKPT_TIMEOUT)");
  return fail(c, -ETIMEDOUT, "its processes do not come to rest in time (see CKPT_TIMEOUT)");
}

/* A member that stood still may have been stopped by one that did not yet. */
static long hold_those_stopped_late(struct checkpoint *c) {
  long late;
  while ((late = hold_late(c, STAGE_LISTED)) > 0) {
    long heard = job_listen(c, STAGE_JOINED, LOOK_MS);
    if (heard < 0)
      return heard;
    if (now_ns(CLOCK_MONOTONIC) > c->deadline_ns)
      return give_up(c);
  }
  return late;
}

/* Whoever asks is asked again until all stand still; a process that stands still has no new children. */
static long bring_all(struct checkpoint *c) {
  long result = job_add_children(c, c->process.pid, ADD_CHILDREN), heard = 0;
  if (result == 0)
    result = job_add_orphans(c);
  while (result == 0 && !job_all_are(c, STAGE_JOINED)) {
    bool early = false;
    for (size_t i = 0; i < member_count(c) && result == 0; i++) {
      /* Whether one who was asked has ended is looked at when nobody comes: else each who does would cost a
       * look at all others. */
      const struct member *member = member_at(c, i);
      if (member->stage < STAGE_ASKED || member->held_count || !heard)
        result = job_ask(c, member_at(c, i));
      early |= member->stage < STAGE_ASKED || (member->held_count && member->stage < STAGE_JOINED);
    }
    if (result == 0)
      heard = job_listen(c, STAGE_JOINED, early ? LOOK_MS : LOOK_MS * 20);
    if (heard < 0)
      result = heard;
    if (result == 0 && now_ns(CLOCK_MONOTONIC) > c->deadline_ns)
      result = give_up(c);
    /* Those whose parent has ended come to a reaper among us, or are orphans. */
    if (result == 0 && job_all_are(c, STAGE_JOINED))
      result = job_add_children(c, c->process.pid, ADD_CHILDREN);
    for (size_t i = 0; i < member_count(c) && result == 0 && job_all_are(c, STAGE_JOINED); i++)
      result = job_add_children(c, member_at(c, i)->pid, ADD_CHILDREN);
    if (result == 0 && job_all_are(c, STAGE_JOINED))
      result = job_add_orphans(c);
  }
  if (result == 0)
    result = hold_those_stopped_late(c);
  if (result == 0)
    hold_settle(c);
  return result == 0 ? ignore_finish(c) : result;
}

/* A member that stood still may have been killed by one that did not yet. */
static void leave_out_ended(struct checkpoint *c) {
  struct open_file *files = c->open_files.entries;
  for (size_t i = 0; i < member_count(c); i++) {
    struct member *member = member_at(c, i);
    char byte;
    if (member->stage != STAGE_JOINED ||
        sys(SYS_(recvfrom), member->socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) != 0)
      continue;
    size_t kept = 0;
    for (size_t j = 0; j < c->open_files.count; j++)
      if (files[j].process != i + 1)
        files[kept++] = files[j];
    c->open_files.count = kept;
    job_ask_anew(member);
    member->stage = STAGE_ENDED;
  }
}

long job_bring_all(struct checkpoint *c) {
  struct quiet quiet;
  long result = quiet_begin(c, &quiet);
  if (result < 0)
    return result;
  result = bring_all(c);
  for (size_t i = 0; i < member_count(c); i++)
    job_let_go(c, member_at(c, i));
  quiet_end(c, &quiet);
  leave_out_ended(c);
  job_settle_parents(c);
  return result;
}
