/* Where the processes of a job wait for each other; a process that is alone passes by. */
#include "job.h"

static bool is_member(const struct checkpoint *c) {
  return c->request.op == CKPT_REQUEST_JOIN;
}

long gather_job(struct checkpoint *c) {
  return is_member(c) ? member_join(c) : job_gather(c);
}

long meet_described(struct checkpoint *c) {
  return is_member(c) ? member_describe(c) : c->job ? job_wait_described(c) : 0;
}

long meet_store(struct checkpoint *c) {
  return is_member(c) || !c->job ? 0 : job_let_write(c);
}
