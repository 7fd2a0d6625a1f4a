/* Tests of native/core/text.h. */
#include "core/text.h"

#include <errno.h>

#include "unit.h"

static void adds_numbers(void) {
  char buffer[128];
  struct text text = text_in(buffer, sizeof buffer);
  text_add_unsigned(&text, 0);
  text_add(&text, " ");
  text_add_unsigned(&text, UINT64_MAX);
  text_add(&text, " ");
  text_add_signed(&text, INT64_MIN);
  text_add(&text, " ");
  text_add_hex(&text, 0xbeef, 8);
  text_add(&text, " ");
  text_add_padded(&text, 42, 6);
  EXPECT_TEXT(buffer, "0 18446744073709551615 -9223372036854775808 0000beef 000042");
  EXPECT(!text.cut && text.length == strlen(buffer));
}

static void cuts_what_does_not_fit(void) {
  char buffer[6];
  struct text text = text_in(buffer, sizeof buffer);
  text_add(&text, "abc");
  EXPECT(!text.cut);
  text_add(&text, "defgh");
  EXPECT_TEXT(buffer, "abcde");
  EXPECT(text.cut && text.length == 5);
  text_add(&text, "more");
  EXPECT_TEXT(buffer, "abcde");
}

static void formats(void) {
  char buffer[128];
  struct text text = text_in(buffer, sizeof buffer);
  text_format(&text, "%s is %d of %u at %x, 100%%", "this", (int64_t)-3, (uint64_t)7, (uint64_t)255);
  EXPECT_TEXT(buffer, "this is -3 of 7 at ff, 100%");
}

static void compares(void) {
  EXPECT(text_equal("", "") && text_equal("ab", "ab"));
  EXPECT(!text_equal("ab", "abc") && !text_equal("abc", "ab"));
  EXPECT(text_starts("abc", "") && text_starts("abc", "abc") && !text_starts("ab", "abc"));
  EXPECT(text_ends("a.core", ".core") && !text_ends("core", ".core") && text_ends("x", ""));
  EXPECT_TEXT(text_base("/usr/bin/env"), "env");
  EXPECT_TEXT(text_base("env"), "env");
}

static void takes_numbers(void) {
  const char *at = "123x";
  EXPECT(text_take_decimal(&at) == 123 && *at == 'x');
  EXPECT(text_take_decimal(&at) == 0 && *at == 'x');
  at = "7ffFG";
  EXPECT(text_take_hex(&at) == 0x7ff && *at == 'F');
  at = "0a00007F:1";
  EXPECT(text_take_hex_digits(&at, 8) == 0xa00007f && *at == ':');
  EXPECT(text_take_hex_digits(&at, 4) == 0 && *at == 0);
  at = "0778";
  EXPECT(text_take_octal(&at) == 077 && *at == '8');
  uint64_t value = 5;
  EXPECT(text_is_decimal("4711", &value) && value == 4711);
  EXPECT(!text_is_decimal("", &value) && !text_is_decimal("12a", &value) && !text_is_decimal("-1", &value));
  EXPECT(!text_is_decimal("99999999999999999999", &value) && value == 4711);
}

static void names_errors(void) {
  EXPECT_TEXT(text_errno(-ENOSPC), "No space left on device");
  EXPECT_TEXT(text_errno(EACCES), strerror(EACCES));
  EXPECT(strlen(text_errno(-12345)) > 0);
}

static void copies(void) {
  char buffer[4];
  text_copy(buffer, sizeof buffer, "abcdef");
  EXPECT_TEXT(buffer, "abc");
}

int main(void) {
  unit_run("text adds numbers", adds_numbers);
  unit_run("text cuts what does not fit", cuts_what_does_not_fit);
  unit_run("text formats", formats);
  unit_run("text compares", compares);
  unit_run("text takes numbers", takes_numbers);
  unit_run("text names errors", names_errors);
  unit_run("text copies", copies);
  return unit_status();
}
