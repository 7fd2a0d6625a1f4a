#include "plan.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <unistd.h>

#include "core/sys.h"
#include "format/control.h"
#include "hole.h"
#include "job.h"
#include "plan_parts.h"
#include "say.h"

#define WORKERS_FROM (8ull << 20) /* less data than that is read by one thread */
#define RSEQ_UNREGISTER 1
#define RSEQ_SIGNATURE 0x53053053

extern const uint8_t restorer_blob_start[], restorer_blob_end[];

static uint64_t pages(uint64_t size) {
  return (size + CKPT_PAGE - 1) & ~(uint64_t)(CKPT_PAGE - 1);
}

/* ---- Sizes -------------------------------------------------------------------------------------------- */

uint32_t plan_count_workers(const struct image *image) {
  cpu_set_t set;
  if (image->prologue.data_size < WORKERS_FROM || sched_getaffinity(0, sizeof set, &set) < 0)
    return 0;
  uint32_t cpus = (uint32_t)CPU_COUNT(&set);
  return (cpus < PLAN_WORKERS ? cpus : PLAN_WORKERS) - 1;
}

/* No less than what is taken below. */
static uint64_t room_size(const struct child *child, uint32_t workers) {
  const struct image *image = child->image;
  const struct vdso *vdso = &child->vdso;
  uint64_t size = sizeof(struct plan) + CKPT_PAGE * 4 + CKPT_PATH_MAX;
  size += image->regions_count * sizeof(struct plan_region) + image->runs_count * sizeof(struct plan_run);
  size +=
      image->guards_count * sizeof(struct ckpt_range) + image->checksums_count * (sizeof(uint32_t) + 1ull);
  size += image->sigactions_count * sizeof(struct ckpt_sigaction);
  size +=
      image->rlimits_count * sizeof(struct ckpt_rlimit) + image->itimers_count * sizeof(struct ckpt_itimer);
  size += image->files_count * (sizeof(struct plan_seal) + sizeof(struct plan_segment));
  size += image->timers_count * sizeof(struct ckpt_timer);
  size += image->signals_count * sizeof(struct ckpt_signal) + image->locks_count * sizeof(struct plan_lock);
  size += child->job->count * sizeof(struct ckpt_stopped);
  size += image->descriptions_count *
          (sizeof(struct plan_owner) + sizeof(struct plan_notification) + sizeof(struct plan_position));
  size += image->groups_count * sizeof(uint32_t) + vdso->patch_count * sizeof(struct plan_patch);
  size += image->auxv_size + 64 * 32;
  size += image->threads_count * (sizeof(struct ckpt_thread) + sizeof(int32_t) + (uint64_t)PLAN_THREAD_STACK);
  size += (workers + 1ull) * (PLAN_STACK + CKPT_CHUNK);
  return pages(size);
}

/* ---- The jump ----------------------------------------------------------------------------------------- */

/* The kernel writes to the area that libc has registered, which is about to go. */
static int unregister_rseq(void) {
  if (__rseq_size == 0)
    return 0;
  uint64_t area = (uint64_t)__builtin_thread_pointer() + (uint64_t)__rseq_offset;
  /* libc registers 32 bytes, or what the kernel asks for when that is more. */
  for (uint32_t size = 32; size <= 256; size += 32)
    if (sys(SYS_(rseq), area, size, RSEQ_UNREGISTER, RSEQ_SIGNATURE) == 0)
      return 0;
  return say_problem("cannot unregister libc's rseq area");
}

__attribute__((noreturn)) static void enter(uint64_t code, struct plan *plan, uint64_t stack_end) {
  __asm__ volatile("jmp *%0" : : "r"(code), "D"(plan), "S"(stack_end) : "memory");
  __builtin_unreachable();
}

static int map_hole(uint64_t at, uint64_t size, uint64_t blob_size) {
  void *mapped = mmap((void *)at, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
  if (mapped != (void *)at)
    return say_problem("cannot map the restorer: %s", strerror(errno));
  memcpy(mapped, restorer_blob_start, blob_size);
  /* All but the last page, which is data: see restorer.lds. */
  if (mprotect(mapped, blob_size - CKPT_PAGE, PROT_READ | PROT_EXEC) < 0)
    return say_problem("cannot make the restorer executable: %s", strerror(errno));
  return 0;
}

int plan_jump(struct child *child) {
  struct image *image = child->image;
  uint32_t workers = plan_count_workers(image);
  uint64_t blob_size = (uint64_t)(restorer_blob_end - restorer_blob_start);
  uint64_t data_size = room_size(child, workers);
  uint64_t size = blob_size + data_size + pages(child->vdso.span);
  struct ckpt_range nest = {child->nest.start, child->nest.next};
  struct holes holes;
  if (holes_find(image, nest, size, child->vdso.span, &holes) < 0 ||
      map_hole(holes.hole, size, blob_size) < 0)
    return -1;
  struct room room = {holes.hole + blob_size, holes.hole + blob_size + data_size};
  struct plan *plan = room_take(&room, sizeof *plan);
  *plan = (struct plan){
      .hole_start = holes.hole,
      .hole_end = holes.hole + size,
      .top = holes.top,
      .nest_start = nest.start,
      .nest_end = nest.end,
      .core_fd = image->fd,
      .report_fd = child->report_fd,
      .first_own_fd = child->base,
      .pid = (int32_t)sys(SYS_(getpid)),
      .process = image->process,
      .any_ids = child->options->pids == PID_NEW,
  };
  plan_add_vdso(child, &room, plan, room.end, holes.parked);
  if (plan_add_regions(child, &room, plan) < 0)
    return -1;
  plan_add_segments(child, &room, plan);
  plan_add_seals(child, &room, plan);
  plan_add_pages(child, &room, plan);
  plan_add_workers(&room, plan, workers);
  plan_add_mm(child, &room, plan);
  plan_add_credentials(child, &room, plan);
  plan_add_locks(child, &room, plan);
  plan_add_owners(child, &room, plan);
  plan_add_notifications(child, &room, plan);
  plan_add_positions(child, &room, plan);
  plan_add_arrays(child, &room, plan);
  if (room.next > room.end)
    return say_problem("the plan does not fit into the hole made for it");
  /* After the last time that libc is asked for anything. */
  if (unregister_rseq() < 0)
    return -1;
  enter(holes.hole, plan, (uint64_t)plan->worker_stacks + PLAN_STACK);
}
