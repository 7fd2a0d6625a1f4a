/* What a process offers its children: see inherit.h. */
#include <errno.h>
#include <fcntl.h>

#include "core/sys.h"
#include "inherit.h"
#include "members.h"
#include "messages.h"

static long add_offer(struct checkpoint *c, struct list *offers, uint64_t start, uint64_t end,
                      enum offer_kind kind) {
  struct offer *offer = start < end ? list_add(&c->arena, offers, sizeof *offer) : NULL;
  if (offer)
    *offer = (struct offer){start, end, kind};
  return offer || start >= end ? 0 : -ENOMEM;
}

/* What is excluded is not saved, but where all of a region is. */
static long add_offers(struct checkpoint *c, struct list *offers, const struct ckpt_region *region,
                       enum source source) {
  enum offer_kind kind = source == SOURCE_CHANGED ? OFFER_CHANGED : OFFER_FILLED;
  long result = 0;
  for (uint64_t at = region->start, until = region->end; at < region->end && result == 0; at = until) {
    bool left_out = is_excluded(at, &until) && source != SOURCE_EXISTING;
    if (source == SOURCE_EXISTING || until > region->end)
      until = region->end;
    if (!left_out)
      result = add_offer(c, offers, at, until, kind);
  }
  return result;
}

void offers_close(struct offering *offering) {
  if (offering->memory >= 0)
    sys(SYS_(close), offering->memory);
  if (offering->pagemap >= 0)
    sys(SYS_(close), offering->pagemap);
  offering->memory = offering->pagemap = -1;
}

/* A process may look at its own memory, whoever it is, and give away what it looks through. Where that fails,
 * there is no offer, and each child saves what it has. */
void offers_make(struct checkpoint *c, struct offering *offering) {
  const struct ckpt_region *regions = c->regions.entries;
  const uint8_t *sources = c->sources.entries;
  struct list offers = {0};
  long result = 0;
  *offering = (struct offering){.memory = -1, .pagemap = -1};
  for (size_t i = 0; i < c->regions.count && result == 0; i++)
    if (may_inherit(&regions[i], (enum source)sources[i]))
      result = add_offers(c, &offers, &regions[i], (enum source)sources[i]);
  if (result < 0 || offers.count == 0)
    return;
  offering->list = (uint64_t)offers.entries;
  offering->count = offers.count;
  offering->memory = (int)sys(SYS_(openat), AT_FDCWD, "/proc/thread-self/mem", O_RDONLY | O_CLOEXEC);
  offering->pagemap = (int)sys(SYS_(openat), AT_FDCWD, "/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);
  if (offering->memory < 0 || offering->pagemap < 0)
    offers_close(offering);
}

/* ---- In the leader ------------------------------------------------------------------------------------ */

static bool has_members(const struct checkpoint *c, int32_t pid) {
  const struct member *members = c->job->members.entries;
  for (size_t i = 0; i < c->job->members.count; i++)
    if (members[i].parent == pid && members[i].stage != STAGE_ENDED)
      return true;
  return false;
}

/* What this member's parent offers it. Another user's memory is nothing for it to see, even if it was its
 * own. */
static const struct offering *offering_to(const struct checkpoint *c, const struct member *member) {
  const struct member *members = c->job->members.entries;
  for (size_t i = 0; i < c->job->members.count; i++)
    if (members[i].pid == member->parent && members[i].stage != STAGE_ENDED)
      return members[i].uid == member->uid ? &members[i].offering : NULL;
  bool is_ours = member->parent == c->process.pid && member->uid == (uint32_t)sys(SYS_(geteuid));
  return is_ours ? &c->job->offering : NULL;
}

/* What cannot come along for want of descriptors is only nice to have, but for the first. */
long offers_tell(struct checkpoint *c, const struct member *member, int fd) {
  const struct offering *offering = offering_to(c, member);
  bool offers = c->order->kind == ORDER_WRITE && offering && offering->count;
  c->order->has_children = has_members(c, member->pid);
  c->order->parent = member->parent;
  c->order->offers = offers ? offering->list : 0;
  c->order->offer_count = offers ? offering->count : 0;
  struct passed passed = {{fd, offers ? offering->memory : -1, offers ? offering->pagemap : -1}};
  long result = message_send(member->socket, c->order, sizeof *c->order, passed);
  if (result == -ETOOMANYREFS && offers)
    result = message_send(member->socket, c->order, sizeof *c->order, (struct passed){{fd, -1, -1}});
  return result;
}

void offers_withdraw(struct checkpoint *c) {
  struct member *members = c->job->members.entries;
  for (size_t i = 0; i < c->job->members.count; i++)
    offers_close(&members[i].offering);
  offers_close(&c->job->offering);
}
