// native/format/image.h and control.h, as this side reads them. One test holds both against each other.

export * from "./format/control.ts";
export * from "./format/descriptors.ts";
export * from "./format/image.ts";
export * from "./format/ipc.ts";
export * from "./format/process.ts";
export * from "./format/sockets.ts";
export * from "./format/terminals.ts";
