/**
 * One event after the redaction. Every field is named here: what is not, is not in the output. The
 * table for people is docs/redact.md.
 */

import type { DescEvent, IoctlEvent, NormalisedEvent, QemuTraceEvent } from "../model/event.ts";
import { ioctlName } from "../vhost/ioctl.ts";
import type { Mapping } from "./mapping.ts";
import { redactBackEnd, ringWords } from "./redact-back-end.ts";
import { QemuRedactor } from "./redact-qemu.ts";
import { RingAddresses, type VringAddress } from "./ring-addresses.ts";

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const ZERO = "0x0";
/** Bytes of struct vhost_virtqueue at most (assembly/device/vhost.ts). */
const VQ_BYTES = 0x10000n;

/** What every event has. */
interface Base {
  ts: string;
  cpu: number;
  pid: number;
  owner?: number;
  tgid?: number;
}

/** The sync that a marker is; null for any other marker. */
export type SyncOf = (text: string) => { number: number; name: string } | null;

/** Redacts the events of one recording, in order: it keeps what they set up. */
export class EventRedactor {
  readonly #map: Mapping;
  /** Number of the process whose addresses the recording has. */
  readonly #space: number;
  /** Added to every time, ns. */
  readonly #shift: bigint;
  readonly #syncOf: SyncOf;
  readonly #qemu: QemuRedactor;
  readonly #rings = new RingAddresses();

  constructor(map: Mapping, space: number, shift: bigint, syncOf: SyncOf) {
    this.#map = map;
    this.#space = space;
    this.#shift = shift;
    this.#syncOf = syncOf;
    this.#qemu = new QemuRedactor(map, space);
  }

