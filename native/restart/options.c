#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "copies.h"
#include "core/text.h"
#include "format/image.h"
#include "say.h"

#define VERSION "0.1.0"

static const char help[] =
    "usage: restart [OPTION]... IMAGE\n"
    "\n"
    "Brings a saved program back and stays as its parent: passes signals on to it and exits with its "
    "status.\n"
    "IMAGE is an image directory (000002.ckpt), a job directory (its newest whole image) or one core file.\n"
    "\n"
    "  --name=N          further images go to the job directory N, beside the one IMAGE is in\n"
    "  --pid=MODE        auto (default): the same process id, in a pid namespace where it must be;\n"
    "                    same: the same or an error; namespace: always in a pid namespace;\n"
    "                    new: any id, which programs that remember theirs may not survive\n"
    "  --files=MODE      files that have grown since: rewind (default) cuts them back and keeps what is cut\n"
    "                    off beside the image, and what differs from what the image carries is as it was "
    "again;\n"
    "                    keep leaves them; strict refuses\n"
    "  --clocks=MODE     those that count from the boot: continue (default) lets them go on from the "
    "checkpoint,\n"
    "                    where that is allowed; machine gives the program the machine's\n"
    "  --tcp=MODE        connections to other processes: reset (default) lets the program find them so; "
    "refuse\n"
    "                    starts nothing when there are any; repair brings those back that were saved with "
    "it,\n"
    "                    with the privilege CAP_NET_ADMIN\n"
    "  --map=OLD=NEW     what was at the path OLD, and below it, is now at NEW; several: the longest OLD "
    "counts\n"
    "  --chdir=DIR       its working directory\n"
    "  --fd=N=PATH       its descriptor N leads to PATH, opened as a shell would: < what it read, > what it\n"
    "                    wrote, >> what it appended to, <> what it did both with; N=inherit: to restart's "
    "own N\n"
    "  --pty             makes a terminal for a program that had one, and relays between it and restart's "
    "own\n"
    "                    input and output\n"
    "  --no-tty          the program has no terminal from now on: what led to one is /dev/null, or hung up\n"
    "  --detach          returns once the program runs, and says its process id; what the program prints, "
    "and\n"
    "                    would have printed to a terminal, goes to the file output beside its images\n"
    "  --stopped         all of its processes stop before their first own instruction, for a debugger, "
    "until\n"
    "                    restart or the first of them gets SIGCONT\n"
    "  --clone=N         N copies side by side, each in a pid namespace of its own; their further images go "
    "to "
    "the\n"
    "                    jobs NAME-1 to NAME-N; all start or none, and the first status that is not 0 is "
    "restart's\n"
    "  --launch=DIR      no image: starts PROGRAM [ARGUMENT]... (a path, after --) as a job in DIR, and "
    "stays\n"
    "                    behind it in the background, as --detach does\n"
    "  --check           checks the whole image, contents included, and starts nothing\n"
    "  --any-owner       accepts an image that belongs to another user: it can do anything you can\n"
    "  --ignore-cpu      starts although this CPU lacks features of the one that the image is from\n"
    "  --copy=ROLE       with --control: one of several copies that are started each by itself, the first "
    "or\n"
    "                    a further one: says when it is ready, and runs when it is told to\n"
    "  --control=COOKIE  reports to the control socket of this cookie (16 hexadecimal digits)\n"
    "  --quiet           no warnings\n"
    "  --help, --version\n";

enum {
  NAME = 256,
  PIDS,
  FILES,
  CLOCKS,
  TCP,
  MAP,
  CHDIR,
  FD,
  DETACH,
  PTY,
  NO_TTY,
  STOPPED,
  CLONE,
  COPY,
  LAUNCH,
  CHECK,
  ANY_OWNER,
  IGNORE_CPU,
  CONTROL,
  QUIET,
  HELP,
  VERSION_OPTION
};

static const struct option long_options[] = {
    {"name", required_argument, 0, NAME},
    {"pid", required_argument, 0, PIDS},
    {"files", required_argument, 0, FILES},
    {"clocks", required_argument, 0, CLOCKS},
    {"tcp", required_argument, 0, TCP},
    {"map", required_argument, 0, MAP},
    {"chdir", required_argument, 0, CHDIR},
    {"fd", required_argument, 0, FD},
    {"detach", no_argument, 0, DETACH},
    {"pty", no_argument, 0, PTY},
    {"no-tty", no_argument, 0, NO_TTY},
    {"stopped", no_argument, 0, STOPPED},
    {"clone", required_argument, 0, CLONE},
    {"copy", required_argument, 0, COPY},
    {"launch", required_argument, 0, LAUNCH},
    {"check", no_argument, 0, CHECK},
    {"any-owner", no_argument, 0, ANY_OWNER},
    {"ignore-cpu", no_argument, 0, IGNORE_CPU},
    {"control", required_argument, 0, CONTROL},
    {"quiet", no_argument, 0, QUIET},
    {"help", no_argument, 0, HELP},
    {"version", no_argument, 0, VERSION_OPTION},
    {0},
};

static int usage(const char *what, const char *which, const char *fix) {
  fprintf(stderr, "restart: %s%s: %s\n", what, which, fix);
  return 2;
}

/* The index of `word` in a list that ends with null, or -1. */
static int choose(const char *word, const char *const words[]) {
  for (int i = 0; words[i]; i++)
    if (strcmp(word, words[i]) == 0)
      return i;
  return -1;
}

static bool parse_cookie(const char *word, uint64_t *cookie) {
  uint64_t value = 0;
  if (strlen(word) != 16)
    return false;
  for (; *word; word++) {
    const char *digits = "0123456789abcdef", *digit = strchr(digits, *word);
    if (!digit)
      return false;
    value = value << 4 | (uint64_t)(digit - digits);
  }
  *cookie = value;
  return true;
}

