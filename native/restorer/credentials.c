/* Who the process is and what it may. Rights only ever shrink here, so the order is: groups, then gids,
 * then uids while the capabilities are kept, then the capabilities. */
#include "restorer/restorer.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>

struct capabilities {
  uint64_t effective;
  uint64_t permitted;
  uint64_t inheritable;
};

static struct __user_cap_header_struct header(void) {
  return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static long get(struct capabilities *caps) {
  struct __user_cap_header_struct head = header();
  struct __user_cap_data_struct data[2];
  long error = sys(SYS_(capget), &head, data);
  caps->effective = data[0].effective | (uint64_t)data[1].effective << 32;
  caps->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
  caps->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
  return error;
}

static long set(const struct capabilities *caps) {
  struct __user_cap_header_struct head = header();
  struct __user_cap_data_struct data[2] = {
      {(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
      {(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32),
       (uint32_t)(caps->inheritable >> 32)}};
  return sys(SYS_(capset), &head, data);
}

static void must(struct plan *plan, uint32_t step, long error, uint64_t a) {
  if (error < 0)
    restorer_fail(plan, step, error, a, 0);
}

static void must_control(struct plan *plan, unsigned long option, unsigned long a, unsigned long b) {
  must(plan, PLAN_STEP_PRCTL, sys(SYS_(prctl), option, a, b, 0, 0), option);
}

static void set_ids(struct plan *plan) {
  const struct plan_credentials *want = &plan->credentials;
  const uint32_t *uid = plan->process.uid, *gid = plan->process.gid;
  if (want->set_groups)
    must(plan, PLAN_STEP_GROUPS, sys(SYS_(setgroups), want->group_count, want->groups), 0);
  if (want->set_gids) {
    must(plan, PLAN_STEP_GIDS, sys(SYS_(setresgid), gid[0], gid[1], gid[2]), gid[1]);
    sys(SYS_(setfsgid), gid[3]);
  }
  if (want->set_uids) {
    must_control(plan, PR_SET_KEEPCAPS, 1, 0);
    must(plan, PLAN_STEP_UIDS, sys(SYS_(setresuid), uid[0], uid[1], uid[2]), uid[1]);
    sys(SYS_(setfsuid), uid[3]);
    must_control(plan, PR_SET_KEEPCAPS, plan->process.securebits >> SECURE_KEEP_CAPS & 1, 0);
  }
}

static bool may(const struct capabilities *caps, unsigned capability) {
  return caps->permitted >> capability & 1;
}

static void shrink_bounds(struct plan *plan) {
  for (unsigned long cap = 0; cap < 64; cap++) {
    long has = sys(SYS_(prctl), PR_CAPBSET_READ, cap, 0, 0, 0);
    if (has < 0)
      return; /* beyond the last one that this kernel knows */
    if (has && !(plan->process.cap_bounding >> cap & 1))
      must_control(plan, PR_CAPBSET_DROP, cap, 0);
  }
}

static void raise_ambient(struct plan *plan, const struct capabilities *caps) {
  for (unsigned long cap = 0; cap < 64; cap++)
    if (plan->process.cap_ambient & caps->permitted & caps->inheritable & 1ull << cap)
      must_control(plan, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap);
}

static void set_capabilities(struct plan *plan) {
  const struct ckpt_process *want = &plan->process;
  struct capabilities have;
  must(plan, PLAN_STEP_CAPABILITIES, get(&have), 0);
  must_control(plan, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
  if (may(&have, CAP_SETPCAP)) {
    have.effective = have.permitted;
    must(plan, PLAN_STEP_CAPABILITIES, set(&have), 0);
    shrink_bounds(plan);
    must_control(plan, PR_SET_SECUREBITS, want->securebits, 0);
  }
  struct capabilities caps = {.permitted = want->cap_permitted & have.permitted,
                              .effective = want->cap_effective & have.permitted,
                              .inheritable = want->cap_inheritable & (have.permitted | have.inheritable)};
  caps.effective &= caps.permitted;
  must(plan, PLAN_STEP_CAPABILITIES, set(&caps), 0);
  raise_ambient(plan, &caps);
}

void restorer_restore_credentials(struct plan *plan) {
  const struct ckpt_process *want = &plan->process;
  if (plan->credentials.drop_all) {
    struct capabilities none = {0};
    must_control(plan, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
    must(plan, PLAN_STEP_CAPABILITIES, set(&none), 0);
  } else {
    set_ids(plan);
    set_capabilities(plan);
  }
  if (want->no_new_privs)
    must_control(plan, PR_SET_NO_NEW_PRIVS, 1, 0);
  /* A change of ids resets both. */
  must_control(plan, PR_SET_DUMPABLE, want->dumpable == 1, 0);
  must_control(plan, PR_SET_PDEATHSIG, want->death_signal, 0);
}
