#include "text.h"

#include <errno.h>
#include <string.h>

struct text text_in(char *buffer, size_t size) {
  buffer[0] = 0;
  return (struct text){.data = buffer, .size = size};
}

static void text_add_bytes(struct text *text, const char *bytes, size_t length) {
  size_t room = text->size - text->length - 1;
  if (length > room) {
    length = room;
    text->cut = true;
  }
  memcpy(text->data + text->length, bytes, length);
  text->length += length;
  text->data[text->length] = 0;
}

void text_add(struct text *text, const char *words) {
  text_add_bytes(text, words, strlen(words));
}

static void add_number(struct text *text, uint64_t value, unsigned base, unsigned digits) {
  char buffer[32];
  size_t at = sizeof buffer;
  do {
    buffer[--at] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value || sizeof buffer - at < digits);
  text_add_bytes(text, buffer + at, sizeof buffer - at);
}

void text_add_unsigned(struct text *text, uint64_t value) {
  add_number(text, value, 10, 1);
}

void text_add_signed(struct text *text, int64_t value) {
  if (value < 0)
    text_add(text, "-");
  add_number(text, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 1);
}

void text_add_hex(struct text *text, uint64_t value, unsigned digits) {
  add_number(text, value, 16, digits);
}

void text_add_padded(struct text *text, uint64_t value, unsigned digits) {
  add_number(text, value, 10, digits);
}

void text_format_list(struct text *text, const char *format, va_list list) {
  for (const char *at = format; *at; at++) {
    if (*at != '%') {
      text_add_bytes(text, at, 1);
      continue;
    }
    switch (*++at) {
    case 's':
      text_add(text, va_arg(list, const char *));
      break;
    case 'd':
      text_add_signed(text, va_arg(list, int64_t));
      break;
    case 'u':
      text_add_unsigned(text, va_arg(list, uint64_t));
      break;
    case 'x':
      text_add_hex(text, va_arg(list, uint64_t), 1);
      break;
    default:
      text_add_bytes(text, at, 1);
    }
  }
}

void text_format(struct text *text, const char *format, ...) {
  va_list list;
  va_start(list, format);
  text_format_list(text, format, list);
  va_end(list);
}

bool text_equal(const char *a, const char *b) {
  while (*a && *a == *b)
    a++, b++;
  return *a == *b;
}

bool text_starts(const char *s, const char *prefix) {
  while (*prefix)
    if (*s++ != *prefix++)
      return false;
  return true;
}

bool text_ends(const char *s, const char *suffix) {
  size_t a = strlen(s), b = strlen(suffix);
  return a >= b && text_equal(s + a - b, suffix);
}

const char *text_base(const char *path) {
  const char *base = path;
  for (; *path; path++)
    if (*path == '/' && path[1])
      base = path + 1;
  return base;
}

void text_copy(char *to, size_t size, const char *from) {
  struct text text = text_in(to, size);
  text_add(&text, from);
}

static uint64_t take(const char **s, unsigned base) {
  uint64_t value = 0;
  for (;; (*s)++) {
    char c = **s;
    unsigned digit;
    if (c >= '0' && c <= '9')
      digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = (unsigned)(c - 'a') + 10;
    else
      return value;
    if (digit >= base)
      return value;
    value = value * base + digit;
  }
}

uint64_t text_take_decimal(const char **s) {
  return take(s, 10);
}

uint64_t text_take_hex(const char **s) {
  return take(s, 16);
}

uint32_t text_take_hex_digits(const char **s, int count) {
  char digits[9] = "";
  const char *digit = digits;
  for (int i = 0; i < count && **s; i++)
    digits[i] = (char)(*(*s)++ | ' ');
  return (uint32_t)text_take_hex(&digit);
}

uint64_t text_take_octal(const char **s) {
  return take(s, 8);
}

bool text_is_decimal(const char *s, uint64_t *value) {
  const char *at = s;
  uint64_t number = text_take_decimal(&at);
  if (at == s || *at || at - s > 19)
    return false;
  *value = number;
  return true;
}

void text_skip_spaces(const char **s) {
  while (**s == ' ' || **s == '\t')
    (*s)++;
}

const char *text_errno(long error) {
  switch (error < 0 ? -error : error) {
  case EPERM:
    return "Operation not permitted";
  case ENOENT:
    return "No such file or directory";
  case ESRCH:
    return "No such process";
  case EINTR:
    return "Interrupted";
  case EIO:
    return "Input/output error";
  case ENXIO:
    return "No such device";
  case E2BIG:
    return "Too long";
  case EBADF:
    return "Bad file descriptor";
  case EAGAIN:
    return "Resource temporarily unavailable";
  case ENOMEM:
    return "Not enough memory";
  case EACCES:
    return "Permission denied";
  case EFAULT:
    return "Bad address";
  case EBUSY:
    return "Busy";
  case EEXIST:
    return "File exists";
  case ENODEV:
    return "No such device";
  case ENOTDIR:
    return "Not a directory";
  case EISDIR:
    return "Is a directory";
  case EINVAL:
    return "Invalid argument";
  case ENFILE:
    return "Too many open files in the system";
  case EMFILE:
    return "Too many open files";
  case EFBIG:
    return "File too large";
  case ENOSPC:
    return "No space left on device";
  case EROFS:
    return "Read-only file system";
  case EPIPE:
    return "Broken pipe";
  case ERANGE:
    return "Out of range";
  case ENAMETOOLONG:
    return "File name too long";
  case ENOSYS:
    return "Not supported by this kernel";
  case ENOTEMPTY:
    return "Directory not empty";
  case ELOOP:
    return "Too many levels of symbolic links";
  case EOVERFLOW:
    return "Value too large";
  case EOPNOTSUPP:
    return "Operation not supported";
  case ECONNREFUSED:
    return "Connection refused";
  case ETIMEDOUT:
    return "Timed out";
  case ESTALE:
    return "Stale file handle";
  case EDQUOT:
    return "Disk quota exceeded";
  case EBADMSG:
    return "Contents do not match their checksum";
  default:
    return "Unexpected error";
  }
}
