import { roundtrips } from "./roundtrip.ts";

roundtrips([
  {
    does: "brings back message queues at which processes wait, for a message and for room",
    program: "tree_queue",
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
