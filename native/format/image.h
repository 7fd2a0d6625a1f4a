/* The image: what libckpt.so writes, restart reads and src/ decodes.
 *
 * One process is one ELF64 ET_CORE file:
 *
 *   0            Elf64_Ehdr, then struct ckpt_prologue at CKPT_PROLOGUE_OFFSET; zeros up to data_offset
 *   data_offset  memory, packed: only pages that hold something, in address order
 *   notes_offset one PT_NOTE: standard core notes, then notes named "CKPT"
 *   phdrs_offset program headers; then one section header when there are PN_XNUM or more of them
 *   file_size
 *
 * A PT_LOAD is a run of pages: p_filesz bytes from this file; the rest of p_memsz reads as zeros in anonymous
 * memory, and as the mapped file's own contents in a region over a file. Pages in no PT_LOAD are in the core
 * of the parent, or of its parent: the inherited note says which. Every byte of the file is covered: page 0
 * by prologue_crc (the padding must be zero), memory by the checksums note, notes and program headers by
 * notes_crc and phdrs_crc. The checksum is ckpt_checksum() of core/checksum.h.
 *
 * All numbers are little-endian. A note is either one struct, or a struct ckpt_array header followed by
 * entries of entry_size bytes. A reader takes the bytes it knows of a longer struct and reads missing ones
 * as zero, so fields are only ever added at the end. CKPT_FORMAT_VERSION grows when an old reader would
 * misunderstand a new image; a new note type or a new field at the end does not need that.
 */
#ifndef CKPT_FORMAT_IMAGE_H
#define CKPT_FORMAT_IMAGE_H

#include <stdint.h>

#define CKPT_FORMAT_VERSION 1
#define CKPT_MAGIC "CKPTIMG"
#define CKPT_PROLOGUE_OFFSET 64
#define CKPT_PAGE 4096u
#define CKPT_CHUNK (1u << 20) /* bytes of memory under one checksum */
#define CKPT_NOTE_NAME "CKPT"

struct ckpt_prologue {
  char magic[8];
  uint32_t version;
  uint32_t size; /* of this struct */
  uint64_t file_size;
  uint64_t data_offset;
  uint64_t data_size;
  uint64_t notes_offset;
  uint64_t notes_size;
  uint64_t phdrs_offset;
  uint64_t phdrs_size; /* with the section header, if there is one */
  uint32_t chunk_size;
  uint32_t notes_crc;
  uint32_t phdrs_crc;
  uint32_t prologue_crc; /* Ehdr and prologue, this field as zero */
};

/* Notes named "CKPT". Arrays are marked []. The numbers stay clear of the standard ones: gdb looks at the
 * type of a note before its name. */
