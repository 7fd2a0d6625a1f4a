#include "vdso.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "core/proc.h"
#include "core/text.h"
#include "say.h"

/* ---- Ours and theirs ---------------------------------------------------------------------------------- */

static int find_ours(struct vdso *vdso) {
  struct proc_lines lines;
  char buffer[8192];
  long error = proc_lines_open(&lines, "/proc/self/maps", buffer, sizeof buffer);
  if (error < 0)
    return say_problem("cannot read /proc/self/maps: %s", strerror((int)-error));
  for (char *line; (line = proc_lines_next(&lines));) {
    struct proc_map map;
    if (!proc_parse_map(line, &map))
      continue;
    bool code = text_equal(map.name, "[vdso]");
    if (!code && !text_equal(map.name, "[vvar]") && !text_equal(map.name, "[vvar_vclock]"))
      continue;
    if (vdso->ours_count == PLAN_VDSO_PARTS)
      return say_problem("this kernel's vdso has more parts than this restart knows");
    vdso->ours[vdso->ours_count++] = (struct vdso_part){map.start, map.end, code};
  }
  proc_lines_close(&lines);
  for (uint32_t i = 1; i < vdso->ours_count; i++)
    if (vdso->ours[i].start != vdso->ours[i - 1].end)
      return say_problem("the parts of this kernel's vdso lie apart");
  if (vdso->ours_count)
    vdso->span = vdso->ours[vdso->ours_count - 1].end - vdso->ours[0].start;
  return lines.error < 0 ? say_problem("cannot read /proc/self/maps: %s", strerror((int)-lines.error)) : 0;
}

static const struct vdso_part *our_code(const struct vdso *vdso) {
  for (uint32_t i = 0; i < vdso->ours_count; i++)
    if (vdso->ours[i].code)
      return &vdso->ours[i];
  return NULL;
}

static const struct ckpt_region *their_code(const struct image *image) {
  for (uint32_t i = 0; i < image->regions_count; i++)
    if (image->regions[i].kind == CKPT_REGION_VDSO)
      return &image->regions[i];
  return NULL;
}

/* Are all parts of the same kind and size, in the same order, without gaps? */
static bool same_layout(const struct image *image, struct vdso *vdso) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < image->regions_count; i++) {
    const struct ckpt_region *region = &image->regions[i];
    if (region->kind != CKPT_REGION_VDSO && region->kind != CKPT_REGION_VVAR)
      continue;
    if (found == vdso->ours_count)
      return false;
    const struct vdso_part *part = &vdso->ours[found];
    if (found == 0)
      vdso->moved_to = region->start;
    if (region->start - vdso->moved_to != part->start - vdso->ours[0].start ||
        region->end - region->start != part->end - part->start ||
        part->code != (region->kind == CKPT_REGION_VDSO))
      return false;
    found++;
  }
  return found == vdso->ours_count;
}

/* ---- The functions of a vdso -------------------------------------------------------------------------- */

struct function {
  uint64_t offset;
  const char *name;
};

struct functions {
  struct function *list;
  size_t count;
};

static int by_offset(const void *a, const void *b) {
  const struct function *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool inside(uint64_t offset, uint64_t size, uint64_t whole) {
  return offset <= whole && size <= whole - offset;
}

static bool add_symbol(struct functions *functions, const uint8_t *elf, size_t size, const Elf64_Sym *symbol,
                       const Elf64_Shdr *strings) {
  int type = ELF64_ST_TYPE(symbol->st_info);
  if (symbol->st_shndx == SHN_UNDEF || type != STT_FUNC || symbol->st_value >= size)
    return true;
  if (symbol->st_name >= strings->sh_size)
    return false;
  const char *name = (const char *)elf + strings->sh_offset + symbol->st_name;
  if (!memchr(name, 0, strings->sh_size - symbol->st_name))
    return false;
  functions->list[functions->count++] = (struct function){symbol->st_value, name};
  return true;
}

/* Both come from outside (ours from a kernel, theirs from a file): every offset is checked. */
static bool read_functions(const uint8_t *elf, size_t size, struct functions *functions) {
  Elf64_Ehdr ehdr;
  if (size < sizeof ehdr)
    return false;
  memcpy(&ehdr, elf, sizeof ehdr);
  if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 || ehdr.e_shentsize != sizeof(Elf64_Shdr) ||
      !inside(ehdr.e_shoff, (uint64_t)ehdr.e_shnum * sizeof(Elf64_Shdr), size))
    return false;
  for (unsigned i = 0; i < ehdr.e_shnum; i++) {
    Elf64_Shdr table, strings;
    memcpy(&table, elf + ehdr.e_shoff + i * sizeof table, sizeof table);
    if (table.sh_type != SHT_DYNSYM)
      continue;
    if (table.sh_link >= ehdr.e_shnum || !inside(table.sh_offset, table.sh_size, size))
      return false;
    memcpy(&strings, elf + ehdr.e_shoff + table.sh_link * sizeof strings, sizeof strings);
    if (!inside(strings.sh_offset, strings.sh_size, size))
      return false;
    functions->list = calloc(table.sh_size / sizeof(Elf64_Sym) + 1, sizeof *functions->list);
    if (!functions->list)
      return false;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      memcpy(&symbol, elf + table.sh_offset + at, sizeof symbol);
      if (!add_symbol(functions, elf, size, &symbol, &strings))
        return false;
    }
    qsort(functions->list, functions->count, sizeof *functions->list, by_offset);
    return true;
  }
  return false;
}