  /** The event as it may be shared, a descriptor perhaps in pieces; none: it is left out. */
  redact(event: NormalisedEvent): NormalisedEvent[] {
    const base = {
      ts: (BigInt(event.ts) + this.#shift).toString(),
      cpu: event.cpu,
      pid: this.#map.pid(event.pid),
      ...(event.owner === undefined ? {} : { owner: this.#map.pid(event.owner) }),
      ...(event.tgid === undefined ? {} : { tgid: this.#map.pid(event.tgid) }),
    };
    if (event.event === "desc") return this.#descriptor(event, base);
    if (event.event === "qemu") {
      return this.#qemu.redact(event).map((out) => ({ event: "qemu", ...base, ...out }));
    }
    const redacted = this.#one(event, base, this.#rings.see(event));
    return redacted ? [redacted] : [];
  }

  /** A descriptor is cut where its pages go to different places. */
  #descriptor(event: DescEvent, base: Base): DescEvent[] {
    const map = this.#map;
    const { acc } = event;
    const vq = hex(map.kernel(BigInt(event.vq)));
    const pieces = map.pieces(BigInt(event.gpa), BigInt(event.len));
    // Whether the iov lies in the queue tells a buffer from an indirect table, and nothing else does.
    const inside = BigInt.asUintN(64, BigInt(event.iov ?? 0) - BigInt(event.vq)) < VQ_BYTES;
    const iov = inside ? vq : ZERO;
    return pieces.map(({ gpa, len }) => ({
      ...{ event: "desc", ...base, vq, gpa: hex(gpa), len: Number(len), acc, iov },
    }));
  }

  #one(
    event: Exclude<NormalisedEvent, DescEvent | QemuTraceEvent>,
    base: Base,
    ring: VringAddress | null,
  ): NormalisedEvent | null {
    const map = this.#map;
    const kernel = (address: string): string => hex(map.kernel(BigInt(address)));
    const gpa = (address: string): string => hex(map.gpa(BigInt(address)));
    const any = (address: string): string => hex(map.user(this.#space, BigInt(address)));
    switch (event.event) {
      case "pop": {
        const vq = event.vq === undefined ? {} : { vq: kernel(event.vq) };
        return { event: "pop", ...base, ...vq, head: event.head };
      }
      case "used": {
        const { head, len, n, idx, num, logused, feat } = event;
        const ring = { vq: kernel(event.vq), logaddr: gpa(event.logaddr) };
        const known = event.nheads !== undefined && BigInt(event.nheads) !== 0n;
        const heads = known ? { nheads: "0x1", nh0: event.nh0 ?? 0, nh1: event.nh1 ?? 0 } : {};
        return { event: "used", ...base, ...ring, head, len, n, idx, num, logused, feat, ...heads };
      }
      case "drain": {
        const { num, avail, used, uflags, logused, feat } = event;
        return {
          ...{ event: "drain", ...base, vq: kernel(event.vq), num, avail, used, uflags, logused },
          ...{ logaddr: gpa(event.logaddr), feat, logbase: any(event.logbase) },
          ...{ dev: kernel(event.dev), q0: kernel(event.q0), q1: kernel(event.q1) },
        };
      }
      case "rearm": {
        const { num, avail, uflags, logused, feat } = event;
        const ring = { vq: kernel(event.vq), logaddr: gpa(event.logaddr) };
        return { event: "rearm", ...base, ...ring, num, avail, uflags, logused, feat };
      }
      case "uflags": {
        const { uflags, logused } = event;
        const ring = { vq: kernel(event.vq), logaddr: gpa(event.logaddr) };
        return { event: "uflags", ...base, ...ring, uflags, logused };
      }
      case "mem": {
        const { start, last, perm } = event;
        const addr = hex(map.host(BigInt(event.addr)));
        return { event: "mem", ...base, iotlb: ZERO, start, last, addr, perm };
      }
      case "ioctl":
        return this.#ioctl(event, base, ring);
      case "ioctl_ret":
        return { event: "ioctl_ret", ...base, ret: event.ret };
      case "marker": {
        const sync = this.#syncOf(event.text);
        if (!sync) return null;
        const name = map.words.syncName(sync.name);
        const text = `dirty_sync_begin ${sync.number}${name === "" ? "" : ` ${name}`}`;
        return { event: "marker", ...base, text };
      }
      case "gap":
        return { event: "gap", ...base, lost: event.lost };
      case "giveback":
        return { event: "giveback", ...base, vq: kernel(event.vq), n: event.n };
      case "rx":
        return { event: "rx", ...base, len: event.len };
      case "rx_ret":
        return { event: "rx_ret", ...base, ret: event.ret };
      case "cdb":
        // A CDB holds the LBA and the verdict does not need it.
        return null;
      default:
        return redactBackEnd(event, base, map, this.#space, ring);
    }
  }

  /** Payload words only where include/uapi/linux/vhost.h says what they are and the replay asks. */
  #ioctl(event: IoctlEvent, base: Base, ring: VringAddress | null): IoctlEvent {
    const map = this.#map;
    const name = ioctlName(event.cmd);
    let a0 = ZERO;
    let a4 = ZERO;
    if (
      name === "SET_FEATURES" ||
      /^SET_VRING_(BASE|NUM|ADDR)$|^GET_VRING_BASE$/.test(name ?? "")
    ) {
      a0 = event.a0;
    } else if (name === "SET_LOG_BASE") a0 = hex(map.user(this.#space, BigInt(event.a0)));
    if (name === "SET_VRING_ADDR") a4 = hex(map.gpa(BigInt(event.a4)));
    const { desc: a1, used: a2 } = ring ? ringWords(map, ring) : { desc: ZERO, used: ZERO };
    const driver = event.driver === undefined ? {} : { driver: event.driver };
    const fn = event.fn === undefined ? {} : { fn: event.fn };
    return {
      ...{ event: "ioctl", ...base, file: ZERO, cmd: name === null ? 0 : event.cmd },
      ...{ vs: hex(map.kernel(BigInt(event.vs))), arg: ZERO },
      ...{ a0, a1, a2, a3: ZERO, a4, ...driver, ...fn },
    };
  }
}