enum ckpt_note_type {
  CKPT_NOTE_IMAGE = 0x434b0001,        /* struct ckpt_image */
  CKPT_NOTE_PROCESS = 0x434b0002,      /* struct ckpt_process */
  CKPT_NOTE_THREADS = 0x434b0003,      /* struct ckpt_thread [], the main thread first */
  CKPT_NOTE_REGIONS = 0x434b0004,      /* struct ckpt_region [], by address */
  CKPT_NOTE_FILES = 0x434b0005,        /* struct ckpt_file [] */
  CKPT_NOTE_DESCRIPTIONS = 0x434b0006, /* struct ckpt_description [] */
  CKPT_NOTE_DESCRIPTORS = 0x434b0007,  /* struct ckpt_descriptor [], by number */
  CKPT_NOTE_SIGACTIONS = 0x434b0008,   /* struct ckpt_sigaction [], only those that are not the default */
  CKPT_NOTE_SIGNALS = 0x434b0009,      /* struct ckpt_signal [], in the order in which to queue them again */
  CKPT_NOTE_RLIMITS = 0x434b000a,      /* struct ckpt_rlimit [] */
  CKPT_NOTE_ITIMERS = 0x434b000b,      /* struct ckpt_itimer [], only running ones */
  CKPT_NOTE_STRINGS = 0x434b000c,      /* bytes; offset 0 is the empty string, the last byte is zero */
  CKPT_NOTE_CHECKSUMS = 0x434b000d,    /* uint32_t [], one per chunk_size bytes from data_offset */
  CKPT_NOTE_GROUPS = 0x434b000e,       /* uint32_t [], supplementary groups */
  CKPT_NOTE_GUARDS = 0x434b000f,       /* struct ckpt_range [], MADV_GUARD_INSTALL pages */
  CKPT_NOTE_BLOB = 0x434b0010,         /* bytes: contents of pipes and sockets */
  CKPT_NOTE_LOCKS = 0x434b0011,        /* struct ckpt_lock [] */
  CKPT_NOTE_TIMERS = 0x434b0012,       /* struct ckpt_timer [], by id */
  CKPT_NOTE_WATCHES = 0x434b0013,      /* struct ckpt_watch [] */
  CKPT_NOTE_TIMERFDS = 0x434b0014,     /* struct ckpt_timerfd [] */
  CKPT_NOTE_SOCKETS = 0x434b0015,      /* struct ckpt_socket [] */
  CKPT_NOTE_OPTIONS = 0x434b0016,      /* struct ckpt_option [], by socket */
  CKPT_NOTE_CHILDREN = 0x434b001f,     /* struct ckpt_child [] */
  CKPT_NOTE_STOPS = 0x434b001e,        /* struct ckpt_stop [] */
  CKPT_NOTE_INOTIFY = 0x434b0017,      /* struct ckpt_inotify [] */
  CKPT_NOTE_TERMINALS = 0x434b0018,    /* struct ckpt_terminal [], in the order of the descriptors */
  CKPT_NOTE_INHERITED = 0x434b0019,    /* struct ckpt_range []: pages that are those of the parent's core */
  CKPT_NOTE_SETS = 0x434b0020,         /* struct ckpt_set [] */
  CKPT_NOTE_SEMAPHORES = 0x434b0021,   /* struct ckpt_semaphore [], by set */
  CKPT_NOTE_QUEUES = 0x434b0022,       /* struct ckpt_queue [] */
  CKPT_NOTE_PTYS = 0x434b001a,         /* struct ckpt_pty [] */
  CKPT_NOTE_TCP = 0x434b001c,          /* struct ckpt_tcp [] */
};

/* Pages of larger regions are never inherited: where a restart makes them there must be room for all. */
#define CKPT_INHERIT_MOST (1ull << 40)

/* An offset into the strings note. */
typedef uint32_t ckpt_string;

struct ckpt_array {
  uint32_t count;
  uint32_t entry_size;
};

struct ckpt_range {
  uint64_t start;
  uint64_t end;
};

enum ckpt_snapshot { CKPT_SNAPSHOT_STOP = 1 };

struct ckpt_image {
  uint8_t id[16];
  uint8_t parent[16]; /* all zero: a full image */
  uint64_t number;    /* as in 000001.ckpt */
  int64_t realtime_ns;
  int64_t monotonic_ns; /* these two as the program reads them */
  int64_t boottime_ns;
  uint8_t boot_id[16];
  uint32_t snapshot;
  uint32_t process_count;
  int32_t leader;
  uint32_t page_size;
  uint64_t xcr0;       /* extended state that the CPU saves */
  uint32_t cpuid[8];   /* 1:ecx 1:edx 7:ebx 7:ecx 7:edx 0x80000001:ecx 0x80000001:edx 0xd.1:eax */
  ckpt_string job;     /* the name of the job directory */
  ckpt_string program; /* what was started, without its directory */
  ckpt_string kernel;  /* release */
  ckpt_string host;
  int32_t last_pid; /* the id that the kernel gave out last, where the program was; 0: not known */
  uint32_t pad;
};

/* MEMBARRIER_CMD_REGISTER_*: global, private, private with instructions (SYNC_CORE), private with rseq. */
#define CKPT_BARRIERS 0x154u

