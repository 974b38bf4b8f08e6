/** What an ioctl that succeeded, or a message of a user-space back end, does to its device. */
import {
  EVENT_A0,
  EVENT_A1,
  EVENT_A2,
  EVENT_A3,
  EVENT_A4,
  EVENT_ADDR,
  EVENT_LAST,
  EVENT_START,
} from "../../assembly/event-abi.ts";
import type { Core } from "../core/core.ts";
import type { Place } from "../model/place.ts";
import { LOG_ALL, VRING_F_LOG } from "../vhost/ioctl.ts";
import { PROTOCOL_FEATURES, RING_PACKED } from "../vhost/message.ts";
import type { Device } from "./device.ts";
import { device, type MachineEvidence } from "./machine-evidence.ts";
import { guestAddress, type MemoryRegion, qemuLogPages } from "./memory-table.ts";
import { isSession, type Sessions } from "./sessions.ts";

/** What a returned ioctl means to a migration. */
export type IoctlEffect =
  | { what: "logging"; device: Device; on: boolean; ns: string; place: Place }
  | { what: "endpoint-cleared"; device: Device; ns: string; place: Place }
  | { what: "ring-stopped"; device: Device; index: number };

/** Words of an ioctl's argument, a0 to a4, of the record at `at`. */
export function ioctlWords(view: DataView, at: number): bigint[] {
  return [EVENT_A0, EVENT_A1, EVENT_A2, EVENT_A3, EVENT_A4].map((word) =>
    view.getBigUint64(at + word, true),
  );
}

/** The region of the mem record at `at`. */
export function regionAt(view: DataView, at: number): MemoryRegion {
  return {
    first: view.getBigUint64(at + EVENT_START, true),
    last: view.getBigUint64(at + EVENT_LAST, true),
    hva: view.getBigUint64(at + EVENT_ADDR, true),
  };
}

export interface PendingIoctl {
  name: string | null;
  device: Device | null;
  /** Words of the argument, a0 to a4. */
  words: bigint[];
  regions: MemoryRegion[];
  place: Place;
  ns: string;
}

/** Ioctls with which the kernel's drivers begin to serve a device. */
const STARTS = new Set(["SCSI_SET_ENDPOINT", "NET_SET_BACKEND", "VSOCK_SET_RUNNING"]);
const OWNED = 1;
const STARTED = 2;
const LOG_TOLD = 4;

/** No more changes than this are kept of a hostile recording. */
const MAX_CHANGES = 10000;
/** Of 16 TiB of guest memory. */
const MAX_LOG_BYTES = 1n << 29n;

export class DeviceIoctls {
  readonly #core: Core;
  readonly #evidence: MachineEvidence;
  readonly #sessions: Sessions;
  /** Addresses of rings that lie in no region of the memory table. */
  untranslated = 0;

  constructor(core: Core, evidence: MachineEvidence, sessions: Sessions) {
    this.#core = core;
    this.#evidence = evidence;
    this.#sessions = sessions;
  }

  /** The kernel serves this device, whether its start is recorded or not. */
  serves({ number }: Device): void {
    this.#core.exports.noteDeviceState(number, STARTED);
  }

