/**
 * The devices of a recording, numbered in the order in which they appear, and what their ioctls tell:
 * driver, features, memory map, log base, endpoint. An ioctl counts when its return probe says that it
 * succeeded.
 */
import {
  EVENT_CMD,
  EVENT_DEV,
  EVENT_FEAT,
  EVENT_IP,
  EVENT_KIND,
  EVENT_RET,
  EVENT_VQ,
  EVENT_VS,
  EventKind,
} from "../../assembly/event-abi.ts";
import { Driver, MAX_DEVICES } from "../../assembly/queue-abi.ts";
import type { Core } from "../core/core.ts";
import type { RecordHead } from "../core/event-record.ts";
import type { Queue } from "../core/queue-record.ts";
import type { Feed } from "../formats/feed.ts";
import type { Place } from "../model/place.ts";
import { driverOf, ioctlName } from "../vhost/ioctl.ts";
import { backEndDriver, messageName, RING_PACKED } from "../vhost/message.ts";
import { type Device, DRIVERS, newDevice } from "./device.ts";
import {
  DeviceIoctls,
  type IoctlEffect,
  ioctlWords,
  type PendingIoctl,
  regionAt,
} from "./device-ioctls.ts";
import { DeviceLinks } from "./device-links.ts";
import { device, type MachineEvidence, space, thread } from "./machine-evidence.ts";
import { onlyRegion } from "./memory-table.ts";
import { Sessions } from "./sessions.ts";
import { StandIns } from "./stand-ins.ts";