struct ckpt_process {
  int32_t pid; /* ids as the process itself sees them */
  int32_t ppid;
  int32_t pgid;
  int32_t sid;
  uint64_t starttime; /* clock ticks since boot, /proc/PID/stat field 22 in the initial time namespace */
  uint32_t uid[4];    /* real, effective, saved, file system */
  uint32_t gid[4];
  uint64_t cap_inheritable;
  uint64_t cap_permitted;
  uint64_t cap_effective;
  uint64_t cap_bounding;
  uint64_t cap_ambient;
  uint32_t securebits;
  uint32_t no_new_privs;
  uint32_t dumpable;
  uint32_t subreaper;
  uint32_t death_signal;
  uint32_t thp_disable;
  uint64_t timer_slack; /* ns */
  uint32_t umask;
  int32_t nice;
  uint32_t personality;
  int32_t oom_score_adj;
  uint64_t start_code; /* the fields of struct prctl_mm_map */
  uint64_t end_code;
  uint64_t start_data;
  uint64_t end_data;
  uint64_t start_brk;
  uint64_t brk;
  uint64_t start_stack;
  uint64_t arg_start;
  uint64_t arg_end;
  uint64_t env_start;
  uint64_t env_end;
  uint64_t resume;     /* address of libckpt's struct ckpt_resume */
  uint64_t xcomp_perm; /* dynamic extended states that the process may use */
  ckpt_string command; /* name in /proc/PID/comm */
  ckpt_string exe;
  ckpt_string cwd;
  ckpt_string root;
  uint32_t exe_file; /* index + 1 into the files note */
  uint32_t thread_count;
  uint32_t lock_future; /* MCL_*: what mlockall said about mappings to come */
  uint32_t barriers;    /* what it has registered for with membarrier(): CKPT_BARRIERS */
  uint32_t stop_signal; /* what has stopped it (SIGSTOP, SIGTSTP, ...); 0: it was not stopped */
  uint32_t keys;        /* protection keys that pkey_alloc has given out, a bit each */
  uint32_t orphan;      /* 1: its parent is none of the job's processes, and it is not their root */
  uint32_t cwd_file;    /* index + 1 into the files note when it has been removed, else 0 */
  uint32_t dump_filter; /* one more than /proc/PID/coredump_filter says; 0: it says nothing */
  uint32_t mdwe;        /* PR_MDWE_*: no memory becomes executable any more */
  uint32_t merges;      /* 1: memory to come is mergeable (PR_SET_MEMORY_MERGE) */
  uint32_t pad;
};

/* Of prctl(), younger than many a header. */
#define CKPT_PR_SET_MDWE 65
#define CKPT_PR_GET_MDWE 66
#define CKPT_PR_SET_MEMORY_MERGE 67
#define CKPT_PR_GET_MEMORY_MERGE 68

/* A child that has ended and that the process has not waited for. */
struct ckpt_child {
  int32_t pid;
  int32_t pgid;
  int32_t sid;
  uint32_t status; /* as wait() gives it */
};

/* The stop of a child, living, that the process has not heard of by wait(), or that it goes on after one. */
struct ckpt_stop {
  int32_t pid;
  uint32_t status;    /* as wait() gives it; SIGSTOP's for one that goes on */
  uint32_t continued; /* 1: it goes on */
};

#define CKPT_CPU_WORDS 16 /* 1,024 CPUs */

struct ckpt_thread {
  int32_t tid;
  uint32_t policy; /* SCHED_* */
  int32_t priority;
  int32_t nice;
  char name[16];
  uint64_t fs_base;
  uint64_t gs_base;
  uint64_t robust_list;
  uint64_t robust_list_size;
  uint64_t clear_child_tid;
  uint64_t signal_mask;
  uint64_t altstack;
  uint64_t altstack_size;
  uint32_t altstack_flags;
  uint32_t pad;
  uint64_t frame; /* address of the ucontext of the signal frame that holds the program's registers */
  uint64_t rip;   /* where libckpt goes on: rip, rsp and the registers that a call preserves */
  uint64_t rsp;
  uint64_t rbx;
  uint64_t rbp;
  uint64_t r12;
  uint64_t r13;
  uint64_t r14;
  uint64_t r15;
  uint64_t cpus[CKPT_CPU_WORDS]; /* that it has chosen to run on, a bit each; all zero: those it was started
                                    with */
  uint32_t ended;       /* 1: the main thread, which has ended before the others and has no registers */
  uint32_t exit_code;   /* then: as wait() tells it */
  uint64_t timer_slack; /* ns; 0: that of the main thread */
  uint32_t io_priority; /* as ioprio_get() tells it; 0: it has none of its own */
  uint32_t has_pending; /* 1: the robust lock that it was taking or giving up is its own */
};

