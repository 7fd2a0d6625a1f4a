/* Everything but memory into the file: notes, program headers and the first page. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>

#include "core/checksum.h"
#include "core/sys.h"
#include "core/text.h"
#include "pages.h"
#include "thread.h"

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

struct notes {
  struct checkpoint *c;
  struct list bytes;
  long error;
};

static void add_bytes(struct notes *n, const void *data, size_t size) {
  long result = list_add_bytes(&n->c->arena, &n->bytes, data, size);
  if (result < 0)
    n->error = result;
}

static void pad(struct notes *n) {
  static const char zeros[4];
  add_bytes(n, zeros, -n->bytes.count & 3);
}

static void add_header(struct notes *n, const char *name, uint32_t type, size_t size) {
  Elf64_Nhdr header = {.n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = (uint32_t)size, .n_type = type};
  add_bytes(n, &header, sizeof header);
  add_bytes(n, name, header.n_namesz);
  pad(n);
}

static void add_note(struct notes *n, const char *name, uint32_t type, const void *data, size_t size) {
  add_header(n, name, type, size);
  add_bytes(n, data, size);
  pad(n);
}

static void add_array(struct notes *n, uint32_t type, const struct list *list, size_t entry_size) {
  struct ckpt_array array = {.count = (uint32_t)list->count, .entry_size = (uint32_t)entry_size};
  add_header(n, CKPT_NOTE_NAME, type, sizeof array + list->count * entry_size);
  add_bytes(n, &array, sizeof array);
  add_bytes(n, list->entries, list->count * entry_size);
  pad(n);
}

/* ---- What gdb reads --------------------------------------------------------------------------------- */

static void add_prstatus(struct notes *n, const struct thread_note *of) {
  const struct checkpoint *c = n->c;
  const greg_t *g = of->frame->uc_mcontext.gregs;
  struct elf_prstatus status;
  memset(&status, 0, sizeof status);
  status.pr_info.si_signo = c->info->si_signo;
  status.pr_cursig = (short)c->info->si_signo;
  status.pr_pid = of->thread.tid;
  status.pr_ppid = c->process.ppid;
  status.pr_pgrp = c->process.pgid;
  status.pr_sid = c->process.sid;
  status.pr_sighold = of->thread.signal_mask;
  const uint64_t selectors = (uint64_t)g[REG_CSGSFS];
  const uint64_t regs[] = {
      (uint64_t)g[REG_R15],
      (uint64_t)g[REG_R14],
      (uint64_t)g[REG_R13],
      (uint64_t)g[REG_R12],
      (uint64_t)g[REG_RBP],
      (uint64_t)g[REG_RBX],
      (uint64_t)g[REG_R11],
      (uint64_t)g[REG_R10],
      (uint64_t)g[REG_R9],
      (uint64_t)g[REG_R8],
      (uint64_t)g[REG_RAX],
      (uint64_t)g[REG_RCX],
      (uint64_t)g[REG_RDX],
      (uint64_t)g[REG_RSI],
      (uint64_t)g[REG_RDI],
      ~0ull, /* orig_rax: in no call */
      (uint64_t)g[REG_RIP],
      selectors & 0xffff,
      (uint64_t)g[REG_EFL],
      (uint64_t)g[REG_RSP],
      selectors >> 48,
      of->thread.fs_base,
      of->thread.gs_base,
      0,
      0,
      0,
      0,
  };
  _Static_assert(sizeof regs == sizeof status.pr_reg, "the registers of struct elf_prstatus");
  memcpy(status.pr_reg, regs, sizeof regs);
  status.pr_fpvalid = 1;
  add_note(n, "CORE", NT_PRSTATUS, &status, sizeof status);
}

