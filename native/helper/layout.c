/* Where each field of the format's structs lies, for the test that holds the TypeScript decoders to the
 * C headers. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "format/control.h"
#include "format/image.h"
#include "helper/helper.h"

struct field {
  const char *name;
  size_t offset;
  size_t size;
};

struct layout {
  const char *name;
  size_t size;
  const struct field *fields;
  size_t count;
};

#define FIELD(type, name)                                                                                    \
  { #name, offsetof(struct type, name), sizeof(((struct type *)0)->name) }
#define LAYOUT(type)                                                                                         \
  { #type, sizeof(struct type), type##_fields, sizeof type##_fields / sizeof(struct field) }

#define F(name) FIELD(ckpt_prologue, name)
static const struct field ckpt_prologue_fields[] = {
    F(magic),      F(version),      F(size),       F(file_size),    F(data_offset),
    F(data_size),  F(notes_offset), F(notes_size), F(phdrs_offset), F(phdrs_size),
    F(chunk_size), F(notes_crc),    F(phdrs_crc),  F(prologue_crc)};
#undef F

#define F(name) FIELD(ckpt_array, name)
static const struct field ckpt_array_fields[] = {F(count), F(entry_size)};
#undef F

#define F(name) FIELD(ckpt_range, name)
static const struct field ckpt_range_fields[] = {F(start), F(end)};
#undef F

#define F(name) FIELD(ckpt_image, name)
static const struct field ckpt_image_fields[] = {
    F(id),      F(parent),   F(number),        F(realtime_ns), F(monotonic_ns), F(boottime_ns),
    F(boot_id), F(snapshot), F(process_count), F(leader),      F(page_size),    F(xcr0),
    F(cpuid),   F(job),      F(program),       F(kernel),      F(host),         F(last_pid)};
#undef F

#define F(name) FIELD(ckpt_process, name)
static const struct field ckpt_process_fields[] = {
    F(pid),           F(ppid),          F(pgid),          F(sid),
    F(starttime),     F(uid),           F(gid),           F(cap_inheritable),
    F(cap_permitted), F(cap_effective), F(cap_bounding),  F(cap_ambient),
    F(securebits),    F(no_new_privs),  F(dumpable),      F(subreaper),
    F(death_signal),  F(thp_disable),   F(timer_slack),   F(umask),
    F(nice),          F(personality),   F(oom_score_adj), F(start_code),
    F(end_code),      F(start_data),    F(end_data),      F(start_brk),
    F(brk),           F(start_stack),   F(arg_start),     F(arg_end),
    F(env_start),     F(env_end),       F(resume),        F(xcomp_perm),
    F(command),       F(exe),           F(cwd),           F(root),
    F(exe_file),      F(thread_count),  F(lock_future),   F(barriers),
    F(stop_signal),   F(keys),          F(orphan),        F(cwd_file),
    F(dump_filter),   F(mdwe),          F(merges),        F(pad)};
#undef F

#define F(name) FIELD(ckpt_thread, name)
static const struct field ckpt_thread_fields[] = {F(tid),
                                                  F(policy),
                                                  F(priority),
                                                  F(nice),
                                                  F(name),
                                                  F(fs_base),
                                                  F(gs_base),
                                                  F(robust_list),
                                                  F(robust_list_size),
                                                  F(clear_child_tid),
                                                  F(signal_mask),
                                                  F(altstack),
                                                  F(altstack_size),
                                                  F(altstack_flags),
                                                  F(pad),
                                                  F(frame),
                                                  F(rip),
                                                  F(rsp),
                                                  F(rbx),
                                                  F(rbp),
                                                  F(r12),
                                                  F(r13),
                                                  F(r14),
                                                  F(r15),
                                                  F(cpus),
                                                  F(ended),
                                                  F(exit_code),
                                                  F(timer_slack),
                                                  F(io_priority),
                                                  F(has_pending)};
#undef F

#define F(name) FIELD(ckpt_region, name)
static const struct field ckpt_region_fields[] = {F(start), F(end),  F(offset), F(prot),
                                                  F(flags), F(kind), F(file)};
#undef F

#define F(name) FIELD(ckpt_file, name)
static const struct field ckpt_file_fields[] = {F(dev),     F(ino),   F(size),     F(mtime_ns),
                                                F(rdev),    F(mode),  F(flags),    F(path),
                                                F(carried), F(seals), F(checksum), F(write_hint)};
#undef F

#define F(name) FIELD(ckpt_description, name)
static const struct field ckpt_description_fields[] = {
    F(kind), F(flags), F(pos),    F(a),    F(b),      F(data),      F(data_size),
    F(file), F(owner), F(signal), F(name), F(shared), F(owner_type)};
#undef F

#define F(name) FIELD(ckpt_descriptor, name)
static const struct field ckpt_descriptor_fields[] = {F(fd), F(flags), F(description)};
#undef F

#define F(name) FIELD(ckpt_sigaction, name)
static const struct field ckpt_sigaction_fields[] = {F(signal), F(pad),      F(handler),
                                                     F(flags),  F(restorer), F(mask)};
#undef F

#define F(name) FIELD(ckpt_signal, name)
static const struct field ckpt_signal_fields[] = {F(tid), F(pad), F(info)};
#undef F

#define F(name) FIELD(ckpt_rlimit, name)
static const struct field ckpt_rlimit_fields[] = {F(resource), F(pad), F(soft), F(hard)};
#undef F

#define F(name) FIELD(ckpt_itimer, name)
static const struct field ckpt_itimer_fields[] = {F(which), F(pad), F(interval_us), F(value_us)};
#undef F

#define F(name) FIELD(ckpt_timer, name)
static const struct field ckpt_timer_fields[] = {F(id),  F(clock),   F(notify),      F(signal),  F(value),
                                                 F(tid), F(overrun), F(interval_ns), F(value_ns)};
#undef F

#define F(name) FIELD(ckpt_lock, name)
static const struct field ckpt_lock_fields[] = {F(kind), F(exclusive), F(description),
                                                F(pad),  F(start),     F(length)};
#undef F

#define F(name) FIELD(ckpt_watch, name)
static const struct field ckpt_watch_fields[] = {F(set),    F(events), F(data), F(fd),
                                                 F(target), F(pid),    F(pad)};
#undef F

#define F(name) FIELD(ckpt_timerfd, name)
static const struct field ckpt_timerfd_fields[] = {F(clock), F(flags), F(ticks), F(value_ns), F(interval_ns)};
#undef F

#define F(name) FIELD(ckpt_socket, name)
static const struct field ckpt_socket_fields[] = {
    F(domain), F(type),     F(protocol),     F(flags),        F(inode),
    F(peer),   F(shutdown), F(backlog),      F(waiting),      F(turn),
    F(mode),   F(uid),      F(gid),          F(address_size), F(peer_address_size),
    F(state),  F(address),  F(peer_address), F(filter),       F(filter_length),
    F(pad),    F(file)};
#undef F

#define F(name) FIELD(ckpt_packet, name)
static const struct field ckpt_packet_fields[] = {F(size), F(rights), F(address_size),
                                                  F(pid),  F(uid),    F(gid)};
#undef F

#define F(name) FIELD(ckpt_inotify, name)
static const struct field ckpt_inotify_fields[] = {F(instance), F(number), F(mask), F(file)};
#undef F

#define F(name) FIELD(ckpt_option, name)
static const struct field ckpt_option_fields[] = {F(socket), F(level), F(name), F(size), F(value)};
#undef F

#define F(name) FIELD(ckpt_child, name)
static const struct field ckpt_child_fields[] = {F(pid), F(pgid), F(sid), F(status)};
#undef F

#define F(name) FIELD(ckpt_stop, name)
static const struct field ckpt_stop_fields[] = {F(pid), F(status), F(continued)};
#undef F

#define F(name) FIELD(ckpt_terminal, name)
static const struct field ckpt_terminal_fields[] = {F(device), F(flags), F(rows), F(columns), F(modes)};
#undef F

#define F(name) FIELD(ckpt_tcp, name)
static const struct field ckpt_tcp_fields[] = {F(inode),
                                               F(data),
                                               F(data_size),
                                               F(unsent),
                                               F(send_seq),
                                               F(receive_seq),
                                               F(options),
                                               F(send_scale),
                                               F(receive_scale),
                                               F(segment),
                                               F(timestamp),
                                               F(window_seq),
                                               F(send_window),
                                               F(send_window_most),
                                               F(receive_window),
                                               F(receive_window_seq),
                                               F(pad)};
#undef F

#define F(name) FIELD(ckpt_set, name)
static const struct field ckpt_set_fields[] = {F(id),  F(key),   F(mode),  F(uid),
                                               F(gid), F(first), F(count), F(pad)};
#undef F

#define F(name) FIELD(ckpt_semaphore, name)
static const struct field ckpt_semaphore_fields[] = {F(value), F(adjust)};
#undef F

#define F(name) FIELD(ckpt_queue, name)
static const struct field ckpt_queue_fields[] = {F(id),    F(key),  F(mode), F(uid),      F(gid),
                                                 F(count), F(room), F(data), F(data_size)};
#undef F

#define F(name) FIELD(ckpt_message, name)
static const struct field ckpt_message_fields[] = {F(type), F(size), F(pad)};
#undef F

#define F(name) FIELD(ckpt_notification, name)
static const struct field ckpt_notification_fields[] = {F(notify), F(signal), F(value),
                                                        F(socket), F(cookie), F(pad)};
#undef F

#define F(name) FIELD(ckpt_pty, name)
static const struct field ckpt_pty_fields[] = {F(device),     F(number), F(flags),  F(status), F(session),
                                               F(foreground), F(mode),   F(uid),    F(gid),    F(rows),
                                               F(columns),    F(width),  F(height), F(modes)};
#undef F

#define F(name) FIELD(ckpt_waiting, name)
static const struct field ckpt_waiting_fields[] = {F(kind), F(size)};
#undef F

#define F(name) FIELD(ckpt_request, name)
static const struct field ckpt_request_fields[] = {
    F(size),        F(version),  F(op),       F(flags),       F(timeout_ms), F(files), F(call_known),
    F(call_number), F(call_rip), F(call_rsp), F(stop_signal), F(pad),        F(ignore)};
#undef F

#define F(name) FIELD(ckpt_report, name)
static const struct field ckpt_report_fields[] = {F(size),  F(version), F(kind),     F(error),    F(number),
                                                  F(bytes), F(total),   F(pause_ns), F(total_ns), F(text)};
#undef F

#define F(name) FIELD(ckpt_resume, name)
static const struct field ckpt_resume_fields[] = {
    F(size),        F(restarted), F(hole_start),    F(hole_end), F(job_dir), F(cpus),  F(main_lives),
    F(stop_signal), F(stopped),   F(stopped_count), F(quiet),    F(root),    F(reaper)};
#undef F

#define F(name) FIELD(ckpt_stopped, name)
static const struct field ckpt_stopped_fields[] = {F(pid), F(told)};
#undef F

static const struct layout layouts[] = {
    LAYOUT(ckpt_prologue),     LAYOUT(ckpt_array),      LAYOUT(ckpt_range),     LAYOUT(ckpt_image),
    LAYOUT(ckpt_process),      LAYOUT(ckpt_thread),     LAYOUT(ckpt_region),    LAYOUT(ckpt_file),
    LAYOUT(ckpt_description),  LAYOUT(ckpt_descriptor), LAYOUT(ckpt_sigaction), LAYOUT(ckpt_signal),
    LAYOUT(ckpt_rlimit),       LAYOUT(ckpt_itimer),     LAYOUT(ckpt_timer),     LAYOUT(ckpt_lock),
    LAYOUT(ckpt_watch),        LAYOUT(ckpt_timerfd),    LAYOUT(ckpt_socket),    LAYOUT(ckpt_packet),
    LAYOUT(ckpt_child),        LAYOUT(ckpt_terminal),   LAYOUT(ckpt_option),    LAYOUT(ckpt_inotify),
    LAYOUT(ckpt_set),          LAYOUT(ckpt_semaphore),  LAYOUT(ckpt_queue),     LAYOUT(ckpt_message),
    LAYOUT(ckpt_notification), LAYOUT(ckpt_pty),        LAYOUT(ckpt_waiting),   LAYOUT(ckpt_request),
    LAYOUT(ckpt_report),       LAYOUT(ckpt_tcp),        LAYOUT(ckpt_resume),    LAYOUT(ckpt_stop),
    LAYOUT(ckpt_stopped)};

/* Adds to what is in the buffer; false when it does not fit. */
#define ADD(...)                                                                                             \
  do {                                                                                                       \
    int added = snprintf(buffer + length, size - length, __VA_ARGS__);                                       \
    if (added < 0 || (uint32_t)added >= size - length)                                                       \
      return -ENOSPC;                                                                                        \
    length += (uint32_t)added;                                                                               \
  } while (0)

int32_t ckpt_helper_layout(char *buffer, uint32_t size) {
  uint32_t length = 0;
  ADD("{");
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    const struct layout *layout = &layouts[i];
    ADD("%s\"%s\":{\"size\":%zu,\"fields\":{", i ? "," : "", layout->name, layout->size);
    for (size_t j = 0; j < layout->count; j++) {
      const struct field *field = &layout->fields[j];
      ADD("%s\"%s\":[%zu,%zu]", j ? "," : "", field->name, field->offset, field->size);
    }
    ADD("}}");
  }
  ADD("}");
  return (int32_t)length;
}