enum ckpt_region_kind {
  CKPT_REGION_ANONYMOUS = 1,   /* private, from nothing */
  CKPT_REGION_FILE = 2,        /* private, over file at offset; changed pages are in the image */
  CKPT_REGION_FILE_SHARED = 3, /* shared, over file at offset; no page is in the image */
  CKPT_REGION_VDSO = 4,        /* its bytes are in the image */
  CKPT_REGION_VVAR = 5,        /* [vvar], [vvar_vclock]: laid by the kernel in front of the vdso */
  CKPT_REGION_SHARED = 6,      /* shared, over a file with CKPT_FILE_MEMORY */
  CKPT_REGION_AIO = 7,         /* the ring of a queue of asynchronous I/O, in which nothing is under way */
};

enum ckpt_region_flag {
  CKPT_REGION_GROWSDOWN = 1u << 0,
  CKPT_REGION_NORESERVE = 1u << 1,
  CKPT_REGION_LOCKED = 1u << 2,
  CKPT_REGION_HUGEPAGE = 1u << 3,
  CKPT_REGION_NOHUGEPAGE = 1u << 4,
  CKPT_REGION_DONTFORK = 1u << 5,
  CKPT_REGION_DONTDUMP = 1u << 6,
  CKPT_REGION_WIPEONFORK = 1u << 7,
  CKPT_REGION_MERGEABLE = 1u << 8,
  CKPT_REGION_RANDOM = 1u << 9,      /* MADV_RANDOM */
  CKPT_REGION_SEQUENTIAL = 1u << 10, /* MADV_SEQUENTIAL */
  CKPT_REGION_STACK = 1u << 11,      /* the kernel labels it [stack] */
  CKPT_REGION_HEAP = 1u << 12,       /* the kernel labels it [heap] */
  CKPT_REGION_ON_FAULT = 1u << 13,   /* with LOCKED: pages only as they are touched */
  CKPT_REGION_SEALED = 1u << 14,     /* mseal */
  CKPT_REGION_HUGETLB = 1u << 15,    /* of hugetlbfs pages; CKPT_HUGE_SHIFT says how large */
  CKPT_REGION_DROPPABLE = 1u << 20,  /* MAP_DROPPABLE: no page is in the image */
};

/* Where in a region's flags its protection key is (pkey_mprotect), 0 to 15: 4 bits. */
#define CKPT_KEY_SHIFT 16
#define CKPT_KEYS 16

/* Where in a region's flags the binary logarithm of its huge pages' size is, as in mmap's. */
#define CKPT_HUGE_SHIFT 26

struct ckpt_region {
  uint64_t start;
  uint64_t end;
  uint64_t offset; /* into the file */
  uint32_t prot;   /* PROT_* */
  uint32_t flags;  /* enum ckpt_region_flag */
  uint32_t kind;
  uint32_t file; /* index + 1 into the files note, 0: none */
};

enum ckpt_file_flag {
  CKPT_FILE_DELETED = 1u << 0, /* had no name any more */
  CKPT_FILE_CARRIED = 1u << 1, /* its contents are in the image's files/ directory, under `carried` */
  CKPT_FILE_WRITTEN = 1u << 2, /* some descriptor or shared mapping may write it */
  CKPT_FILE_MAPPED = 1u << 3,  /* some region maps it */
  CKPT_FILE_OPEN = 1u << 4,    /* some descriptor refers to it */
  CKPT_FILE_MEMORY = 1u << 5,  /* its contents are those of the regions that map it: shared anonymous memory,
                                  or deleted and open nowhere */
  CKPT_FILE_SEGMENT = 1u << 6, /* with MEMORY: a System V segment; ino: its id, rdev: its key, mode: its
                                  permissions, DELETED: it is marked for removal (IPC_RMID) */
  CKPT_FILE_SHM = 1u << 7, /* in memory (tmpfs) and mapped to be written and shared: carried, since that is
                              the program's memory, too */
  CKPT_FILE_HUGETLB = 1u << 8, /* a memfd of huge pages, or on a hugetlbfs; of rdev bytes each */
  CKPT_FILE_WATCHED = 1u << 9, /* some inotify instance watches it */
  CKPT_FILE_LIVE = 1u << 10,   /* in /proc or /sys: what it says changes by itself */
  CKPT_FILE_SPARE = 1u << 11,  /* small, mapped to be written and shared, and open nowhere: carried for the
                                  case that  it is gone, and for no other */
};

