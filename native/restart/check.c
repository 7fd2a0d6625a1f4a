#include "check.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "namespace.h"
#include "running.h"
#include "say.h"

/* ---- Owner and rights --------------------------------------------------------------------------------- */

void check_owner(const struct image *image, const struct place *place, const struct options *options) {
  uid_t owner = image->st.st_uid;
  const uint32_t *uid = image->process.uid;
  if (owner != geteuid() && !options->any_owner) {
    say_problem(
        "%s/%d.core belongs to user %u, not to you: whoever wrote it decides what it does; --any-owner "
        "trusts them",
        place->image, image->process.pid, owner);
    return;
  }
  for (int i = 0; i < 4; i++)
    if (owner != 0 && uid[i] != owner) {
      say_problem("%s/%d.core belongs to user %u and claims to be a process of user %u: refused",
                  place->image, image->process.pid, owner, uid[i]);
      return;
    }
}

static bool all_equal(const uint32_t ids[4], uint32_t id) {
  return ids[0] == id && ids[1] == id && ids[2] == id && ids[3] == id;
}

void check_rights(const struct image *image) {
  const struct ckpt_process *p = &image->process;
  if (!all_equal(p->uid, geteuid()) && !has_capability(CAP_SETUID))
    say_problem("the program ran as user %u: restart it as that user or as root", p->uid[1]);
  if (!all_equal(p->gid, getegid()) && !has_capability(CAP_SETGID))
    say_problem("the program ran with group %u: restart it with that group (sg, newgrp) or as root",
                p->gid[1]);
}

/* ---- CPU ---------------------------------------------------------------------------------------------- */

/* Bits that change which instructions a program may use. Others differ between machines that are alike. */
static const uint32_t visible[8] = {0x7ed83203u, 0x07808111u, 0xfdaf0b39u, 0x1a405f6au,
                                    0x03c0411cu, 0x00210961u, 0x28000000u, 0x7u};

static const struct {
  uint8_t word, bit;
  const char *name;
} features[] = {
    {0, 0, "sse3"},    {0, 9, "ssse3"},       {0, 12, "fma"},      {0, 19, "sse4.1"},   {0, 20, "sse4.2"},
    {0, 22, "movbe"},  {0, 23, "popcnt"},     {0, 25, "aes"},      {0, 28, "avx"},      {0, 29, "f16c"},
    {0, 30, "rdrand"}, {2, 0, "fsgsbase"},    {2, 3, "bmi1"},      {2, 5, "avx2"},      {2, 8, "bmi2"},
    {2, 11, "rtm"},    {2, 16, "avx512f"},    {2, 17, "avx512dq"}, {2, 18, "rdseed"},   {2, 19, "adx"},
    {2, 29, "sha"},    {2, 30, "avx512bw"},   {2, 31, "avx512vl"}, {3, 3, "pku"},       {3, 8, "gfni"},
    {3, 9, "vaes"},    {3, 11, "avx512vnni"}, {4, 4, "fsrm"},      {4, 22, "amx-bf16"}, {4, 24, "amx-tile"},
    {5, 5, "lzcnt"},   {5, 16, "fma4"},       {6, 27, "rdtscp"},   {7, 1, "xsavec"},
};

static void read_cpuid(uint32_t words[8]) {
  unsigned a, b, c, d;
  memset(words, 0, 8 * sizeof *words);
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    words[0] = c;
    words[1] = d;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    words[2] = b;
    words[3] = c;
    words[4] = d;
  }
  if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) {
    words[5] = c;
    words[6] = d;
  }
  if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
    words[7] = a;
}

static uint64_t read_xcr0(uint32_t cpuid_1_ecx) {
  uint32_t low, high;
  if (!(cpuid_1_ecx & bit_OSXSAVE))
    return 3; /* x87 and SSE, which every x86-64 has */
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | (uint64_t)high << 32;
}

static const char *feature_name(int word, int bit) {
  for (size_t i = 0; i < sizeof features / sizeof *features; i++)
    if (features[i].word == word && features[i].bit == bit)
      return features[i].name;
  return NULL;
}

static void add_missing(char *list, size_t size, int word, uint32_t missing) {
  for (int bit = 0; bit < 32; bit++) {
    size_t used = strlen(list);
    if (!(missing >> bit & 1))
      continue;
    const char *name = feature_name(word, bit);
    if (name)
      snprintf(list + used, size - used, " %s", name);
    else
      snprintf(list + used, size - used, " cpuid[%d].%d", word, bit);
  }
}