/** No more than this is kept of a hostile recording. */
const MAX_PENDING = 65536;
const MAX_REGIONS = 4096;

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
  readonly #standIns = new StandIns();
  readonly links = new DeviceLinks();
  /** Which messages are of which session of a user-space back end. */
  readonly sessions: Sessions;
  readonly #ioctls: DeviceIoctls;
  /** All devices by their numbers. */
  readonly all: Device[] = [];
  /** Ioctls whose return was not seen before the same thread's next one. */
  unanswered = 0;
  /** Returns of ioctls whose entry was not seen, where the same thread's ioctls were before. */
  unentered = 0;
  /** Threads of which an ioctl or its return was seen. */
  readonly #callers = new Set<number>();
  /** Devices that found no room. */
  refused = 0;

  constructor(core: Core, evidence: MachineEvidence) {
    this.#core = core;
    this.#evidence = evidence;
    this.sessions = new Sessions(core);
    this.#ioctls = new DeviceIoctls(core, evidence, this.sessions);
  }

  /** Addresses of rings that lie in no region of the memory table. */
  get untranslated(): number {
    return this.#ioctls.untranslated;
  }

  #add(vs: bigint | null, dev: bigint | null): Device | null {
    if (this.all.length >= MAX_DEVICES) {
      this.refused++;
      return null;
    }
    const device = newDevice(this.all.length, vs, dev);
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
      if (found) this.#standIns.told(found);
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
    if (before !== found) this.#drainedBy.set(pid, before === undefined ? found : null);
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

  /** A device that QEMU hands to a back end in user space, by its struct vhost_dev. Null: too many devices. */
  handed(dev: bigint, input: number, name: string): Device | null {
    const key = this.#core.exports.addressKey(input, dev);
    let found = this.#byDev.get(key) ?? null;
    if (!found) {
      found = this.#add(null, key);
      if (!found) return null;
      this.#byDev.set(key, found);
      found.driver = backEndDriver(name);
      found.handed = true;
    }
    this.#evidence.join(device(found.number), space(input), "qemu");
    return found;
  }

  /** A queue is taken for this device's; its ioctls count for the queue once a drain confirms it. */
  meet(queue: number, found: Device): void {
    this.#ofQueue.set(queue, found);
  }

  /** A queue is met of which nothing was told: its worker mostly works for one device. */
  standIn(queue: number, machine: number, pid: number): void {
    const other = this.#standIns.ofWorker(pid, machine);
    if (other) this.meet(queue, other);
    else this.#standIns.worksFor(pid, machine, this.#standFor(queue, machine));
  }

  #standFor(queue: number, machine: number): Device | null {
    const found = this.#add(null, null);
    if (found) this.#standIns.add(found);
    return found && this.#meetAt(queue, machine, found);
  }

  #meetAt(queue: number, machine: number, found: Device): Device {
    this.#evidence.of(device(found.number)).machine ??= machine;
    this.meet(queue, found);
    return found;
  }

  #link(queue: number, found: Device): void {
    this.#standIns.replace(this.#ofQueue.get(queue), found);
    this.#ofQueue.set(queue, found);
    this.#core.exports.linkQueue(queue, found.number);
  }

  /** The device of a queue; one of its own where nothing tells it. Null: too many devices. */
  ofQueue({ id, dev, machine }: Pick<Queue, "id" | "dev" | "machine">): Device | null {
    const told = this.#ofQueue.get(id);
    if (told && !this.#standIns.has(told)) return told;
    const known = this.#byDev.get(dev);
    if (!known) return told ?? this.#standFor(id, machine);
    this.#standIns.replace(told, known);
    return this.#meetAt(id, machine, known);
  }

  /**
   * SET_OWNER is for a device that was opened just now: one of the same address that was another's, or
   * that has an owner, was closed before (vhost_dev_set_owner() refuses a second one).
   */
  #reopened(vs: bigint, pid: number): void {
    const old = this.#byVs.get(vs);
    if (!old) return;
    const another = this.#evidence.of(thread(pid)) !== this.#evidence.of(device(old.number));
    if (old.opened === null && (old.dev === null || !another)) return;
    this.#byVs.delete(vs);
    if (old.dev !== null) this.#byDev.delete(old.dev);
    for (const [thread, drained] of this.#drainedBy) {
      if (drained === old) this.#drainedBy.delete(thread);
    }
    this.links.close(old);
    this.#core.exports.retireDevice(old.number);
  }

  /** Entry of an ioctl; `feed` resolves the probe's address to a function. */
  async enter(
    head: RecordHead,
    at: number,
    place: Place,
    feed: Pick<Feed, "symbol" | "probesKernel">,
  ): Promise<void> {
    const view = this.#core.view;
    const name = ioctlName(view.getUint32(at + EVENT_CMD, true));
    const ip = view.getBigUint64(at + EVENT_IP, true);
    const probed = driverOf(null, await feed.symbol(ip));
    const driver = probed ?? driverOf(name, null);
    if (name === "SET_OWNER") this.#reopened(view.getBigUint64(at + EVENT_VS, true), head.pid);
    const pending: PendingIoctl = {
      name,
      device: this.#named(view.getBigUint64(at + EVENT_VS, true), head.pid, driver),
      words: ioctlWords(this.#core.view, at),
      regions: [],
      place,
      ns: head.ts.toString(),
    };
    if (this.#pending.has(head.pid)) this.unanswered++;
    else if (this.#pending.size >= MAX_PENDING) this.#pending.clear();
    this.#noteCaller(head.pid);
    this.#pending.set(head.pid, pending);
    const named = pending.device;
    // Its start may be missing; that it is no back end of user space is known.
    if (named && probed !== null && feed.probesKernel(ip)) this.#ioctls.serves(named);
    if (!named || named.driver !== null || driver === null) return;
    named.driver = driver;
    const number = DRIVERS[driver];
    if (number !== undefined) this.#core.exports.nameDriver(named.number, number);
  }

  #noteCaller(pid: number): void {
    if (this.#callers.size >= MAX_PENDING) this.#callers.clear();
    this.#callers.add(pid);
  }

  /** The device that messages of a user-space back end name by this number. */
  #ofMessages(vid: number): Device | null {
    const vs = this.sessions.device(vid);
    let found = this.#byVs.get(vs) ?? null;
    if (found) return found;
    found = this.#add(vs, null);
    if (!found) return null;
    this.#byVs.set(vs, found);
    found.driver = "vhost-user";
    this.#core.exports.nameDriver(found.number, Driver.VhostUser);
    return found;
  }

  /** The device that a session of SPDK, or a device of libvhost-user, works for. Null: too many devices. */
  ofSession(at: number): Device | null {
    const view = this.#core.view;
    const dev = view.getBigUint64(at + EVENT_DEV, true);
    const spdk = view.getUint8(at + EVENT_KIND) <= EventKind.SpdkUsed;
    const vs = spdk ? this.sessions.meet(at) : null;
    let found = vs === null ? null : (this.#byVs.get(vs) ?? null);
    found ??= this.#byDev.get(dev) ?? null;
    if (!found) {
      found = this.#add(null, dev);
      if (found) this.#byDev.set(dev, found);
    }
    if (found) {
      found.program = spdk ? "spdk" : "libvhost-user";
      found.ring = view.getBigUint64(at + EVENT_FEAT, true) & RING_PACKED ? "packed" : "split";
    }
    return found;
  }

  /**
   * A queue of a session of SPDK that was met, or a message that a user-space back end handles, which
   * takes effect as an ioctl that succeeds.
   */
  backEnd(head: RecordHead, at: number, place: Place): IoctlEffect | null {
    const { exports } = this.#core;
    if (head.kind === EventKind.VuPopEntry || head.kind === EventKind.VuFill) {
      return this.#toldByQueue(head, at, place);
    }
    if (head.kind !== EventKind.Message) {
      const found = this.ofSession(at);
      const queue = exports.queueNumber(this.#core.view.getBigUint64(at + EVENT_VQ, true));
      if (found && queue >= 0) {
        this.#standIns.replace(this.#ofQueue.get(queue), found);
        this.#ofQueue.set(queue, found);
        if (found.vs === null) exports.linkQueue(queue, found.number);
        else exports.adoptQueue(queue, found.number);
      }
      // The completion waited for it.
      if (head.kind === EventKind.SpdkUsed) exports.onSpdkUsed(at);
      return null;
    }
    const vid = BigInt.asIntN(32, this.#core.view.getBigUint64(at + EVENT_VS, true));
    const found = this.#ofMessages(Number(vid));
    const words = ioctlWords(this.#core.view, at);
    const name = messageName(this.#core.view.getUint32(at + EVENT_CMD, true));
    const regions = name === "SET_MEM_TABLE" ? onlyRegion(words) : [];
    const ns = head.ts.toString();
    return this.#ioctls.apply({ name, device: found, words, regions, place, ns });
  }

  /** Features that a queue of libvhost-user shows, where no message is recorded. */
  #toldByQueue(head: RecordHead, at: number, place: Place): IoctlEffect | null {
    const found = this.ofSession(at);
    if (found) found.driver ??= "vhost-user";
    const words = [this.#core.view.getBigUint64(at + EVENT_FEAT, true), 0n, 0n, 0n, 0n];
    const message = { name: "SET_FEATURES", device: found, words, regions: [], place };
    return this.#ioctls.apply({ ...message, ns: head.ts.toString() });
  }

  /** A region of the memory table that this thread's SET_MEM_TABLE installs. */
  region(head: RecordHead, at: number): void {
    const pending = this.#pending.get(head.pid);
    if (!pending || pending.regions.length >= MAX_REGIONS) return;
    pending.regions.push(regionAt(this.#core.view, at));
  }

  /** Return of an ioctl: applies it when it succeeded. */
  leave(head: RecordHead, at: number): IoctlEffect | null {
    const pending = this.#pending.get(head.pid);
    if (!pending) {
      // The first one of a thread may have been entered before the recording began.
      if (this.#callers.has(head.pid)) this.unentered++;
      this.#noteCaller(head.pid);
      return null;
    }
    this.#pending.delete(head.pid);
    const ret = this.#core.view.getBigInt64(at + EVENT_RET, true);
    if (ret !== 0n) {
      if (pending.name === "SET_FEATURES" || pending.name === "SET_LOG_BASE") {
        this.#ioctls.change(pending, `${pending.name} failed with ${ret}`);
      }
      return null;
    }
    if (pending.name === "SET_OWNER" && pending.device) {
      pending.device.opened ??= { by: head.pid, ns: pending.ns };
    }
    if (pending.name === "SET_OWNER" && this.#core.exports.processOf(head.pid) <= 0) {
      // Its worker is called vhost-PID after this thread.
      this.#evidence.process(head.pid, head.pid, "ioctl");
    }
    return this.#ioctls.apply(pending);
  }
}