/* One inode under one path, mapped or open. */
struct ckpt_file {
  uint64_t dev;
  uint64_t ino;
  uint64_t size;
  int64_t mtime_ns;
  uint64_t rdev;
  uint32_t mode; /* st_mode */
  uint32_t flags;
  ckpt_string path;
  ckpt_string carried;
  uint32_t seals;      /* F_SEAL_*, of a memfd */
  uint32_t checksum;   /* of the carried contents: that of their chunks' checksums (core/file_checksum.h) */
  uint64_t write_hint; /* F_GET_RW_HINT; 0: none was given */
};

enum ckpt_description_kind {
  CKPT_DESC_OUTSIDE = 1,      /* led outside: becomes restart's own descriptor `a`; above 2, where restart has
                                 none,  a pipe or socket whose other end is closed */
  CKPT_DESC_FILE = 2,         /* regular file or directory, reopened at pos */
  CKPT_DESC_DEVICE = 3,       /* /dev/null, /dev/zero, /dev/full, /dev/random, /dev/urandom */
  CKPT_DESC_TERMINAL = 4,     /* another opening of a terminal: restart's terminal */
  CKPT_DESC_PIPE = 5,         /* one end of a pipe with both ends in the process, or with a name (file);
                                 a: pipe inode, b: capacity, data: contents (on one reading end only);
                                 CKPT_PIPE_PACKETS in b: those are struct ckpt_packet after another */
  CKPT_DESC_EVENTFD = 6,      /* a: count, b: 1 with EFD_SEMAPHORE */
  CKPT_DESC_EPOLL = 7,        /* an epoll set: what it watches is in the watches note */
  CKPT_DESC_TIMERFD = 8,      /* a: index into the timerfds note */
  CKPT_DESC_SIGNALFD = 9,     /* a: the signals that it takes, bit n - 1 for signal n */
  CKPT_DESC_UNIX_SOCKET = 10, /* a: index into the sockets note; data: what waits to be read here, struct
                                 ckpt_packet after struct ckpt_packet */
  CKPT_DESC_SOCKET = 11,      /* a TCP or UDP socket; a, data: likewise */
  CKPT_DESC_PIDFD = 12,       /* of the process itself; a: 1 for one that has ended and been reaped; b: id of
                                 another one of the job, or of a child that has ended, or 0 */
  CKPT_DESC_INOTIFY = 13,     /* what it watches is in the inotify note */
  CKPT_DESC_NETLINK = 14,     /* a netlink socket; a: index into the sockets note */
  CKPT_DESC_QUEUE = 15,       /* a POSIX message queue; pos: messages in it, a: room for how many, with its
                                 inode from bit 32 on, b: bytes of each, with its permissions from bit 32
                                 on, and CKPT_QUEUE_*; data: with CKPT_QUEUE_NOTIFIES a
                                 struct ckpt_notification, then its messages, struct ckpt_message after
                                 struct ckpt_message with the priority as their type */
  CKPT_DESC_PTY_MASTER = 16,  /* of a pseudoterminal of the job's own; data: what waits in it, struct
                                 ckpt_waiting after struct ckpt_waiting, in the one process that saves it;
                                 a: there, index into the ptys note */
  CKPT_DESC_PTY_SLAVE = 17,   /* an opening of the other side; a: device, 0: hung up */
};

#define CKPT_SHARED_MOST 65535

#define CKPT_QUEUE_REMOVED (1ull << 48)  /* by mq_unlink */
#define CKPT_QUEUE_CARRIED (1ull << 49)  /* its messages are here, should there be none as well */
#define CKPT_QUEUE_NOTIFIES (1ull << 50) /* this process, of the next message that comes when it is empty */

