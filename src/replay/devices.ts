/**
 * What the ioctls tell of each device: driver, features, memory map, log base, endpoint. An ioctl
 * counts when its return probe says that it succeeded.
 */
import {
  Driver,
  EVENT_A0,
  EVENT_A1,
  EVENT_A2,
  EVENT_A3,
  EVENT_A4,
  EVENT_ADDR,
  EVENT_CMD,
  EVENT_DEV,
  EVENT_FEAT,
  EVENT_IP,
  EVENT_LAST,
  EVENT_RET,
  EVENT_START,
  EVENT_VS,
  EventKind,
} from "../../assembly/abi.ts";
import type { Core } from "../core/core.ts";
import type { RecordHead } from "../core/event-record.ts";
import type { Place } from "../model/place.ts";
import { driverOf, ioctlName, LOG_ALL, VRING_F_LOG } from "../vhost/ioctl.ts";
import { messageName, PROTOCOL_FEATURES, RING_PACKED } from "../vhost/message.ts";
import { guestAddress, type MemoryRegion, onlyRegion, qemuLogPages } from "./memory-table.ts";
import { isSession, Sessions } from "./sessions.ts";

export interface LoggingChange {
  place: Place;
  ns: string;
  what: string;
}

export interface Device {
  vs: bigint;
  driver: string | null;
  features: bigint | null;
  memory: MemoryRegion[];
  /** Pages that the log has room for, where a message says it. */
  logPages: number | null;
  logging: LoggingChange[];
}

/** What a returned ioctl means to a migration. */
export type IoctlEffect =
  | { what: "logging"; on: boolean; ns: string; place: Place }
  | { what: "endpoint-cleared"; ns: string; place: Place }
  | { what: "ring-stopped"; vs: bigint; index: number };

interface PendingIoctl {
  name: string | null;
  vs: bigint;
  /** Words of the argument, a0 to a4. */
  words: bigint[];
  regions: MemoryRegion[];
  place: Place;
  ns: string;
}

const DRIVERS: Record<string, Driver> = {
  "vhost-scsi": Driver.Scsi,
  "vhost-net": Driver.Net,
  "vhost-vsock": Driver.Vsock,
  "vhost-user": Driver.VhostUser,
  "vhost-user-scsi": Driver.VhostUserScsi,
  "vhost-user-blk": Driver.VhostUserBlk,
  "vhost-user-net": Driver.VhostUserNet,
  "vhost-user-fs": Driver.VhostUserFs,
};

/** Ioctls with which the kernel's drivers begin to serve a device. */
const STARTS = new Set(["SCSI_SET_ENDPOINT", "NET_SET_BACKEND", "VSOCK_SET_RUNNING"]);
const OWNED = 1;
const STARTED = 2;
const LOG_TOLD = 4;

/** No more than this is kept of a hostile recording. */
const MAX_PENDING = 65536;
const MAX_DEVICES = 4096;
const MAX_REGIONS = 4096;
const MAX_CHANGES = 10000;
/** Of 16 TiB of guest memory. */
const MAX_LOG_BYTES = 1n << 29n;

/** The devices that ioctls name, and the ioctls that have not returned. */
export class Devices {
  readonly #core: Core;
  readonly #pending = new Map<number, PendingIoctl>();
  readonly #byVs = new Map<bigint, Device>();
  /** Which messages are of which session of a user-space back end. */
  readonly sessions: Sessions;
  /** Ioctls whose return was not seen before the same thread's next one. */
  unanswered = 0;

  constructor(core: Core) {
    this.#core = core;
    this.sessions = new Sessions(core);
  }

