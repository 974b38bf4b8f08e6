/**
 * Devices that a QEMU hands to a vhost, as its own recording tells them: which there are, which of them
 * are served by a back end in user space, and when its log goes on and off. vhost_user_write tells the
 * number of a message and no device: hw/virtio/vhost.c vhost_dev_start() sends the features first and the
 * memory map next, vhost_migration_log() to each started device the log, the features, the rings.
 */
import type { Place } from "../model/place.ts";
import type { LoggingChange } from "./device.ts";

/** Numbers of VhostUserRequest, docs/interop/vhost-user.rst. */
const SET_FEATURES = 2;
const SET_LOG_BASE = 6;
/** What vhost_dev_start() sends behind the features: SET_MEM_TABLE, memory slots, or a ring of a further queue pair. */
const AFTER_FEATURES: ReadonlySet<number> = new Set([5, 8, 36, 37, 38]);

/** Devices that are kept one by one, and changes of the log of each. */
const MOST_STARTED = 4096;
const MOST_CHANGES = 10_000;

interface Moment {
  place: Place;
  ns: string;
}

/** A device that QEMU handed to a vhost: hw/virtio/vhost.c vhost_dev_start(). */
export interface HandedDevice {
  /** VirtIODevice.name: `vhost-scsi`, `virtio-blk` … */
  name: string;
  place: Place;
  /** Its vhost is a back end in user space. */
  inUserSpace: boolean;
}

interface Known extends HandedDevice {
  dev: bigint;
  started: boolean;
  logging: boolean;
  /** Changes of its log, as the summary of its device has them; null: no such device is listed. */
  changes: LoggingChange[] | null;
}

/** What is known of one QEMU. */
interface Host {
  /** Started and not stopped, in that order. */
  started: Known[];
  /** The device that is being started, and how many of its first messages were seen. */
  starting: Known | null;
  seen: number;
  /** The started device whose log is switched next; a SET_LOG_BASE for it was sent. */
  next: number;
  base: boolean;
  /** Whether QEMU's own dirty log is on, where an event tells it. */
  tracking: boolean | null;
}

/** The log of a back end went on or off. */
export type ListsDevice = (dev: bigint, space: number, name: string) => LoggingChange[] | null;

export class QemuVhosts {
  readonly #byAddress = new Map<string, Known>();
  readonly #hosts = new Map<number, Host>();
  readonly #list: ListsDevice;

  /** `list`: puts a device of a back end into the list of devices, and gives its changes of the log. */
  constructor(list: ListsDevice) {
    this.#list = list;
  }

  /** All devices, each once, in the order of their first start. */
  get all(): readonly HandedDevice[] {
    return [...this.#byAddress.values()];
  }

  #host(space: number): Host {
    let host = this.#hosts.get(space);
    if (!host) {
      host = { started: [], starting: null, seen: 0, next: 0, base: false, tracking: null };
      this.#hosts.set(space, host);
    }
    return host;
  }

  /** vhost_dev_start. `space`, `dev`: QEMU's recording and its struct vhost_dev. */
  start(space: number, dev: bigint, name: string, moment: Moment): void {
    const key = `${space} ${dev}`;
    let known = this.#byAddress.get(key);
    if (!known) {
      if (this.#byAddress.size >= MOST_STARTED) return;
      const { place } = moment;
      known = {
        ...{ name, place, dev, inUserSpace: false },
        ...{ started: false, logging: false, changes: null },
      };
      this.#byAddress.set(key, known);
    }
    const host = this.#host(space);
    host.starting = known;
    host.seen = 0;
    if (!known.started) host.started.push(known);
    known.started = true;
    if (known.inUserSpace) change(known, "started", moment);
  }

  /** vhost_dev_stop. */
  stop(space: number, dev: bigint, moment: Moment): void {
    const known = this.#byAddress.get(`${space} ${dev}`);
    if (!known?.started) return;
    const host = this.#host(space);
    known.started = false;
    host.started = host.started.filter((one) => one !== known);
    if (host.starting === known) host.starting = null;
    if (known.inUserSpace) change(known, "stopped", moment);
    known.logging = false;
  }

  /** global_dirty_changed: what follows switches the log of the devices, one after the other. */
  tracking(space: number, on: boolean): void {
    const host = this.#host(space);
    host.tracking = on;
    host.next = 0;
    host.base = false;
    host.starting = null;
  }

  /** vhost_user_write, by the number of the message. */
  message(space: number, request: number, moment: Moment): void {
    const host = this.#host(space);
    if (host.starting && this.#starts(host, host.starting, space, request, moment)) return;
    const users = host.started.filter(({ inUserSpace }) => inUserSpace);
    const known = users[host.next % Math.max(users.length, 1)];
    if (!known) return;
    if (request === SET_LOG_BASE) {
      host.base = true;
      change(known, "SET_LOG_BASE", moment);
    } else if (request === SET_FEATURES) {
      switchLog(known, host.tracking ?? host.base, moment);
      host.base = false;
      host.next++;
    }
  }

  /** Messages of a device that is being started; false: this one is of another. */
  #starts(host: Host, known: Known, space: number, request: number, moment: Moment): boolean {
    host.seen++;
    if (host.seen === 1) {
      if (request !== SET_FEATURES) host.starting = null;
      return request === SET_FEATURES;
    }
    if (host.seen === 2 && !known.inUserSpace) {
      if (!AFTER_FEATURES.has(request)) {
        host.starting = null;
        return false;
      }
      known.inUserSpace = true;
      known.changes = this.#list(known.dev, space, known.name);
      change(known, "started", moment);
    }
    // A log that was on before is handed over last; any other one begins a switch, whose first device this is.
    const handsLog = request === SET_LOG_BASE && host.tracking === true;
    if (request === SET_FEATURES || (request === SET_LOG_BASE && !handsLog)) {
      host.starting = null;
      return false;
    }
    if (handsLog) {
      change(known, "SET_LOG_BASE", moment);
      switchLog(known, true, moment);
    }
    return true;
  }
}

function switchLog(known: Known, on: boolean, moment: Moment): void {
  if (known.logging === on) return;
  known.logging = on;
  change(known, on ? "LOG_ALL on" : "LOG_ALL off", moment);
}

function change({ changes }: Known, what: string, { place, ns }: Moment): void {
  if (changes && changes.length < MOST_CHANGES) changes.push({ place, ns, what });
}