/* What waits in a pipe was written as packets (O_DIRECT): a read gives one of them. */
#define CKPT_PIPE_PACKETS (1ull << 32)

/* One open file description (what dup shares). */
struct ckpt_description {
  uint32_t kind;
  uint32_t flags; /* O_*, as F_GETFL gives them */
  uint64_t pos;
  uint64_t a;
  uint64_t b;
  uint64_t data; /* offset into the blob note */
  uint64_t data_size;
  uint32_t file;    /* index + 1 into the files note, 0: none */
  int32_t owner;    /* F_GETOWN */
  int32_t signal;   /* F_GETSIG */
  ckpt_string name; /* what /proc/self/fd showed */
  uint32_t shared; /* CKPT_SHARED_MOST at the most; the same for all processes of a job that share it; 0: none
                      other does */
  uint32_t owner_type; /* 1: the owner is a thread (F_OWNER_TID) */
};

struct ckpt_descriptor {
  int32_t fd;
  uint32_t flags; /* FD_CLOEXEC */
  uint32_t description;
};

/* One descriptor that an epoll set watches. It remembers the number that the file had, which may be that of
 * another process, or of nobody any more. */
struct ckpt_watch {
  uint32_t set;    /* description of the set */
  uint32_t events; /* without EPOLLERR and EPOLLHUP: a one-shot watch that has fired */
  uint64_t data;
  int32_t fd;
  uint32_t target; /* 0: what this process has as `fd`; else 1 + its description; with `pid`: 1 + the number
                      that the file has there */
  int32_t pid;     /* another process of the image, or 0 */
  uint32_t pad;
};

/* Numbers of watches grow by one; to give a watch its own, all before it have to be made. */
#define CKPT_INOTIFY_MOST (1 << 20)

/* One file that an inotify instance watches. */
struct ckpt_inotify {
  uint32_t instance; /* description of the instance */
  int32_t number;
  uint32_t mask; /* IN_* */
  uint32_t file; /* index + 1 into the files note */
};

struct ckpt_timerfd {
  int32_t clock;
  uint32_t flags;   /* TFD_TIMER_* of timerfd_settime */
  uint64_t ticks;   /* expirations that nobody has read yet */
  int64_t value_ns; /* what remained; on CLOCK_REALTIME with TFD_TIMER_ABSTIME: when; 0: not running */
  int64_t interval_ns;
};

enum ckpt_socket_flag {
  CKPT_SOCKET_RESET = 1u << 0, /* the other end has reset it, or is not in the program: when what waits is
                                  read, an error waits */
  CKPT_SOCKET_LISTENS = 1u << 1,
  CKPT_SOCKET_CONNECTED = 1u << 2, /* there is, or was, another end */
  CKPT_SOCKET_BOUND = 1u << 3,
  CKPT_SOCKET_FILE = 1u << 4,  /* the name is a path, under which the socket is found */
  CKPT_SOCKET_WAITS = 1u << 5, /* connected to the socket `peer`, which listens and has not yet accepted it */
  CKPT_SOCKET_FILTER_LOCKED = 1u << 6, /* SO_LOCK_FILTER */
};

struct ckpt_socket {
  int32_t domain;
  int32_t type; /* SOCK_* */
  int32_t protocol;
  uint32_t flags;             /* enum ckpt_socket_flag */
  uint64_t inode;             /* what tells sockets apart */
  uint64_t peer;              /* inode of the other end, 0: not in the program (any more) */
  uint32_t shutdown;          /* 1: for reading, 2: for writing */
  uint32_t backlog;           /* of one that listens */
  uint32_t waiting;           /* of one that listens: how many wait to be accepted */
  uint32_t turn;              /* of one that waits: its place in the queue, from 1 */
  uint32_t mode, uid, gid;    /* of the file that a unix socket is found under */
  uint32_t address_size;      /* 0: none */
  uint32_t peer_address_size; /* 0: none */
  uint32_t state;             /* of a TCP socket, as the kernel counts: 1 connected, 10 listening */
  uint8_t address[112];       /* struct sockaddr_* */
  uint8_t peer_address[112];  /* the same, when connected */
  uint64_t filter;            /* offset into the blob note: the kernel's struct sock_filter after another */
  uint32_t filter_length;     /* how many; 0: it has no filter */
  uint32_t pad;
  uint8_t
      file[112]; /* where the file of a unix socket is, when that has been renamed; ends with a zero byte */
};

