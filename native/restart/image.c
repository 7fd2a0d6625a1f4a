/* The frame of an image: ELF header, prologue, and the places of everything else. */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/sys.h"

/* More than any process can fill, and little enough to be read into memory. */
#define NOTES_MOST (1u << 30)
#define PHDRS_MOST (256u << 20)
#define PADDING_MOST (1u << 20)

int image_refuse(struct image *image, const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(image->why, sizeof image->why, format, list);
  va_end(list);
  return -1;
}

const char *image_string(const struct image *image, ckpt_string offset) {
  return image->strings + offset;
}

int image_number_of(const struct image *image, uint32_t description) {
  for (uint32_t i = 0; i < image->descriptors_count; i++)
    if (image->descriptors[i].description == description)
      return image->descriptors[i].fd;
  return -1;
}

int image_add_string(struct image *image, const char *text, ckpt_string *offset) {
  size_t size = strlen(text) + 1;
  if (size > UINT32_MAX - image->strings_size)
    return -1;
  char *strings = malloc(image->strings_size + size);
  if (!strings)
    return -1;
  memcpy(strings, image->strings, image->strings_size);
  memcpy(strings + image->strings_size, text, size);
  *offset = image->strings_size;
  image->strings_size += (uint32_t)size;
  free(image->own_strings);
  image->strings = image->own_strings = strings;
  return 0;
}

static int read_at(struct image *image, void *to, size_t size, uint64_t offset, const char *what) {
  long n = sys_pread_full(image->fd, to, size, offset);
  if (n < 0)
    return image_refuse(image, "cannot read %s: %s", what, strerror((int)-n));
  if ((size_t)n != size)
    return image_refuse(image, "truncated: ends within %s", what);
  return 0;
}

static int check_header(struct image *image, const Elf64_Ehdr *ehdr) {
  const struct ckpt_prologue *p = &image->prologue;
  if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
    return image_refuse(image, "not an image: no ELF file");
  if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_ident[EI_DATA] != ELFDATA2LSB ||
      ehdr->e_type != ET_CORE)
    return image_refuse(image, "not an image: no 64-bit core file");
  if (memcmp(p->magic, CKPT_MAGIC, sizeof p->magic) != 0)
    return image_refuse(image, "not an image: a core file that ckpt has not written");
  if (p->version > CKPT_FORMAT_VERSION)
    return image_refuse(image,
                        "image format %u is newer than this restart, which reads up to %d: use a newer one",
                        p->version, CKPT_FORMAT_VERSION);
  if (ehdr->e_machine != EM_X86_64)
    return image_refuse(image, "from another kind of machine (ELF machine %u): this restart is for x86-64",
                        ehdr->e_machine);
  if (p->version < 1 || p->size < sizeof *p || p->size > CKPT_PAGE - CKPT_PROLOGUE_OFFSET)
    return image_refuse(image, "damaged: the header has impossible sizes");
  return 0;
}

/* The checksum covers a longer prologue of a later writer, too. */
static int check_header_sum(struct image *image, const uint8_t *page) {
  uint8_t copy[CKPT_PAGE];
  size_t size = CKPT_PROLOGUE_OFFSET + image->prologue.size;
  memcpy(copy, page, size);
  memset(copy + CKPT_PROLOGUE_OFFSET + offsetof(struct ckpt_prologue, prologue_crc), 0, sizeof(uint32_t));
  if (ckpt_checksum(CKPT_CHECKSUM_START, copy, size) != image->prologue.prologue_crc)
    return image_refuse(image, "damaged: the header does not match its checksum");
  return 0;
}

static bool inside(uint64_t offset, uint64_t size, uint64_t whole) {
  return offset <= whole && size <= whole - offset;
}

static int check_places(struct image *image) {
  const struct ckpt_prologue *p = &image->prologue;
  uint64_t size = (uint64_t)image->st.st_size;
  if (p->file_size > size)
    return image_refuse(image, "truncated: has %llu of %llu bytes", (unsigned long long)size,
                        (unsigned long long)p->file_size);
  if (p->file_size < size)
    return image_refuse(image, "damaged: %llu bytes follow its end",
                        (unsigned long long)(size - p->file_size));
  if (!inside(p->data_offset, p->data_size, size) || !inside(p->notes_offset, p->notes_size, size) ||
      !inside(p->phdrs_offset, p->phdrs_size, size) || p->data_offset % CKPT_PAGE ||
      p->data_size % CKPT_PAGE || p->data_offset < CKPT_PAGE || p->chunk_size != CKPT_CHUNK)
    return image_refuse(image, "damaged: the header names places outside of the file");
  if (p->notes_offset < p->data_offset + p->data_size || p->phdrs_offset < p->notes_offset + p->notes_size)
    return image_refuse(image, "damaged: parts of the file overlap");
  if (p->notes_size > NOTES_MOST || p->phdrs_size > PHDRS_MOST)
    return image_refuse(image, "damaged: notes or program headers are impossibly large");
  return 0;
}

/* What lies between the parts is zeros: every byte of the file means something or is checked to mean nothing.
 */
static int check_padding(struct image *image, uint64_t from, uint64_t to) {
  uint8_t bytes[4096];
  if (to - from > PADDING_MOST)
    return image_refuse(image, "damaged: %llu bytes belong to nothing", (unsigned long long)(to - from));
  while (from < to) {
    size_t n = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
    if (read_at(image, bytes, n, from, "padding") < 0)
      return -1;
    for (size_t i = 0; i < n; i++)
      if (bytes[i])
        return image_refuse(image, "damaged: byte %llu is not zero", (unsigned long long)(from + i));
    from += n;
  }
  return 0;
}

