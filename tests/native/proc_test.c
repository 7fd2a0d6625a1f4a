/* Tests of native/core/proc.h. */
#include "core/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sys.h"
#include "unit.h"

static void parses_a_mapping(void) {
  char line[] = "7f5c1a228000-7f5c1a24e000 r-xp 00026000 fe:01 1835265    /usr/lib/my lib\\012x.so (deleted)";
  struct proc_map map;
  EXPECT(proc_parse_map(line, &map));
  EXPECT(map.start == 0x7f5c1a228000 && map.end == 0x7f5c1a24e000 && map.offset == 0x26000);
  EXPECT(map.prot == (PROT_READ | PROT_EXEC) && !map.shared);
  EXPECT(map.major == 0xfe && map.minor == 1 && map.ino == 1835265);
  EXPECT_TEXT(map.name, "/usr/lib/my lib\nx.so (deleted)");
}

static void parses_a_mapping_without_a_name(void) {
  char line[] = "7ffff000-80000000 ---s 00000000 00:00 0 ";
  struct proc_map map;
  EXPECT(proc_parse_map(line, &map));
  EXPECT(map.prot == 0 && map.shared && map.ino == 0);
  EXPECT_TEXT(map.name, "");
}

static void tells_properties_from_mappings(void) {
  char size[] = "Size:                  4 kB", flags[] = "VmFlags: rd mr mw me dw sd";
  struct proc_map map;
  EXPECT(!proc_parse_map(size, &map) && !proc_parse_map(flags, &map));
  EXPECT(proc_has_flag(flags + 8, "rd") && proc_has_flag(flags + 8, "sd") && proc_has_flag(flags + 8, "me"));
  EXPECT(!proc_has_flag(flags + 8, "ex") && !proc_has_flag("", "rd"));
}

static void finds_fields(void) {
  const char *text = "Name:\tPid: 7\nUmask:\t0022\nPid:\t4711\nUid:\t1\t2\t3\t4\nSigCgt:\t00000000000000ff\n";
  uint64_t value = 0, values[4] = {0};
  EXPECT(proc_field(text, "Pid", 10, &value) && value == 4711);
  EXPECT(proc_field(text, "Umask", 8, &value) && value == 022);
  EXPECT(proc_field(text, "SigCgt", 16, &value) && value == 255);
  EXPECT(!proc_field(text, "Sig", 16, &value) && !proc_field("", "Pid", 10, &value));
  EXPECT(proc_fields(text, "Uid", values, 4) == 4 && values[0] == 1 && values[3] == 4);
  EXPECT(proc_fields(text, "Uid", values, 2) == 2 && proc_fields(text, "Gid", values, 4) == 0);
}

static void reads_stat(void) {
  const char *stat = "4711 (a ) name (x) S 1 4711 4700 0 -1 4194560 107";
  EXPECT(proc_stat_field(stat, 4) == 1 && proc_stat_field(stat, 6) == 4700);
  EXPECT(proc_stat_field(stat, 8) == 1 && proc_stat_field(stat, 10) == 107);
  EXPECT(proc_stat_field(stat, 40) == 0);
}

static void reads_lines(void) {
  char path[] = "/tmp/proc-test-XXXXXX", buffer[16];
  int fd = mkstemp(path);
  EXPECT(fd >= 0 && write(fd, "one\n\nthree and\nmore\n", 20) == 20 && close(fd) == 0);
  struct proc_lines lines;
  EXPECT(proc_lines_open(&lines, path, buffer, sizeof buffer) == 0);
  static const char *const wanted[] = {"one", "", "three and", "more"};
  for (int i = 0; i < 4; i++) {
    const char *line = proc_lines_next(&lines);
    EXPECT_TEXT(line ? line : "(none)", wanted[i]);
  }
  EXPECT(proc_lines_next(&lines) == NULL && lines.error == 0);
  proc_lines_close(&lines);
  EXPECT(proc_lines_open(&lines, path, buffer, 8) == 0);
  EXPECT(proc_lines_next(&lines) && proc_lines_next(&lines));
  EXPECT(proc_lines_next(&lines) == NULL && lines.error == -E2BIG);
  proc_lines_close(&lines);
  EXPECT(unlink(path) == 0);
  EXPECT(proc_lines_open(&lines, path, buffer, sizeof buffer) == -ENOENT);
}

static void reads_small_files(void) {
  char buffer[8];
  EXPECT(sys_read_file("/proc/self/comm", buffer, sizeof buffer) > 0 && buffer[7] == 0);
  EXPECT(sys_read_file("/no/such/file", buffer, sizeof buffer) == -ENOENT);
  EXPECT(sys_read_file("/proc/self/status", buffer, sizeof buffer) == 7 && strlen(buffer) == 7);
}

static void reads_and_writes_whole(void) {
  char path[] = "/tmp/sys-test-XXXXXX", in[100], out[100];
  memset(in, 'x', sizeof in);
  int fd = mkstemp(path);
  EXPECT(fd >= 0 && unlink(path) == 0);
  EXPECT(sys_write_full(fd, in, sizeof in) == 0 && sys_pwrite_full(fd, "yz", 2, 50) == 0);
  EXPECT(sys_pread_full(fd, out, sizeof out, 40) == 60 && out[10] == 'y' && out[9] == 'x');
  EXPECT(lseek(fd, 0, SEEK_SET) == 0 && sys_read_full(fd, out, sizeof out) == sizeof out);
  EXPECT(sys_read_full(fd, out, sizeof out) == 0);
  EXPECT(close(fd) == 0 && sys_read_full(fd, out, 1) == -EBADF && sys_write_full(fd, in, 1) == -EBADF);
  int full = (int)sys(SYS_(openat), -100, "/dev/full", 1, 0);
  EXPECT(full >= 0 && sys_write_full(full, in, 5) == -ENOSPC && close(full) == 0);
}

static void looks_at_processes(void) {
  char name[32], status[256];
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  siginfo_t info;
  EXPECT(child > 0 && waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
  EXPECT(proc_state(getpid()) == 'R' && proc_lives(getpid()));
  EXPECT(proc_state(child) == 'Z' && !proc_lives(child));
  EXPECT(waitpid(child, NULL, 0) == child);
  EXPECT(proc_state(INT32_MAX) == 0 && !proc_lives(INT32_MAX));
  EXPECT(proc_read(getpid(), "status", status, sizeof status) == sizeof status - 1);
  EXPECT(proc_read(INT32_MAX, "status", status, sizeof status) == -ENOENT);
  proc_name(getpid(), name);
  EXPECT(strcmp(name, "proc_test") == 0);
  proc_name(INT32_MAX, name);
  EXPECT(strcmp(name, "?") == 0);
}

int main(void) {
  unit_run("proc parses a mapping", parses_a_mapping);
  unit_run("proc parses a mapping without a name", parses_a_mapping_without_a_name);
  unit_run("proc tells properties from mappings", tells_properties_from_mappings);
  unit_run("proc finds fields", finds_fields);
  unit_run("proc reads stat", reads_stat);
  unit_run("proc reads lines", reads_lines);
  unit_run("proc looks at processes", looks_at_processes);
  unit_run("sys reads small files", reads_small_files);
  unit_run("sys reads and writes whole", reads_and_writes_whole);
  return unit_status();
}