#define CKPT_FILTER_MOST 4096 /* BPF_MAXINSNS */

enum ckpt_tcp_option {
  CKPT_TCP_TIMESTAMPS = 1u << 0, /* as TCP_INFO counts them */
  CKPT_TCP_SACK = 1u << 1,
  CKPT_TCP_SCALES = 1u << 2, /* windows are scaled */
};

/* A TCP connection to the outside as --tcp=repair brings it back: what each side believes of the other. What
 * waits to be read there is with its description. */
struct ckpt_tcp {
  uint64_t inode; /* of its socket */
  uint64_t data;  /* offset into the blob note: what the program has written and nobody has acknowledged */
  uint64_t data_size;
  uint32_t unsent;      /* of these bytes, how many at the end cannot have been sent yet */
  uint32_t send_seq;    /* number of the byte behind them */
  uint32_t receive_seq; /* number of the next byte that comes */
  uint32_t options;     /* enum ckpt_tcp_option: what both sides have agreed upon */
  uint32_t send_scale;
  uint32_t receive_scale;
  uint32_t segment;     /* bytes that the other side takes in one packet */
  uint32_t timestamp;   /* its clock */
  uint32_t window_seq;  /* these five as struct tcp_repair_window has them */
  uint32_t send_window; /* that the other side has offered */
  uint32_t send_window_most;
  uint32_t receive_window;
  uint32_t receive_window_seq;
  uint32_t pad;
};

/* What waits to be read from a socket: one packet, or a piece of a stream. It is followed by the
 * descriptors in flight, each a u32 index into the descriptions note, by the address of who sent it, and by
 * its bytes. */
struct ckpt_packet {
  uint32_t size;
  uint32_t rights;       /* how many descriptors */
  uint32_t address_size; /* 0: the sender has no name */
  int32_t pid;           /* the sender's credentials; 0: it gave none */
  uint32_t uid;
  uint32_t gid;
};

/* An option of a socket, as getsockopt gives it, or a multicast group, as setsockopt takes it. Those of one
 * socket stand together, by socket. */
struct ckpt_option {
  uint32_t socket; /* index into the sockets note */
  int32_t level;
  int32_t name;
  uint32_t size;
  uint8_t value[24];
};

enum ckpt_terminal_flag {
  CKPT_TERMINAL_CONTROLS = 1u << 0,   /* it was the controlling terminal */
  CKPT_TERMINAL_FOREGROUND = 1u << 1, /* the program was in its foreground, and so the modes are its own */
  CKPT_TERMINAL_PTY = 1u << 2, /* a pseudoterminal of the job's own: modes and size are in the ptys note */
};

/* A terminal that the program had open. */
struct ckpt_terminal {
  uint32_t device;
  uint32_t flags; /* enum ckpt_terminal_flag */
  uint32_t rows;
  uint32_t columns;
  uint8_t modes[44]; /* the kernel's struct termios2 */
};

enum ckpt_pty_flag {
  CKPT_PTY_LOCKED = 1u << 0,    /* nobody can open the slave (TIOCSPTLCK) */
  CKPT_PTY_PACKET = 1u << 1,    /* packet mode */
  CKPT_PTY_EXCLUSIVE = 1u << 2, /* TIOCEXCL */
  CKPT_PTY_STOPPED = 1u << 3,   /* its output, by the stop character (^S) */
  CKPT_PTY_SUSPENDED = 1u << 4, /* its output, by tcflow */
  CKPT_PTY_UNUSED = 1u << 5,    /* nobody has opened the slave yet */
};

