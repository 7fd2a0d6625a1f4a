#include "glob.h"

#include <string.h>

#include "text.h"

/* The latest star takes one character more whenever what follows it does not fit: an earlier one need not. */
static bool matches(const char *pattern, const char *end, const char *text) {
  const char *star = NULL, *resume = text;
  while (*text || pattern < end) {
    if (pattern < end && *pattern == '*') {
      star = pattern++;
      resume = text;
    } else if (pattern < end && *text && (*pattern == '?' || *pattern == *text)) {
      pattern++;
      text++;
    } else if (star && *resume) {
      pattern = star + 1;
      text = ++resume;
    } else {
      return false;
    }
  }
  return true;
}

bool glob_any(const char *patterns, const char *path) {
  for (const char *at = patterns;;) {
    const char *end = at;
    bool slash = false;
    for (; *end && *end != ':'; end++)
      slash |= *end == '/';
    if (end > at && matches(at, end, slash ? path : text_base(path)))
      return true;
    if (!*end)
      return false;
    at = end + 1;
  }
}