static void add_prpsinfo(struct notes *n) {
  const struct checkpoint *c = n->c;
  struct elf_prpsinfo info;
  memset(&info, 0, sizeof info);
  info.pr_sname = 'R';
  info.pr_nice = (char)c->process.nice;
  info.pr_uid = c->process.uid[0];
  info.pr_gid = c->process.gid[0];
  info.pr_pid = c->process.pid;
  info.pr_ppid = c->process.ppid;
  info.pr_pgrp = c->process.pgid;
  info.pr_sid = c->process.sid;
  text_copy(info.pr_fname, sizeof info.pr_fname, string_at(c, c->process.command));
  long length = sys_read_file("/proc/thread-self/cmdline", info.pr_psargs, sizeof info.pr_psargs);
  for (long i = 0; i + 1 < length; i++)
    if (info.pr_psargs[i] == 0)
      info.pr_psargs[i] = ' ';
  add_note(n, "CORE", NT_PRPSINFO, &info, sizeof info);
}

static bool over_file(const struct ckpt_region *region) {
  return region->kind == CKPT_REGION_FILE || region->kind == CKPT_REGION_FILE_SHARED;
}

static void add_file_note(struct notes *n) {
  const struct checkpoint *c = n->c;
  const struct ckpt_region *regions = c->regions.entries;
  const struct ckpt_file *files = c->files.entries;
  struct list note = {0};
  uint64_t head[2] = {0, 1}; /* count, unit of the offsets */
  n->error |= list_add_bytes(&n->c->arena, &note, head, sizeof head) < 0 ? -ENOMEM : 0;
  for (size_t i = 0; i < c->regions.count; i++) {
    if (!over_file(&regions[i]))
      continue;
    uint64_t entry[3] = {regions[i].start, regions[i].end, regions[i].offset};
    n->error |= list_add_bytes(&n->c->arena, &note, entry, sizeof entry) < 0 ? -ENOMEM : 0;
    head[0]++;
  }
  for (size_t i = 0; i < c->regions.count && !n->error; i++) {
    if (!over_file(&regions[i]))
      continue;
    const char *path = string_at(c, files[regions[i].file - 1].path);
    n->error |= list_add_bytes(&n->c->arena, &note, path, strlen(path) + 1) < 0 ? -ENOMEM : 0;
  }
  if (n->error)
    return;
  memcpy(note.entries, head, sizeof head);
  add_note(n, "CORE", NT_FILE, note.entries, note.count);
}

/* The state that XSAVE left in the signal frame, in the form of a core: XCR0 where the frame has the kernel's
 * bookkeeping (struct _fpx_sw_bytes). */
static void add_extended_state(struct notes *n, const struct thread_note *of) {
  enum { LEGACY = 512, SOFTWARE = 464, MAGIC = 0x46505853, MOST = 64 << 10 };
  const char *state = (const char *)of->frame->uc_mcontext.fpregs;
  if (!state)
    return;
  add_note(n, "CORE", NT_FPREGSET, state, LEGACY);
  struct {
    uint32_t magic, extended_size;
    uint64_t features;
    uint32_t size;
  } software;
  memcpy(&software, state + SOFTWARE, sizeof software);
  if (software.magic != MAGIC || software.size > MOST)
    return;
  char *copy = arena_take(&n->c->arena, software.size);
  if (!copy) {
    n->error = -ENOMEM;
    return;
  }
  memcpy(copy, state, software.size);
  memset(copy + SOFTWARE, 0, LEGACY - SOFTWARE);
  memcpy(copy + SOFTWARE, &software.features, sizeof software.features);
  add_note(n, "LINUX", NT_X86_XSTATE, copy, software.size);
}

/* ---- What restart reads ----------------------------------------------------------------------------- */

static void add_threads(struct notes *n) {
  const struct thread_note *threads = n->c->threads.entries;
  struct ckpt_array array = {.count = (uint32_t)n->c->threads.count, .entry_size = sizeof threads->thread};
  add_header(n, CKPT_NOTE_NAME, CKPT_NOTE_THREADS, sizeof array + array.count * sizeof threads->thread);
  add_bytes(n, &array, sizeof array);
  for (uint32_t i = 0; i < array.count; i++)
    add_bytes(n, &threads[i].thread, sizeof threads->thread);
  pad(n);
}