static int check_paddings(struct image *image) {
  const struct ckpt_prologue *p = &image->prologue;
  int result = check_padding(image, CKPT_PROLOGUE_OFFSET + p->size, p->data_offset);
  if (result == 0)
    result = check_padding(image, p->data_offset + p->data_size, p->notes_offset);
  if (result == 0)
    result = check_padding(image, p->notes_offset + p->notes_size, p->phdrs_offset);
  if (result == 0)
    result = check_padding(image, p->phdrs_offset + p->phdrs_size, p->file_size);
  return result;
}

/* Reads one part into memory and checks its sum. A byte more than asked, so that no size is zero. */
static uint8_t *read_part(struct image *image, uint64_t offset, uint64_t size, uint32_t sum,
                          const char *what) {
  uint8_t *bytes = malloc(size + 1);
  if (!bytes) {
    image_refuse(image, "not enough memory for %s", what);
    return NULL;
  }
  if (read_at(image, bytes, size, offset, what) < 0) {
    free(bytes);
    return NULL;
  }
  if (ckpt_checksum(CKPT_CHECKSUM_START, bytes, size) != sum) {
    image_refuse(image, "damaged: %s do not match their checksum", what);
    free(bytes);
    return NULL;
  }
  return bytes;
}

static int count_phdrs(struct image *image, const Elf64_Ehdr *ehdr, const uint8_t *part, uint32_t *count) {
  const struct ckpt_prologue *p = &image->prologue;
  uint64_t size = p->phdrs_size;
  *count = ehdr->e_phnum;
  if (ehdr->e_phoff != p->phdrs_offset || ehdr->e_phentsize != sizeof(Elf64_Phdr))
    return image_refuse(image, "damaged: the ELF header and the prologue do not agree");
  if (ehdr->e_phnum == PN_XNUM) {
    Elf64_Shdr shdr;
    if (size < sizeof shdr)
      return image_refuse(image, "damaged: no section header for the number of program headers");
    size -= sizeof shdr;
    memcpy(&shdr, part + size, sizeof shdr);
    *count = shdr.sh_info;
    if (ehdr->e_shoff != p->phdrs_offset + size || ehdr->e_shnum != 1)
      return image_refuse(image, "damaged: the ELF header and the prologue do not agree");
  }
  if (size != (uint64_t)*count * sizeof(Elf64_Phdr) || *count == 0)
    return image_refuse(image, "damaged: the program headers have another number than the header says");
  return 0;
}

/* One PT_NOTE, the one that the prologue names. */
static int check_note_header(struct image *image, const uint8_t *phdrs, uint32_t count) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < count; i++) {
    Elf64_Phdr phdr;
    memcpy(&phdr, phdrs + i * sizeof phdr, sizeof phdr);
    if (phdr.p_type != PT_NOTE)
      continue;
    found++;
    if (phdr.p_offset != image->prologue.notes_offset || phdr.p_filesz != image->prologue.notes_size)
      return image_refuse(image, "damaged: the notes are not where the header says");
  }
  return found == 1 ? 0 : image_refuse(image, "damaged: %u note segments instead of one", found);
}

static int read_all(struct image *image, const Elf64_Ehdr *ehdr) {
  const struct ckpt_prologue *p = &image->prologue;
  uint32_t count;
  image->notes = read_part(image, p->notes_offset, p->notes_size, p->notes_crc, "notes");
  if (!image->notes)
    return -1;
  uint8_t *phdrs = read_part(image, p->phdrs_offset, p->phdrs_size, p->phdrs_crc, "program headers");
  if (!phdrs)
    return -1;
  int result = count_phdrs(image, ehdr, phdrs, &count);
  if (result == 0)
    result = check_note_header(image, phdrs, count);
  if (result == 0)
    result = image_read_notes(image);
  if (result == 0)
    result = image_check_notes(image);
  if (result == 0)
    result = image_read_loads(image, phdrs, count);
  free(phdrs);
  return result;
}

int image_open(struct image *image, const char *path) {
  uint8_t page[CKPT_PAGE] = {0};
  Elf64_Ehdr ehdr;
  *image = (struct image){.fd = -1};
  /* Not blocking on a fifo that someone has put there. */
  image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (image->fd < 0 || fstat(image->fd, &image->st) < 0)
    return image_refuse(image, "cannot open: %s", strerror(errno));
  if (!S_ISREG(image->st.st_mode))
    return image_refuse(image, "not an image: no regular file");
  if (image->st.st_size == 0)
    return image_refuse(image, "empty");
  long n = sys_pread_full(image->fd, page, sizeof page, 0);
  if (n < 0)
    return image_refuse(image, "cannot read: %s", strerror((int)-n));
  memcpy(&ehdr, page, sizeof ehdr);
  memcpy(&image->prologue, page + CKPT_PROLOGUE_OFFSET, sizeof image->prologue);
  if (n < (long)(CKPT_PROLOGUE_OFFSET + sizeof image->prologue))
    return image_refuse(image, memcmp(page, ELFMAG, SELFMAG) == 0 ? "truncated: ends within the header"
                                                                  : "not an image: no ELF file");
  if (check_header(image, &ehdr) < 0 || check_header_sum(image, page) < 0 || check_places(image) < 0 ||
      check_paddings(image) < 0)
    return -1;
  return read_all(image, &ehdr);
}

void image_close(struct image *image) {
  if (image->fd >= 0)
    close(image->fd);
  image->fd = -1;
#define X(field, note, type)                                                                                 \
  free(image->field);                                                                                        \
  image->field = NULL;
  IMAGE_ARRAYS(X)
#undef X
  free(image->runs);
  free(image->notes);
  free(image->own_strings);
  image->own_strings = NULL;
  image->runs = NULL;
  image->notes = NULL;
}