  /** All devices, in the order in which they were first named. */
  get all(): Device[] {
    return [...this.#byVs.values()];
  }

  #device(vs: bigint): Device {
    let device = this.#byVs.get(vs);
    if (!device) {
      device = { vs, driver: null, features: null, memory: [], logPages: null, logging: [] };
      if (this.#byVs.size < MAX_DEVICES) this.#byVs.set(vs, device);
    }
    return device;
  }

  /** Entry of an ioctl; `symbol` resolves the probe's address to a function. */
  async enter(
    head: RecordHead,
    at: number,
    place: Place,
    symbol: (ip: bigint) => string | null | Promise<string | null>,
  ): Promise<void> {
    const view = this.#core.view;
    const pending: PendingIoctl = {
      name: ioctlName(view.getUint32(at + EVENT_CMD, true)),
      vs: view.getBigUint64(at + EVENT_VS, true),
      words: this.#words(at),
      regions: [],
      place,
      ns: head.ts.toString(),
    };
    const ip = view.getBigUint64(at + EVENT_IP, true);
    if (this.#pending.has(head.pid)) this.unanswered++;
    else if (this.#pending.size >= MAX_PENDING) this.#pending.clear();
    this.#pending.set(head.pid, pending);
    const device = this.#device(pending.vs);
    if (device.driver === null) {
      device.driver = driverOf(null, await symbol(ip)) ?? driverOf(pending.name, null);
      const number = device.driver === null ? undefined : DRIVERS[device.driver];
      if (number !== undefined) this.#core.exports.setDriver(pending.vs, number);
    }
  }

  #words(at: number): bigint[] {
    const view = this.#core.view;
    return [EVENT_A0, EVENT_A1, EVENT_A2, EVENT_A3, EVENT_A4].map((word) =>
      view.getBigUint64(at + word, true),
    );
  }

  /**
   * A queue of a session of SPDK that was met, or a message that a user-space back end handles, which
   * takes effect as an ioctl that succeeds.
   */
  backEnd(head: RecordHead, at: number, place: Place): IoctlEffect | null {
    const view = this.#core.view;
    if (head.kind === EventKind.VuPopEntry || head.kind === EventKind.VuFill) {
      return this.#toldByQueue(head, at, place);
    }
    if (head.kind !== EventKind.Message) {
      this.sessions.meet(at);
      // The completion waited for it.
      if (head.kind === EventKind.SpdkUsed) this.#core.exports.onSpdkUsed(at);
      return null;
    }
    const vs = this.sessions.device(
      Number(BigInt.asIntN(32, view.getBigUint64(at + EVENT_VS, true))),
    );
    const device = this.#device(vs);
    if (device.driver === null) {
      device.driver = "vhost-user";
      this.#core.exports.setDriver(vs, Driver.VhostUser);
    }
    const words = this.#words(at);
    const name = messageName(view.getUint32(at + EVENT_CMD, true));
    const regions = name === "SET_MEM_TABLE" ? onlyRegion(words) : [];
    return this.#apply({ name, vs, words, regions, place, ns: head.ts.toString() });
  }

  /** Features that a queue of libvhost-user shows, where no message is recorded. */
  #toldByQueue(head: RecordHead, at: number, place: Place): IoctlEffect | null {
    const view = this.#core.view;
    const vs = view.getBigUint64(at + EVENT_DEV, true);
    const device = this.#device(vs);
    device.driver ??= "vhost-user";
    const words = [view.getBigUint64(at + EVENT_FEAT, true), 0n, 0n, 0n, 0n];
    const ns = head.ts.toString();
    return this.#apply({ name: "SET_FEATURES", vs, words, regions: [], place, ns });
  }

  /** A region of the memory table that this thread's SET_MEM_TABLE installs. */
  region(head: RecordHead, at: number): void {
    const view = this.#core.view;
    const pending = this.#pending.get(head.pid);
    if (!pending || pending.regions.length >= MAX_REGIONS) return;
    pending.regions.push({
      first: view.getBigUint64(at + EVENT_START, true),
      last: view.getBigUint64(at + EVENT_LAST, true),
      hva: view.getBigUint64(at + EVENT_ADDR, true),
    });
  }

  /** Return of an ioctl: applies it when it succeeded. */
  leave(head: RecordHead, at: number): IoctlEffect | null {
    const pending = this.#pending.get(head.pid);
    if (!pending) return null;
    this.#pending.delete(head.pid);
    const ret = this.#core.view.getBigInt64(at + EVENT_RET, true);
    if (ret !== 0n) {
      if (pending.name === "SET_FEATURES" || pending.name === "SET_LOG_BASE") {
        this.#change(pending, `${pending.name} failed with ${ret}`);
      }
      return null;
    }
    return this.#apply(pending);
  }

  #apply(pending: PendingIoctl): IoctlEffect | null {
    const { exports } = this.#core;
    const device = this.#device(pending.vs);
    const [a0, a1] = pending.words as [bigint, bigint];
    if (STARTS.has(pending.name ?? "")) exports.noteDeviceState(pending.vs, STARTED);
    switch (pending.name) {
      case "SET_OWNER":
        exports.noteDeviceState(pending.vs, OWNED);
        // A connection begins without a log.
        if (isSession(pending.vs)) exports.setLogBase(pending.vs, 0n);
        break;
      case "SET_FEATURES": {
        const features = a0 & ~PROTOCOL_FEATURES;
        exports.setFeatures(pending.vs, a0);
        const on = (features & LOG_ALL) !== 0n;
        const changed = (((device.features ?? 0n) ^ features) & LOG_ALL) !== 0n;
        device.features = features;
        if (isSession(pending.vs)) this.sessions.features(pending.vs, features);
        if (!changed) break;
        this.#change(pending, on ? "LOG_ALL on" : "LOG_ALL off");
        return { what: "logging", on, ns: pending.ns, place: pending.place };
      }
      case "SET_LOG_BASE":
        // The message has the size of the log and where it begins in its file; no address is 0 of it.
        if (isSession(pending.vs)) {
          device.logPages = Number(a0 < MAX_LOG_BYTES ? a0 : MAX_LOG_BYTES) * 8;
          exports.setLogBase(pending.vs, 1n);
          this.#change(pending, `SET_LOG_BASE of ${a0} bytes at ${a1}`);
        } else {
          exports.setLogBase(pending.vs, a0);
          this.#change(pending, "SET_LOG_BASE");
        }
        exports.noteDeviceState(pending.vs, LOG_TOLD);
        this.#tellLogEnd(device);
        break;
      case "SET_VRING_ADDR":
        this.#vringAddress(pending, device);
        break;
      case "SET_MEM_TABLE":
        device.memory = pending.regions;
        this.#tellLogEnd(device);
        break;
      case "SCSI_SET_ENDPOINT":
        this.#change(pending, "SET_ENDPOINT");
        break;
      case "SCSI_CLEAR_ENDPOINT":
        exports.clearEndpoint(pending.vs);
        this.#change(pending, "CLEAR_ENDPOINT");
        if (device.features === null || !(device.features & LOG_ALL)) break;
        return { what: "endpoint-cleared", ns: pending.ns, place: pending.place };
      case "GET_VRING_BASE":
        // struct vhost_vring_state: u32 index, u32 num. QEMU stops one ring after the other.
        return { what: "ring-stopped", vs: pending.vs, index: Number(a0 & 0xffffffffn) };
      default:
    }
    return null;
  }