/* A pseudoterminal whose master a process of the job has open. */
struct ckpt_pty {
  uint32_t device; /* of the slave */
  uint32_t number; /* as in /dev/pts/N */
  uint32_t flags;  /* enum ckpt_pty_flag */
  uint32_t status; /* in packet mode: TIOCPKT_*, what the master has not been told yet */
  int32_t session; /* whose controlling terminal it is, 0: none's */
  int32_t foreground;
  uint32_t mode, uid, gid; /* of /dev/pts/N */
  uint32_t rows, columns;  /* as in struct winsize */
  uint32_t width, height;
  uint8_t modes[44]; /* the kernel's struct termios2 */
};

enum ckpt_waiting_kind {
  CKPT_WAITING_OUTPUT = 1, /* what the master has not read yet */
  CKPT_WAITING_LINE = 2, /* input that the line discipline has seen: a line, with the newline that ends it */
  CKPT_WAITING_EOF = 3,  /* one that the end-of-file character has ended, without it */
  CKPT_WAITING_PART = 4, /* a line not yet ended, or all there is when not in canonical mode */
  CKPT_WAITING_REST = 5, /* what the line discipline had no room for */
};

/* What waits in a pseudoterminal. It is followed by its bytes. */
struct ckpt_waiting {
  uint32_t kind;
  uint32_t size;
};

struct ckpt_sigaction {
  uint32_t signal;
  uint32_t pad;
  uint64_t handler; /* the kernel's struct sigaction */
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};

struct ckpt_signal {
  int32_t tid; /* 0: sent to the process */
  uint32_t pad;
  uint8_t info[128]; /* siginfo_t */
};

struct ckpt_rlimit {
  uint32_t resource;
  uint32_t pad;
  uint64_t soft;
  uint64_t hard;
};

struct ckpt_itimer {
  uint32_t which; /* ITIMER_* */
  uint32_t pad;
  int64_t interval_us;
  int64_t value_us; /* what remained */
};

/* A timer made by timer_create. */
struct ckpt_timer {
  int32_t id;
  int32_t clock;   /* of a thread's CPU time: with its id, unless it is that of the only thread */
  uint32_t notify; /* SIGEV_* */
  uint32_t signal;
  uint64_t value;  /* sigev_value */
  int32_t tid;     /* with SIGEV_THREAD_ID: which thread gets the signal */
  int32_t overrun; /* what timer_getoverrun says */
  int64_t interval_ns;
  int64_t value_ns; /* what remained; 0: not running */
};

/* A set of System V semaphores that the process uses. */
struct ckpt_set {
  int32_t id;
  int32_t key;
  uint32_t mode;
  uint32_t uid; /* of its owner */
  uint32_t gid;
  uint32_t first; /* of its entries in the semaphores note */
  uint32_t count;
  uint32_t pad;
};

#define CKPT_SEMAPHORE_MOST 32767 /* SEMVMX */

struct ckpt_semaphore {
  uint32_t value;
  int32_t adjust; /* what the kernel adds to it when this process ends (SEM_UNDO) */
};

/* A System V message queue that the process uses. */
struct ckpt_queue {
  int32_t id;
  int32_t key;
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint32_t count; /* messages in it */
  uint64_t room;  /* bytes, msg_qbytes */
  uint64_t data;  /* offset into the blob note: struct ckpt_message after struct ckpt_message */
  uint64_t data_size;
};

/* What mq_notify has asked for. */
struct ckpt_notification {
  uint32_t notify; /* SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD */
  uint32_t signal;
  uint64_t value;     /* of the signal */
  int32_t socket;     /* SIGEV_THREAD: the netlink socket that gets the cookie */
  uint8_t cookie[32]; /* libc's */
  uint32_t pad;
};

/* Followed by its bytes. */
struct ckpt_message {
  int64_t type;
  uint32_t size;
  uint32_t pad;
};

enum ckpt_lock_kind {
  CKPT_LOCK_POSIX = 1,
  CKPT_LOCK_FLOCK = 2,
  CKPT_LOCK_OFD = 3,
  CKPT_LOCK_LEASE = 4 /* F_SETLEASE */
};

struct ckpt_lock {
  uint32_t kind;
  uint32_t exclusive;
  uint32_t description;
  uint32_t pad;
  uint64_t start;
  uint64_t length; /* 0: to the end, however far */
};

#endif
