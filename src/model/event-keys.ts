/** Which keys the events of a dump have, and in which order they are printed: part of the contract. */
import type { NormalisedEvent } from "./event.ts";

export const COMMON_KEYS = ["event", "ts", "cpu", "pid"] as const;

/** Keys that follow the common ones where they are known. */
export const THREAD_KEYS = ["owner", "tgid"] as const;

/** Keys of each event after the common ones, in the order they are printed. */
export const EVENT_KEYS: { readonly [Kind in NormalisedEvent["event"]]: readonly string[] } = {
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
  ioctl: ["file", "cmd", "vs", "arg", "a0", "a1", "a2", "a3", "a4", "driver", "fn"],
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
  vu_pop_entry: [
    ...["dev", "vq", "q0", "num", "used", "logaddr", "flags", "feat"],
    ...["told", "logbase", "logsize"],
  ],
  vu_gpa: ["dev", "gpa", "len"],
  vu_pop: ["elem", "head", "out", "in"],
  vu_fill: [
    ...["dev", "vq", "q0", "head", "len", "num", "idx", "logaddr", "flags", "feat"],
    ...["told", "logbase", "logsize"],
  ],
  qemu: ["name", "args"],
};