static uint64_t find_function(const struct functions *functions, const char *name) {
  for (size_t i = 0; i < functions->count; i++)
    if (strcmp(functions->list[i].name, name) == 0)
      return functions->list[i].offset;
  return UINT64_MAX;
}

/* ---- Patching ----------------------------------------------------------------------------------------- */

/* One patch for each address: names such as gettimeofday and __vdso_gettimeofday share theirs. */
static int make_patches(struct vdso *vdso, const struct functions *old, const struct functions *current,
                        const struct ckpt_region *region) {
  vdso->patches = calloc(old->count + 1, sizeof *vdso->patches);
  vdso->targets = calloc(old->count + 1, sizeof *vdso->targets);
  if (!vdso->patches || !vdso->targets)
    return say_problem("not enough memory");
  uint64_t size = region->end - region->start, last = 0;
  for (size_t i = 0; i < old->count; i++) {
    uint64_t offset = old->list[i].offset, target = find_function(current, old->list[i].name);
    uint32_t count = vdso->patch_count;
    if (count && offset == last) {
      if (vdso->targets[count - 1] == UINT64_MAX)
        vdso->targets[count - 1] = target;
      continue;
    }
    if (size - offset < PLAN_STUB || (count && offset - last < PLAN_STUB))
      return say_problem(
          "the image's vdso, of another kernel, has functions too close together to lead elsewhere");
    vdso->patches[count] = (struct plan_patch){.address = region->start + offset};
    vdso->targets[count] = target;
    vdso->patch_count++;
    last = offset;
  }
  return 0;
}

void vdso_aim(struct vdso *vdso, uint64_t parked) {
  const struct vdso_part *code = our_code(vdso);
  uint64_t base = code ? parked + (code->start - vdso->ours[0].start) : 0;
  for (uint32_t i = 0; i < vdso->patch_count; i++) {
    /* mov $-ENOSYS, %rax; ret */
    static const uint8_t none[PLAN_STUB] = {0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff,
                                            0xff, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc};
    /* movabs $target, %rax; jmp *%rax: at its entry a function expects nothing in rax */
    static const uint8_t jump[PLAN_STUB] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
    uint8_t *to = vdso->patches[i].code;
    uint64_t target = base + vdso->targets[i];
    memcpy(to, vdso->targets[i] == UINT64_MAX || !code ? none : jump, PLAN_STUB);
    if (to[1] == jump[1])
      memcpy(to + 2, &target, sizeof target);
  }
}

/* A thread that stands inside a vdso that goes has nowhere to go on. */
static int check_threads(struct image *image, const struct ckpt_region *region) {
  for (uint32_t i = 0; i < image->threads_count; i++) {
    uint64_t rip;
    uint64_t at =
        image->threads[i].frame + offsetof(ucontext_t, uc_mcontext.gregs) + REG_RIP * sizeof(greg_t);
    if (image_memory(image, at, &rip, sizeof rip) < 0)
      return say_problem("%s", image->why);
    if (rip >= region->start && rip < region->end)
      return say_problem(
          "the program was saved inside the vdso of another kernel: take an image before or after");
  }
  return 0;
}

static int prepare_patches(struct image *image, struct vdso *vdso, const struct ckpt_region *region,
                           const uint8_t *bytes) {
  const struct vdso_part *code = our_code(vdso);
  struct functions old = {0}, current = {0};
  int result = check_threads(image, region);
  if (result == 0 && !read_functions(bytes, region->end - region->start, &old))
    result = say_problem("the image's vdso, of another kernel, cannot be read");
  if (result == 0 && code && !read_functions((const uint8_t *)code->start, code->end - code->start, &current))
    result = say_problem("this kernel's vdso cannot be read");
  if (result == 0)
    result = make_patches(vdso, &old, &current, region);
  free(old.list);
  free(current.list);
  return result;
}

int vdso_prepare(struct image *image, struct vdso *vdso) {
  const struct ckpt_region *region = their_code(image);
  const char *force = getenv("CKPT_FORCE");
  *vdso = (struct vdso){.way = VDSO_NONE};
  if (find_ours(vdso) < 0)
    return -1;
  if (!region)
    return 0;
  size_t size = region->end - region->start;
  uint8_t *bytes = malloc(size);
  if (!bytes || image_memory(image, region->start, bytes, size) < 0) {
    free(bytes);
    return say_problem("cannot read the image's vdso: %s", bytes ? image->why : "not enough memory");
  }
  const struct vdso_part *code = our_code(vdso);
  bool same = code && same_layout(image, vdso) && memcmp(bytes, (const void *)code->start, size) == 0;
  vdso->way = same && !(force && strcmp(force, "vdso") == 0) ? VDSO_MOVE : VDSO_PATCH;
  int result = vdso->way == VDSO_PATCH ? prepare_patches(image, vdso, region, bytes) : 0;
  free(bytes);
  return result;
}
