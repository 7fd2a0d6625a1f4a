import { roundtrips } from "./roundtrip.ts";
import { isRoot } from "./support.ts";

/** Who may not see every process leaves the messages of a full queue in it. */
const seesAll = isRoot && Deno.readLinkSync("/proc/self/ns/pid") === "pid:[4026531836]";

roundtrips([
  {
    does: "brings back message queues at which processes wait, for a message and for room",
    program: "tree_queue",
    endsForGood: !seesAll,
  },
  {
    does: "brings back locks on files of every kind that processes share, and who waits for them",
    program: "tree_file_locks",
  },
  {
    does: "brings back signalfds, timerfds and inotify instances that processes share",
    program: "tree_events",
    fcntl: true,
    endsForGood: true,
  },
  {
    does: "brings back epoll sets that processes share, or that watch what they share",
    program: "tree_epoll",
    fcntl: true,
  },
  {
    does: "brings back the rights of each process",
    program: "tree_rights",
  },
]);
