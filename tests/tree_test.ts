import { roundtrips } from "./roundtrip.ts";

roundtrips([
  {
    does: "brings back a family: ids, parents, groups, sessions, children that have ended",
    program: "tree_family",
  },
  {
    does: "brings back what two processes share, and what each has for itself",
    program: "tree_shared",
    endsForGood: true,
  },
]);
