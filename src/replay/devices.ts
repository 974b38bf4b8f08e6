/**
 * What the ioctls tell of each device: driver, features, memory map, log base, endpoint. An ioctl
 * counts when its return probe says that it succeeded.
 */
import {
  Driver,
  EVENT_A0,
  EVENT_A4,
  EVENT_ADDR,
  EVENT_CMD,
  EVENT_IP,
  EVENT_LAST,
  EVENT_RET,
  EVENT_START,
  EVENT_VS,
} from "../../assembly/abi.ts";
import type { Core } from "../core/core.ts";
import type { RecordHead } from "../core/event-record.ts";
import type { Place } from "../model/place.ts";
import { driverOf, ioctlName, LOG_ALL, VRING_F_LOG } from "../vhost/ioctl.ts";

export interface LoggingChange {
  place: Place;
  ns: string;
  what: string;
}

export interface MemoryRegion {
  first: bigint;
  last: bigint;
  hva: bigint;
}

export interface Device {
  vs: bigint;
  driver: string | null;
  features: bigint | null;
  memory: MemoryRegion[];
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
  a0: bigint;
  a4: bigint;
  regions: MemoryRegion[];
  place: Place;
  ns: string;
}

const DRIVERS: Record<string, Driver> = {
  "vhost-scsi": Driver.Scsi,
  "vhost-net": Driver.Net,
  "vhost-vsock": Driver.Vsock,
};

/** No more than this is kept of a hostile recording. */
const MAX_PENDING = 65536;
const MAX_DEVICES = 4096;
const MAX_REGIONS = 4096;
const MAX_CHANGES = 10000;

/** The devices that ioctls name, and the ioctls that have not returned. */
export class Devices {
  readonly #core: Core;
  readonly #pending = new Map<number, PendingIoctl>();
  readonly #byVs = new Map<bigint, Device>();
  /** Ioctls whose return was not seen before the same thread's next one. */
  unanswered = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** All devices, in the order in which they were first named. */
  get all(): Device[] {
    return [...this.#byVs.values()];
  }

  #device(vs: bigint): Device {
    let device = this.#byVs.get(vs);
    if (!device) {
      device = { vs, driver: null, features: null, memory: [], logging: [] };
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
      a0: view.getBigUint64(at + EVENT_A0, true),
      a4: view.getBigUint64(at + EVENT_A4, true),
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
      device.driver = driverOf(pending.name, null) ?? driverOf(null, await symbol(ip));
      const number = device.driver === null ? undefined : DRIVERS[device.driver];
      if (number !== undefined) this.#core.exports.setDriver(pending.vs, number);
    }
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
    const { exports } = this.#core;
    const device = this.#device(pending.vs);
    switch (pending.name) {
      case "SET_FEATURES":
        exports.setFeatures(pending.vs, pending.a0);
        if (((device.features ?? 0n) ^ pending.a0) & LOG_ALL) {
          const on = (pending.a0 & LOG_ALL) !== 0n;
          this.#change(pending, on ? "LOG_ALL on" : "LOG_ALL off");
          device.features = pending.a0;
          return { what: "logging", on, ns: pending.ns, place: pending.place };
        }
        device.features = pending.a0;
        break;
      case "SET_LOG_BASE":
        exports.setLogBase(pending.vs, pending.a0);
        this.#change(pending, "SET_LOG_BASE");
        break;
      case "SET_VRING_ADDR": {
        // struct vhost_vring_addr: u32 index, u32 flags, then four u64.
        const index = Number(pending.a0 & 0xffffffffn);
        const log = (pending.a0 >> 32n) & VRING_F_LOG;
        const words = `vring ${index} log flag ${log ? "on" : "off"}, used ring 0x${pending.a4.toString(16)}`;
        this.#change(pending, words);
        break;
      }
      case "SET_MEM_TABLE":
        device.memory = pending.regions;
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
        return { what: "ring-stopped", vs: pending.vs, index: Number(pending.a0 & 0xffffffffn) };
      default:
    }
    return null;
  }

  #change(pending: PendingIoctl, what: string): void {
    const { logging } = this.#device(pending.vs);
    if (logging.length < MAX_CHANGES) logging.push({ place: pending.place, ns: pending.ns, what });
  }

  /**
   * Bytes that QEMU gives the log: 8 for each 256 KiB up to the highest address of a memory map
   * (hw/virtio/vhost.c vhost_get_log_size()); 0 when no map is known.
   */
  qemuLogBytes(): number {
    let last = -1n;
    for (const device of this.#byVs.values()) {
      for (const region of device.memory) if (region.last > last) last = region.last;
    }
    return last < 0n ? 0 : Number(last / 0x40000n + 1n) * 8;
  }
}