static void add_own_notes(struct notes *n) {
  struct checkpoint *c = n->c;
  struct list limits = {.entries = c->limits, .count = sizeof c->limits / sizeof c->limits[0]};
  add_note(n, CKPT_NOTE_NAME, CKPT_NOTE_IMAGE, &c->image, sizeof c->image);
  add_note(n, CKPT_NOTE_NAME, CKPT_NOTE_PROCESS, &c->process, sizeof c->process);
  add_threads(n);
  add_array(n, CKPT_NOTE_REGIONS, &c->regions, sizeof(struct ckpt_region));
  add_array(n, CKPT_NOTE_FILES, &c->files, sizeof(struct ckpt_file));
  add_array(n, CKPT_NOTE_DESCRIPTIONS, &c->descriptions, sizeof(struct ckpt_description));
  add_array(n, CKPT_NOTE_DESCRIPTORS, &c->descriptors, sizeof(struct ckpt_descriptor));
  add_array(n, CKPT_NOTE_SIGACTIONS, &c->sigactions, sizeof(struct ckpt_sigaction));
  add_array(n, CKPT_NOTE_SIGNALS, &c->signals, sizeof(struct ckpt_signal));
  add_array(n, CKPT_NOTE_RLIMITS, &limits, sizeof(struct ckpt_rlimit));
  add_array(n, CKPT_NOTE_ITIMERS, &c->itimers, sizeof(struct ckpt_itimer));
  add_array(n, CKPT_NOTE_TIMERS, &c->timers, sizeof(struct ckpt_timer));
  add_array(n, CKPT_NOTE_CHECKSUMS, &c->checksums, sizeof(uint32_t));
  add_array(n, CKPT_NOTE_GROUPS, &c->groups, sizeof(uint32_t));
  add_array(n, CKPT_NOTE_GUARDS, &c->guards, sizeof(struct ckpt_range));
  add_array(n, CKPT_NOTE_INHERITED, &c->inherited, sizeof(struct ckpt_range));
  add_array(n, CKPT_NOTE_LOCKS, &c->locks, sizeof(struct ckpt_lock));
  add_array(n, CKPT_NOTE_WATCHES, &c->watches, sizeof(struct ckpt_watch));
  add_array(n, CKPT_NOTE_TIMERFDS, &c->timerfds, sizeof(struct ckpt_timerfd));
  add_array(n, CKPT_NOTE_SOCKETS, &c->sockets, sizeof(struct ckpt_socket));
  add_array(n, CKPT_NOTE_CHILDREN, &c->children, sizeof(struct ckpt_child));
  add_array(n, CKPT_NOTE_STOPS, &c->stops, sizeof(struct ckpt_stop));
  add_array(n, CKPT_NOTE_OPTIONS, &c->options, sizeof(struct ckpt_option));
  add_array(n, CKPT_NOTE_TCP, &c->tcp, sizeof(struct ckpt_tcp));
  add_array(n, CKPT_NOTE_INOTIFY, &c->inotify, sizeof(struct ckpt_inotify));
  add_array(n, CKPT_NOTE_TERMINALS, &c->terminals, sizeof(struct ckpt_terminal));
  add_array(n, CKPT_NOTE_SETS, &c->sets, sizeof(struct ckpt_set));
  add_array(n, CKPT_NOTE_SEMAPHORES, &c->semaphores, sizeof(struct ckpt_semaphore));
  add_array(n, CKPT_NOTE_QUEUES, &c->queues, sizeof(struct ckpt_queue));
  add_array(n, CKPT_NOTE_PTYS, &c->ptys, sizeof(struct ckpt_pty));
  add_note(n, CKPT_NOTE_NAME, CKPT_NOTE_BLOB, c->blob.entries, c->blob.count);
  add_note(n, CKPT_NOTE_NAME, CKPT_NOTE_STRINGS, c->strings.entries, c->strings.count);
}

/* ---- Headers ---------------------------------------------------------------------------------------- */

/* More program headers than e_phnum can say: the number stands in a section header of its own. */
static long add_section_header(struct checkpoint *c, struct list *headers, Elf64_Ehdr *elf,
                               uint64_t phdrs_offset) {
  size_t count = headers->count;
  if (count < PN_XNUM) {
    elf->e_phnum = (uint16_t)count;
    return 0;
  }
  headers->count = count * sizeof(Elf64_Phdr);
  headers->room *= sizeof(Elf64_Phdr);
  Elf64_Shdr section = {.sh_type = SHT_NULL, .sh_info = (uint32_t)count};
  long result = list_add_bytes(&c->arena, headers, &section, sizeof section);
  elf->e_phnum = PN_XNUM;
  elf->e_shnum = 1;
  elf->e_shentsize = sizeof section;
  elf->e_shoff = phdrs_offset + count * sizeof(Elf64_Phdr);
  return result < 0 ? result : 0;
}