static int take(int option, const char *value, struct options *options) {
  static const char *const pid_words[] = {"auto", "same", "namespace", "new", NULL};
  static const char *const files_words[] = {"rewind", "keep", "strict", NULL};
  static const char *const clocks_words[] = {"continue", "machine", NULL};
  static const char *const tcp_words[] = {"reset", "refuse", "repair", NULL};
  static const char *const copy_words[] = {"first", "further", NULL};
  const char *why;
  uint64_t number;
  int chosen;
  switch (option) {
  case NAME:
    options->name = value;
    if (!*value || *value == '.' || strchr(value, '/') || strlen(value) > 200)
      return usage("not a job name: ", value, "use one without a slash that does not begin with a dot");
    return -1;
  case PIDS:
    if ((chosen = choose(value, pid_words)) < 0)
      return usage("no such --pid: ", value, "use auto, same, namespace or new");
    options->pids = (enum pid_mode)chosen;
    return -1;
  case FILES:
    if ((chosen = choose(value, files_words)) < 0)
      return usage("no such --files: ", value, "use rewind, keep or strict");
    options->files = (enum files_mode)chosen;
    return -1;
  case CLOCKS:
    if ((chosen = choose(value, clocks_words)) < 0)
      return usage("no such --clocks: ", value, "use continue or machine");
    options->clocks = (enum clocks_mode)chosen;
    return -1;
  case TCP:
    if ((chosen = choose(value, tcp_words)) < 0)
      return usage("no such --tcp: ", value, "use reset, refuse or repair");
    options->tcp = (enum tcp_mode)chosen;
    return -1;
  case MAP:
    why = moves_add(&options->moves, value);
    return why ? usage("--map ", value, why) : -1;
  case CHDIR:
    options->moves.cwd = value;
    return *value ? -1 : usage("--chdir takes a directory", "", "name one");
  case FD:
    why = redirects_add(&options->redirects, value);
    return why ? usage("--fd ", value, why) : -1;
  case CONTROL:
    options->has_control = true;
    if (!parse_cookie(value, &options->control))
      return usage("not a cookie: ", value, "--control takes 16 hexadecimal digits");
    return -1;
  case PTY:
    options->pty = true;
    return -1;
  case NO_TTY:
    options->no_tty = true;
    return -1;
  case DETACH:
    options->detach = true;
    return -1;
  case STOPPED:
    options->stopped = true;
    return -1;
  case CLONE:
    if (!text_is_decimal(value, &number) || number < 1 || number > COPIES_MOST)
      return usage("not a number of copies: ", value, "--clone takes one from 1 to 1000");
    options->clone = (uint32_t)number;
    return -1;
  case COPY:
    if ((chosen = choose(value, copy_words)) < 0)
      return usage("no such --copy: ", value, "use first or further");
    options->copy = chosen ? COPY_FURTHER : COPY_FIRST;
    return -1;
  case LAUNCH:
    options->launch = value;
    options->detach = true;
    return -1;
  case CHECK:
    options->check = true;
    return -1;
  case ANY_OWNER:
    options->any_owner = true;
    return -1;
  case IGNORE_CPU:
    options->ignore_cpu = true;
    return -1;
  case QUIET:
    say_quietly();
    return -1;
  case HELP:
    return fputs(help, stdout) < 0 || fflush(stdout);
  case VERSION_OPTION:
    return printf("restart %s, image format %d\n", VERSION, CKPT_FORMAT_VERSION) < 0 || fflush(stdout);
  default:
    fprintf(stderr, "restart: see restart --help\n"); /* getopt has named the option */
    return 2;
  }
}

/* Copies have no terminal that is theirs alone, and nobody but restart to look after all of them. */
static int clone_goes_with(struct options *options) {
  const char *other = options->detach             ? "--detach"
                      : options->pty              ? "--pty"
                      : options->stopped          ? "--stopped"
                      : options->check            ? "--check"
                      : options->has_control      ? "--control"
                      : options->pids == PID_SAME ? "--pid=same"
                      : options->pids == PID_NEW  ? "--pid=new"
                                                  : NULL;
  if (other)
    return usage("--clone does not go with ", other, "choose one of them");
  options->pids = PID_NAMESPACE;
  return -1;
}

static int copy_goes_with(struct options *options) {
  const char *other = options->clone              ? "--clone"
                      : options->check            ? "--check"
                      : options->pids == PID_SAME ? "--pid=same"
                      : options->pids == PID_NEW  ? "--pid=new"
                                                  : NULL;
  if (other)
    return usage("--copy does not go with ", other, "choose one of them");
  if (!options->has_control)
    return usage("--copy takes --control", "", "--clone starts copies without");
  options->pids = PID_NAMESPACE;
  return -1;
}

int options_parse(int argc, char **argv, struct options *options) {
  static char name[] = "restart";
  *options = (struct options){0};
  argv[0] = name; /* getopt's messages begin with it */
  for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) >= 0;) {
    int status = take(option, optarg, options);
    if (status >= 0)
      return status;
  }
  if (optind >= argc)
    return options->launch
               ? usage("no program given", "", "name its path after --")
               : usage("no image given", "", "name an image or a job directory, such as ckpt/count-4711");
  if (options->launch) {
    options->program = argv + optind;
    return -1;
  }
  if (optind + 1 < argc)
    return usage("more than one image: ", argv[optind + 1], "name one, after the options");
  if (options->pty && (options->no_tty || options->detach))
    return usage("--pty does not go with ", options->no_tty ? "--no-tty" : "--detach", "choose one of them");
  options->image = argv[optind];
  if (options->copy)
    return copy_goes_with(options);
  return options->clone ? clone_goes_with(options) : -1;
}
