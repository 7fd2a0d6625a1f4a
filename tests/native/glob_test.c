/* Patterns of paths. */
#include "core/glob.h"

#include "unit.h"

static void matches(void) {
  static const struct {
    const char *patterns, *path;
    bool match;
  } cases[] = {
      {"", "/a", false},
      {":", "/a", false},
      {"*", "/a/b", true},
      {"*", "", true},
      {"b", "/a/b", true},
      {"a", "/a/b", false},
      {"*.log", "/var/log/x.log", true},
      {"*.log", "/var/x.log/data", false},
      {"/var/*", "/var/log/x.log", true},
      {"/var/*", "/srv/var/x", false},
      {"/*/x.log", "/var/log/x.log", true},
      {"x?log", "/x.log", true},
      {"?", "/ab", false},
      {"*a*a*b", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
      {"a*b*", "/axxbxxb", true},
      {"*.db:*.log", "/x.log", true},
      {"*.db::x.log", "/x.log", true},
      {"*.db:*.txt", "/x.log", false},
      {"**", "/x", true},
      {"x", "/xx", false},
      {"xx", "/x", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    EXPECT(glob_any(cases[i].patterns, cases[i].path) == cases[i].match);
}

int main(void) {
  unit_run("glob_any matches whole paths, or last parts", matches);
  return unit_status();
}
