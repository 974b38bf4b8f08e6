/**
 * What of a recording can have to do with one guest page: requests whose descriptors touch it, the state
 * of their queues before, sends and marks of the page, and everything that is neither request nor page
 * (ioctls, memory maps, syncs, states). Memory grows with what is kept, not with the recording.
 */
import type { NormalisedEvent, QemuTraceEvent } from "../model/event.ts";
import { PAGE_BYTES } from "../model/pages.ts";

/** Events that are only kept together: a request, an ioctl with its return. */
export type Unit = readonly NormalisedEvent[];

/** Collects the units of a page. */
export class PageSlice {
  readonly #gfn: number | null;
  /** With the number of the first event, for their order. */
  readonly #kept: { at: number; event: NormalisedEvent; unit: number }[] = [];
  #count = 0;
  #units = 0;
  /** Descriptors and mappings by thread that no pop has taken yet. */
  readonly #pending = new Map<number, Numbered[]>();
  /** By queue and head or element: requests that are in flight and touch the page. */
  readonly #flying = new Map<string, number>();
  /** The last snapshot of each queue, and the thread that drains it. */
  readonly #drains = new Map<string, Numbered>();
  readonly #queueOf = new Map<number, string>();
  /** Ioctls by thread whose return is not there yet. */
  readonly #calls = new Map<number, number>();

  /** `gfn` null: all requests, whatever they touch. */
  constructor(gfn: number | null) {
    this.#gfn = gfn;
  }

  /** Events that were seen. */
  get count(): number {
    return this.#count;
  }

  add(event: NormalisedEvent): void {
    const at = this.#count++;
    const numbered = { at, event };
    switch (event.event) {
      case "desc":
        this.#push(event.pid, numbered);
        return;
      case "drain":
        this.#queueOf.set(event.pid, event.vq);
        if (this.#gfn === null) this.#keep(numbered);
        else this.#drains.set(event.vq, numbered);
        return;
      case "pop":
        this.#pop(numbered, event.pid, (vq) => `${vq} ${event.head}`);
        return;
      case "used":
        this.#end(numbered, `${event.vq} ${event.head}`);
        return;
      case "rearm":
      case "uflags":
      case "giveback":
      case "cdb":
        if (this.#gfn === null) this.#keep(numbered);
        return;
      case "ioctl":
        this.#calls.set(event.pid, this.#keep(numbered));
        return;
      case "ioctl_ret":
        this.#keep(numbered, this.#calls.get(event.pid));
        this.#calls.delete(event.pid);
        return;
      case "qemu":
        this.#qemu(numbered, event);
        return;
      default:
        this.#keep(numbered);
    }
  }

  #qemu(numbered: Numbered, event: QemuTraceEvent): void {
    const { name, args, pid } = event;
    if (name === "address_space_map") this.#push(pid, numbered);
    else if (name === "virtqueue_pop") this.#pop(numbered, pid, () => `${args.elem}`);
    else if (name === "virtqueue_fill") this.#end(numbered, `${args.elem}`);
    else if (PAGES.has(name)) {
      const offset = Number(args.offset ?? args.addr);
      const own = this.#gfn === null || Math.floor(offset / PAGE_BYTES) === this.#gfn;
      if (own || OFTEN.has(name)) this.#keep(numbered);
    } else if (this.#gfn === null || !NOISE.has(name)) this.#keep(numbered);
  }

  #push(pid: number, numbered: Numbered): void {
    const list = this.#pending.get(pid) ?? [];
    this.#pending.set(pid, list);
    list.push(numbered);
    // A thread that maps and never pops: what is long past belongs to no pop.
    if (list.length > MOST_PENDING) list.shift();
  }

  #pop(numbered: Numbered, pid: number, keyOf: (vq: string) => string): void {
    const parts = this.#pending.get(pid) ?? [];
    this.#pending.set(pid, []);
    const vq = this.#queueOf.get(pid) ?? "";
    const first = parts[0]?.event;
    const queue = first?.event === "desc" ? first.vq : vq;
    const gfn = this.#gfn;
    if (gfn !== null && !parts.some(({ event }) => touches(event, gfn))) return;
    const drain = this.#drains.get(queue);
    if (drain) {
      this.#drains.delete(queue);
      this.#keep(drain);
    }
    const unit = this.#keep(numbered);
    for (const part of parts) this.#keep(part, unit);
    this.#flying.set(keyOf(queue), unit);
  }

  #end(numbered: Numbered, key: string): void {
    const unit = this.#flying.get(key);
    // One whose pop is not there still writes the used ring.
    if (unit === undefined && this.#gfn === null) this.#keep(numbered);
    if (unit === undefined) return;
    this.#flying.delete(key);
    this.#keep(numbered, unit);
  }

  #keep({ at, event }: Numbered, unit = this.#units++): number {
    this.#kept.push({ at, event, unit });
    return unit;
  }

  /** The units, by their first event. */
  units(): Unit[] {
    const units = new Map<number, NormalisedEvent[]>();
    for (const { event, unit } of this.#kept.toSorted((a, b) => a.at - b.at)) {
      const own = units.get(unit);
      if (own) own.push(event);
      else units.set(unit, [event]);
    }
    return [...units.values()];
  }
}

interface Numbered {
  at: number;
  event: NormalisedEvent;
}

const MOST_PENDING = 4096;
/** Events of one page each. */
const PAGES = new Set(["ram_save_page", "ram_load_loop", "kvm_dirty_ring_page"]);
/** Its offset is in a slot, which a map places: not told here. */
const OFTEN = new Set(["kvm_dirty_ring_page"]);
/** Events of requests that say nothing of a page. */
const NOISE = new Set([
  "virtio_queue_notify",
  "virtqueue_flush",
  "virtio_scsi_cmd_req",
  "virtio_scsi_cmd_resp",
  "virtio_blk_handle_read",
  "virtio_blk_handle_write",
]);

function touches(event: NormalisedEvent, gfn: number): boolean {
  let gpa: number;
  let len: number;
  if (event.event === "desc") [gpa, len] = [Number(event.gpa), event.len];
  else if (event.event === "qemu") [gpa, len] = [Number(event.args.addr), Number(event.args.len)];
  else return false;
  return gpa < (gfn + 1) * PAGE_BYTES && gpa + len > gfn * PAGE_BYTES;
}

/** The events of units in the order of their times; equal times as they stand. */
export function eventsOf(units: readonly Unit[]): NormalisedEvent[] {
  return units
    .flatMap((unit, order) => unit.map((event) => ({ event, order, ns: BigInt(event.ts) })))
    .toSorted((a, b) => (a.ns === b.ns ? a.order - b.order : a.ns < b.ns ? -1 : 1))
    .map(({ event }) => event);
}