  /** struct vhost_vring_addr: u32 index, u32 flags, then desc, used, avail and the log address. */
  #vringAddress(pending: PendingIoctl, device: Device): void {
    const [a0, desc, used, , log] = pending.words as [bigint, bigint, bigint, bigint, bigint];
    const index = Number(a0 & 0xffffffffn);
    const flag = ((a0 >> 32n) & VRING_F_LOG) !== 0n;
    const packed = ((device.features ?? 0n) & RING_PACKED) !== 0n;
    const what = packed ? "log address" : "used ring";
    this.#change(
      pending,
      `vring ${index} log flag ${flag ? "on" : "off"}, ${what} 0x${log.toString(16)}`,
    );
    if (!packed && !isSession(pending.vs)) return;
    // QEMU gives the address of the device event area to be logged (vhost_virtqueue_set_addr()).
    const event = guestAddress(device.memory, used) ?? log;
    const ring = guestAddress(device.memory, desc) ?? BigInt.asUintN(64, log + desc - used);
    this.#core.exports.setVring(pending.vs, index, flag, log, ring, event);
  }

  /** Where the log ends: as the message says, else as QEMU allocates it for the memory table. */
  #tellLogEnd(device: Device): void {
    this.#core.exports.setDeviceLogEnd(device.vs, device.logPages ?? qemuLogPages([device.memory]));
  }

  #change(pending: PendingIoctl, what: string): void {
    const { logging } = this.#device(pending.vs);
    if (logging.length < MAX_CHANGES) logging.push({ place: pending.place, ns: pending.ns, what });
  }

  /** Bytes that QEMU gives the log (`qemuLogPages`); 0 when no map is known. */
  qemuLogBytes(): number {
    return qemuLogPages([...this.#byVs.values()].map(({ memory }) => memory)) / 8;
  }
}
