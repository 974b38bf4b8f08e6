/**
 * The devices of a recording, numbered in the order in which they appear, and what their ioctls tell:
 * driver, features, memory map, log base, endpoint. An ioctl counts when its return probe says that it
 * succeeded.
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
  MAX_DEVICES,
} from "../../assembly/abi.ts";
import type { Core } from "../core/core.ts";
import type { RecordHead } from "../core/event-record.ts";
import type { Queue } from "../core/queue-record.ts";
import type { Place } from "../model/place.ts";
import { driverOf, ioctlName, LOG_ALL, VRING_F_LOG } from "../vhost/ioctl.ts";
import type { Device, MemoryRegion } from "./device.ts";
import { DeviceLinks } from "./device-links.ts";
import { device, type MachineEvidence, space, thread } from "./machine-evidence.ts";

/** What a returned ioctl means to a migration. */
export type IoctlEffect =
  | { what: "logging"; device: Device; on: boolean; ns: string; place: Place }
  | { what: "endpoint-cleared"; device: Device; ns: string; place: Place }
  | { what: "ring-stopped"; device: Device; index: number };

interface PendingIoctl {
  name: string | null;
  device: Device | null;
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
const MAX_REGIONS = 4096;
const MAX_CHANGES = 10000;

/** The devices, and the ioctls that have not returned. */
export class Devices {
  readonly #core: Core;
  readonly #evidence: MachineEvidence;
  readonly #pending = new Map<number, PendingIoctl>();
  readonly #byVs = new Map<bigint, Device>();
  readonly #byDev = new Map<bigint, Device>();
  /** Devices of queues by the queue's number, and the one that each thread drains; null: several. */
  readonly #ofQueue = new Map<number, Device>();
  readonly #drainedBy = new Map<number, Device | null>();
  readonly links = new DeviceLinks();
  /** All devices by their numbers. */
  readonly all: Device[] = [];
  /** Ioctls whose return was not seen before the same thread's next one. */
  unanswered = 0;
  /** Devices that found no room. */
  refused = 0;

  constructor(core: Core, evidence: MachineEvidence) {
    this.#core = core;
    this.#evidence = evidence;
  }

  #add(vs: bigint | null, dev: bigint | null): Device | null {
    if (this.all.length >= MAX_DEVICES) {
      this.refused++;
      return null;
    }
    const number = this.all.length;
    const device: Device = {
      ...{ number, vs, dev, driver: null, features: null, memory: [], logging: [] },
    };
    this.all.push(device);
    return device;
  }