static long write_headers(struct checkpoint *c, const struct list *notes) {
  struct list headers = {0};
  struct {
    Elf64_Ehdr elf;
    struct ckpt_prologue prologue;
  } *first = arena_take(&c->arena, CKPT_PAGE);
  Elf64_Phdr *note = list_add(&c->arena, &headers, sizeof *note);
  if (!first || !note)
    return -ENOMEM;
  _Static_assert(sizeof first->elf == CKPT_PROLOGUE_OFFSET, "the prologue follows the ELF header");
  uint64_t notes_offset = CKPT_PAGE + c->data_size;
  uint64_t phdrs_offset = notes_offset + notes->count;
  *note = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = notes_offset, .p_filesz = notes->count, .p_align = 4};
  long result = add_loads(c, &headers);
  if (result < 0)
    return result;
  first->elf = (Elf64_Ehdr){
      .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE},
      .e_type = ET_CORE,
      .e_machine = EM_X86_64,
      .e_version = EV_CURRENT,
      .e_phoff = phdrs_offset,
      .e_ehsize = sizeof(Elf64_Ehdr),
      .e_phentsize = sizeof(Elf64_Phdr),
  };
  size_t count = headers.count;
  result = add_section_header(c, &headers, &first->elf, phdrs_offset);
  if (result < 0)
    return result;
  size_t size = headers.count == count ? count * sizeof(Elf64_Phdr) : headers.count;
  c->file_size = phdrs_offset + size;
  first->prologue = (struct ckpt_prologue){
      .magic = CKPT_MAGIC,
      .version = CKPT_FORMAT_VERSION,
      .size = sizeof first->prologue,
      .file_size = c->file_size,
      .data_offset = CKPT_PAGE,
      .data_size = c->data_size,
      .notes_offset = notes_offset,
      .notes_size = notes->count,
      .phdrs_offset = phdrs_offset,
      .phdrs_size = size,
      .chunk_size = CKPT_CHUNK,
      .notes_crc = ckpt_checksum(CKPT_CHECKSUM_START, notes->entries, notes->count),
      .phdrs_crc = ckpt_checksum(CKPT_CHECKSUM_START, headers.entries, size),
  };
  first->prologue.prologue_crc = ckpt_checksum(CKPT_CHECKSUM_START, first, sizeof *first);
  result = sys_pwrite_full(c->core_fd, notes->entries, notes->count, notes_offset);
  if (result == 0)
    result = sys_pwrite_full(c->core_fd, headers.entries, size, phdrs_offset);
  if (result == 0)
    result = sys_pwrite_full(c->core_fd, first, CKPT_PAGE, 0);
  /* It may have been made longer than it got. */
  return result == 0 ? sys(SYS_(ftruncate), c->core_fd, c->file_size) : result;
}

long write_notes(struct checkpoint *c) {
  struct notes n = {.c = c};
  const struct thread_note *threads = c->threads.entries;
  size_t first = threads[0].thread.ended; /* which has no registers */
  add_prstatus(&n, &threads[first]);
  add_prpsinfo(&n);
  add_note(&n, "CORE", NT_SIGINFO, c->info, sizeof *c->info);
  add_note(&n, "CORE", NT_AUXV, c->auxv, c->auxv_size);
  add_file_note(&n);
  add_extended_state(&n, &threads[first]);
  for (size_t i = first + 1; i < c->threads.count; i++) {
    add_prstatus(&n, &threads[i]);
    add_extended_state(&n, &threads[i]);
  }
  add_own_notes(&n);
  long result = n.error ? n.error : write_headers(c, &n.bytes);
  return result < 0 ? fail(c, result, "%s/%s: %s", c->job_dir, c->temp_name, text_errno(result)) : 0;
}
