import type { Description, DescriptorNotes, Holder, JobDescriptors } from "./descriptor_notes.ts";
import { type SOCKET, SocketFlag } from "./format.ts";
import type { Descriptor, DescriptorElsewhere } from "./process_image.ts";
import { addressWords } from "./socket_address.ts";

const O_ACCMODE = 3;
const AF_UNIX = 1;
const TRANSPORTS: Record<number, string> = { 1: "stream", 2: "datagram", 5: "packet" };
const NETLINK: Record<number, string> = {
  0: "routes",
  4: "sockets",
  15: "device events",
  16: "generic families",
};
const PIPE_PACKETS = 1n << 32n;

type Socket = ReturnType<typeof SOCKET.decode>;

interface Of {
  notes: DescriptorNotes;
  description: Description;
}

/** Others, in the process itself; and in other processes where that has none. */
function peersOf(
  { pid }: DescriptorNotes,
  holders: readonly Holder[],
): { peers: number[]; peersElsewhere: DescriptorElsewhere[] } {
  const peers = holders.filter(({ notes }) => notes.pid === pid).map(({ fd }) => fd);
  const elsewhere = peers.length > 0 ? [] : holders;
  return { peers, peersElsewhere: elsewhere.map(({ notes, fd }) => ({ pid: notes.pid, fd })) };
}

/** What is known of an end of a pipe. */
export function pipeDetails(job: JobDescriptors, { notes, description }: Of): Partial<Descriptor> {
  const all = job.ends(notes.keyOf(description));
  const contents = new Map(all.map((holder) => [holder.description, holder]));
  let waiting = 0;
  for (const { notes, description } of contents.values()) {
    waiting += description.b & PIPE_PACKETS
      ? notes.packets(description).waiting
      : Number(description.data_size);
  }
  const others = all.filter((other) => isOtherEnd(other.description.flags, description.flags));
  return { ...peersOf(notes, others), waiting };
}

function isOtherEnd(flags: number, own: number): boolean {
  return (own & O_ACCMODE) === 2 || (flags & O_ACCMODE) !== (own & O_ACCMODE);
}

/** What is known of a unix, TCP or UDP socket. */
export function socketDetails(job: JobDescriptors, of: Of): Partial<Descriptor> {
  const { notes, description } = of;
  const socket = notes.sockets[Number(description.a)];
  if (!socket) return {};
  const { flags, peer } = socket;
  const listening = (flags & SocketFlag.LISTENS) !== 0;
  const connected = (flags & SocketFlag.CONNECTED) !== 0;
  // What waits is in the core of one of the processes that have the socket.
  const holders = new Map(job.ends(notes.keyOf(description)).map((end) => [end.description, end]));
  const held = [...holders.values()].map(({ notes }) => notes.tcp.get(socket.inode)).find(Boolean);
  const packets = { waiting: 0, inFlight: 0 };
  for (const { notes, description } of listening ? [] : holders.values()) {
    const { waiting, inFlight } = notes.packets(description);
    packets.waiting += waiting;
    packets.inFlight += inFlight;
  }
  return {
    protocol: protocolOf(socket),
    state: listening
      ? "listening"
      : connected
      ? "connected"
      : flags & SocketFlag.BOUND
      ? "bound"
      : "new",
    address: addressWords(socket.address.subarray(0, socket.address_size)),
    peerAddress: addressWords(socket.peer_address.subarray(0, socket.peer_address_size)),
    ...peersOf(notes, peer === 0n ? [] : job.ends(`socket ${peer}`)),
    ...packets,
    ...(listening ? { waiting: socket.waiting, backlog: socket.backlog } : {}),
    ...(held ? { unacknowledged: Number(held.data_size) } : {}),
    reset: connected && (flags & SocketFlag.RESET) !== 0,
    shut: ([, "reading", "writing", "both"] as const)[socket.shutdown & 3],
  };
}

function protocolOf({ domain, type }: Socket): string {
  if (domain === AF_UNIX) return `unix ${TRANSPORTS[type] ?? "socket"}`;
  return type === 1 ? "TCP" : "UDP";
}

/** What is known of a netlink socket. */
export function netlinkDetails(_: JobDescriptors, { notes, description }: Of): Partial<Descriptor> {
  const socket = notes.sockets[Number(description.a)];
  const family = socket && NETLINK[socket.protocol];
  return { protocol: family ? `netlink for ${family}` : "netlink" };
}