  /** How a device is tied to a thread: its process, as far as both are known. */
  #tie(pid: number): (device: Device) => "same" | "unknown" | "other" {
    const own = this.#evidence.of(thread(pid));
    return ({ number }) => {
      const other = this.#evidence.of(device(number));
      if (own === other) return "same";
      return own.pid !== null && other.pid !== null ? "other" : "unknown";
    };
  }

  /** The device that an ioctl of this thread names. */
  #named(vs: bigint, pid: number, driver: string | null): Device | null {
    let found = this.#byVs.get(vs) ?? null;
    if (!found) {
      const tie = this.#tie(pid);
      found = this.links.ofVs(vs, driver, tie);
      if (found) {
        found.vs = vs;
        this.links.link(found, tie(found) === "same");
      } else {
        found = this.#add(vs, null);
        if (found) this.links.open(found);
      }
      if (!found) return null;
      this.#byVs.set(vs, found);
    }
    this.#evidence.join(device(found.number), thread(pid));
    const process = this.#core.exports.processOf(pid);
    if (process > 0) this.#evidence.process(pid, process, "ioctl");
    return found;
  }

  /**
   * The device that an event of this thread is about, as far as that is known before a drain tells.
   * What a thread does inside an ioctl it does to the device that the ioctl names (SET_ENDPOINT writes
   * used->flags); a worker mostly works for one device.
   */
  expected(pid: number): Device | null {
    return this.#pending.get(pid)?.device ?? this.#drainedBy.get(pid) ?? null;
  }

  /**
   * The device with this struct vhost_dev, which a thread drains. `met`: what its queue was taken for
   * before. Null: too many devices.
   */
  ofDev(dev: bigint, pid: number, met: Device | null): Device | null {
    const known = this.#byDev.get(dev);
    if (known) return known;
    const tie = this.#tie(pid);
    // Met in an ioctl of its device: that ties both addresses.
    const inIoctl = met && met.vs !== null && met.dev === null ? met : null;
    let found = inIoctl ?? this.links.ofDev(dev, tie);
    if (found) {
      const sure = inIoctl !== null || tie(found) === "same";
      found.dev = dev;
      this.links.link(found, sure);
    } else {
      found = met && met.vs === null && met.dev === null ? met : this.#add(null, dev);
      if (!found) return null;
      found.dev = dev;
      this.links.open(found);
    }
    this.#byDev.set(dev, found);
    return found;
  }

  /** A drain by this thread tells the struct vhost_dev of a queue. */
  drained(queue: number, dev: bigint, pid: number): void {
    const found = this.ofDev(dev, pid, this.#ofQueue.get(queue) ?? null);
    if (!found) return;
    const before = this.#drainedBy.get(pid);
    if (before === undefined) this.#drainedBy.set(pid, found);
    else if (before !== found) this.#drainedBy.set(pid, null);
    this.#evidence.join(device(found.number), thread(pid));
    this.#link(queue, found);
  }

  /** The device of a device structure in QEMU's own recording. */
  ofQemu(queue: number, dev: bigint, input: number): void {
    let found = this.#byDev.get(dev) ?? null;
    if (!found) {
      found = this.#add(null, dev);
      if (!found) return;
      this.#byDev.set(dev, found);
    }
    this.#evidence.join(device(found.number), space(input), "qemu");
    this.#link(queue, found);
  }

  /** A queue is taken for this device's; its ioctls count for the queue once a drain confirms it. */
  meet(queue: number, found: Device): void {
    this.#ofQueue.set(queue, found);
  }

  #link(queue: number, found: Device): void {
    this.#ofQueue.set(queue, found);
    this.#core.exports.linkQueue(queue, found.number);
  }

  /** The device of a queue; one of its own where nothing tells it. Null: too many devices. */
  ofQueue({ id, dev, machine }: Pick<Queue, "id" | "dev" | "machine">): Device | null {
    let found = this.#ofQueue.get(id) ?? null;
    if (!found) {
      found = this.#byDev.get(dev) ?? this.#add(null, null);
      if (!found) return null;
      this.#evidence.of(device(found.number)).machine ??= machine;
      this.meet(id, found);
    }
    return found;
  }

  /** Entry of an ioctl; `symbol` resolves the probe's address to a function. */
  async enter(
    head: RecordHead,
    at: number,
    place: Place,
    symbol: (ip: bigint) => string | null | Promise<string | null>,
  ): Promise<void> {
    const view = this.#core.view;
    const name = ioctlName(view.getUint32(at + EVENT_CMD, true));
    const driver =
      driverOf(name, null) ?? driverOf(null, await symbol(view.getBigUint64(at + EVENT_IP, true)));
    const pending: PendingIoctl = {
      name,
      device: this.#named(view.getBigUint64(at + EVENT_VS, true), head.pid, driver),
      a0: view.getBigUint64(at + EVENT_A0, true),
      a4: view.getBigUint64(at + EVENT_A4, true),
      regions: [],
      place,
      ns: head.ts.toString(),
    };
    if (this.#pending.has(head.pid)) this.unanswered++;
    else if (this.#pending.size >= MAX_PENDING) this.#pending.clear();
    this.#pending.set(head.pid, pending);
    const named = pending.device;
    if (!named || named.driver !== null || driver === null) return;
    named.driver = driver;
    const number = DRIVERS[driver];
    if (number !== undefined) this.#core.exports.setDriver(named.number, number);
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
    const named = pending.device;
    if (!named) return null;
    switch (pending.name) {
      case "SET_FEATURES":
        exports.setFeatures(named.number, pending.a0);
        if (((named.features ?? 0n) ^ pending.a0) & LOG_ALL) {
          const on = (pending.a0 & LOG_ALL) !== 0n;
          this.#change(pending, on ? "LOG_ALL on" : "LOG_ALL off");
          named.features = pending.a0;
          return { what: "logging", device: named, on, ns: pending.ns, place: pending.place };
        }
        named.features = pending.a0;
        break;
      case "SET_LOG_BASE":
        exports.setLogBase(named.number, pending.a0);
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
        named.memory = pending.regions;
        this.#evidence.of(device(named.number)).maps.set(named.number, pending.regions);
        break;
      case "SET_OWNER": {
        // Its worker is called vhost-PID after this thread.
        if (this.#core.exports.processOf(head.pid) <= 0) {
          this.#evidence.process(head.pid, head.pid, "ioctl");
        }
        break;
      }
      case "SCSI_SET_ENDPOINT":
        this.#change(pending, "SET_ENDPOINT");
        break;
      case "SCSI_CLEAR_ENDPOINT":
        exports.clearEndpoint(named.number);
        this.#change(pending, "CLEAR_ENDPOINT");
        if (named.features === null || !(named.features & LOG_ALL)) break;
        return { what: "endpoint-cleared", device: named, ns: pending.ns, place: pending.place };
      case "GET_VRING_BASE":
        // struct vhost_vring_state: u32 index, u32 num. QEMU stops one ring after the other.
        return { what: "ring-stopped", device: named, index: Number(pending.a0 & 0xffffffffn) };
      default:
    }
    return null;
  }

  #change(pending: PendingIoctl, what: string): void {
    const logging = pending.device?.logging;
    if (logging && logging.length < MAX_CHANGES) {
      logging.push({ place: pending.place, ns: pending.ns, what });
    }
  }
}

/**
 * Bytes that QEMU gives the log: 8 for each 256 KiB up to the highest address of a memory map
 * (hw/virtio/vhost.c vhost_get_log_size()); 0 when no map is known.
 */
export function qemuLogBytes(devices: readonly Device[]): number {
  let last = -1n;
  for (const { memory } of devices) {
    for (const region of memory) if (region.last > last) last = region.last;
  }
  return last < 0n ? 0 : Number(last / 0x40000n + 1n) * 8;
}
