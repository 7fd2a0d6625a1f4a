/* Text without a libc: building it, and reading numbers out of it. */
#ifndef CKPT_TEXT_H
#define CKPT_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that is always terminated and cuts what does not fit (`cut` says so). */
struct text {
  char *data;
  size_t size;
  size_t length;
  bool cut;
};

struct text text_in(char *buffer, size_t size);
void text_add(struct text *text, const char *words);
void text_add_unsigned(struct text *text, uint64_t value);
void text_add_signed(struct text *text, int64_t value);
/* At least `digits` digits. */
void text_add_hex(struct text *text, uint64_t value, unsigned digits);
void text_add_padded(struct text *text, uint64_t value, unsigned digits);
/* Adds every %s, %d (int64_t), %u (uint64_t) and %x (uint64_t) of `format`: what an error message needs. */
void text_format(struct text *text, const char *format, ...);
void text_format_list(struct text *text, const char *format, va_list list);

bool text_equal(const char *a, const char *b);
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
/* The part after the last slash. */
const char *text_base(const char *path);
/* Copies with its end, cutting to size. */
void text_copy(char *to, size_t size, const char *from);

/* Parse a number and move past it; no digit: 0 and nothing moves. */
uint64_t text_take_decimal(const char **s);
uint64_t text_take_hex(const char **s);
uint64_t text_take_octal(const char **s);
/* A number of that many digits (8 at the most), some of which may be capitals, as in the tables of /proc/net.
 */
uint32_t text_take_hex_digits(const char **s, int count);
/* A whole string that is a decimal number, and nothing else. */
bool text_is_decimal(const char *s, uint64_t *value);
void text_skip_spaces(const char **s);

/* The name of an errno, such as "No space left on device"; takes it with either sign. */
const char *text_errno(long error);

#endif