void check_machine(const struct image *image, const struct options *options) {
  uint32_t words[8];
  char missing[1024] = "";
  if (image->info.page_size != CKPT_PAGE || sysconf(_SC_PAGESIZE) != CKPT_PAGE)
    say_problem("the image has pages of %u bytes, this machine of %ld", image->info.page_size,
                sysconf(_SC_PAGESIZE));
  if (options->ignore_cpu)
    return;
  read_cpuid(words);
  for (int i = 0; i < 8; i++)
    add_missing(missing, sizeof missing, i, image->info.cpuid[i] & visible[i] & ~words[i]);
  uint64_t states = image->info.xcr0 & ~read_xcr0(words[0]);
  if (states)
    snprintf(missing + strlen(missing), sizeof missing - strlen(missing), " xcr0:%llx",
             (unsigned long long)states);
  if (missing[0])
    say_problem("this CPU lacks features of the one that the image is from, which the program may use:%s; "
                "--ignore-cpu starts it all the same",
                missing);
}

/* ---- Surroundings ------------------------------------------------------------------------------------- */

static void check_terminal(const struct image *image) {
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    if (image->descriptions[i].kind != CKPT_DESC_TERMINAL)
      continue;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
      close(fd);
    else if (!isatty(0) && !isatty(1) && !isatty(2))
      say_problem(
          "the program had the terminal %s open, and there is none here: --pty makes one for it, with "
          "--no-tty it finds that it has hung up",
          image_string(image, image->descriptions[i].name));
    return;
  }
}

void check_surroundings(const struct image *image, const struct options *options) {
  char root[PATH_MAX];
  const char *wanted = image_string(image, image->process.root);
  const char *cwd = image_string(image, image->process.cwd);
  struct stat st;
  ssize_t n = readlink("/proc/self/root", root, sizeof root - 1);
  root[n < 0 ? 0 : n] = 0;
  if (strcmp(wanted, "/") != 0 && strcmp(wanted, root) != 0)
    say_problem("the program's root directory was %s: restart it from inside (chroot %s)", wanted, wanted);
  else if (image->process.cwd_file)
    return;
  else if (stat(cwd, &st) < 0)
    say_problem("its working directory %s: %s", cwd, strerror(errno));
  else if (!S_ISDIR(st.st_mode))
    say_problem("its working directory %s is no directory any more", cwd);
  if (!options->pty && !options->no_tty)
    check_terminal(image);
}

void check_alive(const struct image *image, const struct place *place, const struct options *options) {
  struct running now;
  uint8_t boot[16];
  if (options->pids == PID_NAMESPACE || options->pids == PID_NEW)
    return;
  if (running_boot_id(boot) == 0 && memcmp(boot, image->info.boot_id, sizeof boot) == 0 &&
      running_lives(image->process.pid, image->process.starttime)) {
    say_problem("process %d of this image still runs: stop it first, or --pid=namespace for a copy",
                image->process.pid);
    return;
  }
  if (running_read(place->job, &now) == 0)
    say_problem(
        "process %d still runs, restarted from this job: stop it first, or --pid=namespace for a copy",
        now.pid);
}

static bool is_ended_child(const struct image *image, pid_t pid) {
  for (uint32_t i = 0; i < image->children_count; i++)
    if (image->children[i].pid == pid)
      return true;
  return false;
}

void check_watches(const struct job *job, const struct image *image) {
  for (uint32_t i = 0; i < image->watches_count; i++) {
    const struct ckpt_watch *watch = &image->watches[i];
    const struct child *other = watch->pid ? job_find(job, watch->pid) : NULL;
    if (watch->pid && !(other && image_find_descriptor(other->image, (int32_t)watch->target - 1)))
      say_problem(
          "process %d has an epoll set that watches descriptor %d of process %d, which the image lacks",
          image->process.pid, (int)watch->target - 1, watch->pid);
  }
}

void check_pidfds(const struct job *job, const struct image *image, const struct options *options) {
  for (uint32_t i = 0; i < image->descriptions_count; i++) {
    const struct ckpt_description *d = &image->descriptions[i];
    pid_t pid = (pid_t)d->b;
    if (d->kind != CKPT_DESC_PIDFD || pid == 0)
      continue;
    if (!job_find(job, pid) && !is_ended_child(image, pid))
      say_problem("process %d has a pidfd of process %d, which the image lacks", image->process.pid, pid);
    else if (options->pids == PID_NEW)
      say_problem("process %d has a pidfd of process %d, which would have another id with --pid=new",
                  image->process.pid, pid);
  }
}
