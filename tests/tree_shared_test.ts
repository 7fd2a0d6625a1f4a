import { roundtrips } from "./roundtrip.ts";

roundtrips([
  {
    does: "brings back signalfds, timerfds and inotify instances that processes share",
    program: "tree_events",
    fcntl: true,
    endsForGood: true,
  },
]);