  /** An ioctl returned 0, or a message took effect. */
  apply(pending: PendingIoctl): IoctlEffect | null {
    const { exports } = this.#core;
    const { device: named, place, ns } = pending;
    if (!named) return null;
    const { number } = named;
    const session = named.vs !== null && isSession(named.vs);
    const [a0, a1] = pending.words as [bigint, bigint];
    if (STARTS.has(pending.name ?? "")) exports.noteDeviceState(number, STARTED);
    switch (pending.name) {
      case "SET_OWNER":
        exports.noteDeviceState(number, OWNED);
        // A connection begins without a log.
        if (session) exports.setLogBase(number, 0n);
        break;
      case "SET_FEATURES": {
        const features = a0 & ~PROTOCOL_FEATURES;
        exports.setFeatures(number, a0);
        const on = (features & LOG_ALL) !== 0n;
        const changed = (((named.features ?? 0n) ^ features) & LOG_ALL) !== 0n;
        named.features = features;
        if (session) this.#sessions.features(named.vs!, features);
        if (!changed) break;
        this.change(pending, on ? "LOG_ALL on" : "LOG_ALL off");
        return { what: "logging", device: named, on, ns, place };
      }
      case "SET_LOG_BASE":
        // The message has the size of the log and where it begins in its file; no address is 0 of it.
        if (session) {
          named.logPages = Number(a0 < MAX_LOG_BYTES ? a0 : MAX_LOG_BYTES) * 8;
          exports.setLogBase(number, 1n);
          this.change(pending, `SET_LOG_BASE of ${a0} bytes at ${a1}`);
        } else {
          exports.setLogBase(number, a0);
          this.change(pending, "SET_LOG_BASE");
        }
        exports.noteDeviceState(number, LOG_TOLD);
        this.#tellLogEnd(named);
        break;
      case "SET_VRING_BASE":
        exports.forgetAvail(number);
        break;
      case "SET_VRING_ADDR":
        this.#vringAddress(pending, named);
        break;
      case "SET_MEM_TABLE":
        named.memory = pending.regions;
        this.#evidence.of(device(number)).maps.set(number, pending.regions);
        this.#tellLogEnd(named);
        break;
      case "SCSI_SET_ENDPOINT":
        this.change(pending, "SET_ENDPOINT");
        break;
      case "SCSI_CLEAR_ENDPOINT":
        exports.clearEndpoint(number);
        this.change(pending, "CLEAR_ENDPOINT");
        if (named.features === null || !(named.features & LOG_ALL)) break;
        return { what: "endpoint-cleared", device: named, ns, place };
      case "GET_VRING_BASE":
        // struct vhost_vring_state: u32 index, u32 num. QEMU stops one ring after the other.
        return { what: "ring-stopped", device: named, index: Number(a0 & 0xffffffffn) };
      default:
    }
    return null;
  }

  /** struct vhost_vring_addr: u32 index, u32 flags, then desc, used, avail and the log address. */
  #vringAddress(pending: PendingIoctl, named: Device): void {
    const [a0, desc, used, , log] = pending.words as [bigint, bigint, bigint, bigint, bigint];
    const index = Number(a0 & 0xffffffffn);
    const flag = ((a0 >> 32n) & VRING_F_LOG) !== 0n;
    const packed = ((named.features ?? 0n) & RING_PACKED) !== 0n;
    const what = packed ? "log address" : "used ring";
    this.change(
      pending,
      `vring ${index} log flag ${flag ? "on" : "off"}, ${what} 0x${log.toString(16)}`,
    );
    if (!packed && !(named.vs !== null && isSession(named.vs))) return;
    // QEMU gives the address of the device event area to be logged (vhost_virtqueue_set_addr()).
    const told = [guestAddress(named.memory, used), guestAddress(named.memory, desc)];
    if (packed) this.untranslated += told.filter((address) => address === null).length;
    const event = told[0] ?? log;
    const ring = told[1] ?? BigInt.asUintN(64, log + desc - used);
    this.#core.exports.setVring(named.number, index, flag, log, ring, event);
  }

  /** Where the log ends: as the message says, else as QEMU allocates it for the memory table. */
  #tellLogEnd(named: Device): void {
    const pages = named.logPages ?? qemuLogPages([named.memory]);
    this.#core.exports.setDeviceLogEnd(named.number, pages);
  }

  /** Notes a change of the log in the life of the device. */
  change(pending: PendingIoctl, what: string): void {
    const logging = pending.device?.logging;
    if (logging && logging.length < MAX_CHANGES) {
      logging.push({ place: pending.place, ns: pending.ns, what });
    }
  }
}
