import type { Core } from "./core.ts";
import { NoteType, QUEUE, SEMAPHORE, SET } from "./format.ts";
import type { IpcObject } from "./process_image.ts";

/** The System V semaphores and message queues that a process uses. Throws a RangeError when they are damaged. */
export function describeIpc(core: Core): IpcObject[] {
  const semaphores = core.notes.array(NoteType.SEMAPHORES, SEMAPHORE);
  const sets = core.notes.array(NoteType.SETS, SET).map((set): IpcObject => {
    const own = semaphores.slice(set.first, set.first + set.count);
    if (own.length !== set.count) throw new RangeError(`its semaphores ${set.id} are damaged`);
    const values = own.map(({ value }) => value);
    const words = `System V semaphores ${named(set)}: ${values.join(" ")}`;
    return { kind: "semaphores", id: set.id, key: set.key, words, values };
  });
  const queues = core.notes.array(NoteType.QUEUES, QUEUE).map((queue): IpcObject => {
    const { id, key, count } = queue;
    const words = `System V queue ${named(queue)}: ${count} ${
      count === 1 ? "message" : "messages"
    }`;
    return { kind: "queue", id, key, words, messages: count };
  });
  return [...sets, ...queues];
}

function named({ id, key }: { id: number; key: number }): string {
  return key === 0 ? String(id) : `${id} (key 0x${(key >>> 0).toString(16)})`;
}
