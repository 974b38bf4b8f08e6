/** Normalised events as NDJSON lines. */
import type { NormalisedEvent } from "../../model/event.ts";

const COMMON = ["event", "ts", "cpu", "pid"] as const;

/** Keys of each event after the common ones, in the order they are printed. */
const FIELDS: { readonly [Kind in NormalisedEvent["event"]]: readonly string[] } = {
  desc: ["vq", "gpa", "len", "acc", "iov"],
  pop: ["vq", "head"],
  used: [
    ...["vq", "head", "len", "n", "idx", "num", "logused", "logaddr", "feat"],
    ...["nheads", "nh0", "nh1"],
  ],
  drain: [
    ...["vq", "num", "avail", "used", "uflags", "logused", "logaddr", "feat"],
    ...["logbase", "dev", "q0", "q1"],
  ],
  rearm: ["vq", "num", "avail", "uflags", "logused", "logaddr", "feat"],
  uflags: ["vq", "uflags", "logused", "logaddr"],
  mem: ["iotlb", "start", "last", "addr", "perm"],
  ioctl: ["file", "cmd", "vs", "arg", "a0", "a1", "a2", "a3", "a4", "driver"],
  ioctl_ret: ["ret"],
  marker: ["text"],
  gap: ["lost"],
  giveback: ["vq", "n"],
  rx: ["len"],
  rx_ret: ["ret"],
  cdb: ["lun", "dlen", "c0", "c1"],
  message: ["vid", "request", "size", "w0", "w1", "w2", "w3", "w4"],
  spdk_get: ["vs", "vq", "head", "num", "used", "index", "feat"],
  spdk_desc: ["vs", "gpa", "len", "flags"],
  spdk_used: ["vs", "vq", "head", "len", "num", "idx", "index", "feat"],
  vu_pop_entry: ["dev", "vq", "q0", "num", "used", "logaddr", "flags", "feat"],
  vu_gpa: ["dev", "gpa", "len"],
  vu_pop: ["elem", "head", "out", "in"],
  vu_fill: ["dev", "vq", "q0", "head", "len", "num", "idx", "logaddr", "flags", "feat"],
  qemu: ["name", "args"],
};

/** The keys an event is printed with, `place` last; the order is part of the contract. */
export function eventKeys(event: NormalisedEvent["event"]): readonly string[] {
  return [...COMMON, ...FIELDS[event], "place"];
}

/** One event as a JSON object on one line. Keys that the event does not have are left out. */
export function eventJsonLine(event: NormalisedEvent): string {
  const values = event as unknown as Record<string, unknown>;
  const ordered: Record<string, unknown> = {};
  for (const key of COMMON) ordered[key] = values[key];
  for (const key of FIELDS[event.event]) if (values[key] !== undefined) ordered[key] = values[key];
  if (values.place !== undefined) ordered.place = values.place;
  return `${JSON.stringify(ordered)}\n`;
}
