/* Whose an image is. What a core says is trusted as far as its owner is (restart/check.c). A process that has
 * given root's rights up for a while, as servers do around a request, can take them back at any time: so its
 * core is root's. */
#include <errno.h>
#include <linux/capability.h>

#include "checkpoint.h"
#include "core/sys.h"
#include "core/text.h"

static struct __user_cap_header_struct header(void) {
  return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

/* Takes all capabilities that it is permitted, and notes those that it had. Unlike another fsuid this changes
 * nothing else. */
static long take_all(struct checkpoint *c) {
  struct __user_cap_header_struct head = header();
  struct __user_cap_data_struct data[2];
  long result = sys(SYS_(capget), &head, data);
  if (result < 0)
    return result;
  c->effective = data[0].effective | (uint64_t)data[1].effective << 32;
  for (int i = 0; i < 2; i++)
    data[i].effective = data[i].permitted;
  return sys(SYS_(capset), &head, data);
}

static void give_back(const struct checkpoint *c) {
  struct __user_cap_header_struct head = header();
  struct __user_cap_data_struct data[2];
  if (sys(SYS_(capget), &head, data) < 0)
    return;
  for (int i = 0; i < 2; i++)
    data[i].effective = (uint32_t)(c->effective >> 32 * i);
  sys(SYS_(capset), &head, data);
}

long owner_begin(struct checkpoint *c) {
  uint32_t uid[3];
  long result = sys(SYS_(getresuid), &uid[0], &uid[1], &uid[2]);
  if (result < 0)
    return result;
  uint32_t owner = (uint32_t)sys(SYS_(setfsuid), -1);
  if (owner == 0 || (uid[0] == owner && uid[1] == owner && uid[2] == owner))
    return 0;
  bool root = uid[0] == 0 || uid[1] == 0 || uid[2] == 0;
  result = root ? take_all(c) : -EPERM;
  c->writes_as_root = result == 0;
  return c->writes_as_root ? 0
                           : fail(c, -EOPNOTSUPP,
                                  "it has the rights of several users at once (%d, %d and %d): restart would "
                                  "trust none of them with those of the others",
                                  (int64_t)uid[0], (int64_t)uid[1], (int64_t)uid[2]);
}

long owner_give(struct checkpoint *c, int fd) {
  long result = c->writes_as_root ? sys(SYS_(fchown), fd, 0, -1) : 0;
  return result < 0
             ? fail(c, result, "its image in %s cannot be given to root: %s", c->job_dir, text_errno(result))
             : 0;
}

void owner_end(struct checkpoint *c) {
  if (c->writes_as_root)
    give_back(c);
  c->writes_as_root = false;
}
