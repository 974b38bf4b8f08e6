/**
 * The first reading of the recordings: which memory there is, which pages devices touch and in what
 * pieces, which kernel addresses belong together, and when it begins.
 */

import { NO_ADDRESS } from "../core/queue-record.ts";
import type { MessageEvent, NormalisedEvent, QemuTraceEvent } from "../model/event.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { isCommonConfig, PciConfig } from "../qemu/pci-config.ts";
import { ioctlName } from "../vhost/ioctl.ts";
import { messageName, RING_PACKED } from "../vhost/message.ts";
import { KernelObjects } from "./addresses.ts";
import type { MapRange } from "./regions.ts";
import { RingAddresses } from "./ring-addresses.ts";
import { PAGES, type Tie, TouchedPages } from "./touched-pages.ts";

/** A range of a map, and the recording that tells it. */
export interface FileRange extends MapRange {
  file: number;
}

const MAX_RANGES = 4096;
const MAX_BLOCKS = 1024;
/** A split ring has at most 2^15 entries (virtio 1.3, 2.7). */
const MAX_RING = 32768;
/** Inside struct vhost_scsi, struct vhost_dev is found within so many bytes (assembly/known/queue.ts). */
const DRIVER_STRUCTURE = 4096n;
/** Virtqueues of a device that the replay looks for (assembly/device/vhost.ts). */
const ARRAY_QUEUES = 4096n;
const MOST_STEP = 1n << 20n;
/** pc.ram without a map lies at its own offset below 2 GiB (migration/ram-map.ts). */
const ASSUMED_SIZE = 0x80000000n;

const PAGE = BigInt(PAGE_BYTES);

/** The page of a guest-physical address. */
export const pageOf = (gpa: bigint): number => Number(gpa / PAGE);

/** An argument of an event of QEMU as 64 bits. */
export function argument(event: QemuTraceEvent, name: string): bigint {
  const value = event.args[name];
  return value === undefined ? 0n : BigInt.asUintN(64, BigInt(value));
}

/** kvm_set_user_memory that places guest RAM: not SMM's address space, not a removal. */
export function ramSlot(event: QemuTraceEvent): { slot: number; gpa: bigint; size: bigint } | null {
  const slot = Number(argument(event, "slot"));
  const size = argument(event, "memory_size");
  const space = Number(argument(event, "as")) || Math.floor(slot / 65536);
  if (space !== 0 || size === 0n) return null;
  return { slot: slot % 65536, gpa: argument(event, "guest_phys_addr"), size };
}

/** What all recordings of a replay tell about themselves. */
export class Survey {
  readonly touched = new TouchedPages();
  readonly objects = new KernelObjects();
  readonly ranges: FileRange[] = [];
  readonly #known = new Set<string>();
  /** By file: what drivers wrote to virtio-pci. */
  readonly #configs = new Map<number, PciConfig>();
  /** By RAM block: base and a host address of it, of each file. */
  readonly #blocks = new Map<string, { file: number; base: bigint; host: bigint }[]>();
  readonly #ringAddresses = new Map<number, RingAddresses>();
  readonly #backEndRings = new Set<bigint>();
  /** Of the largest ring of a back end. */
  #ringEntries = 0;
  /** Pages at which a log ends. */
  readonly borders = new Set<number>();
  /** Time of the earliest event on each clock. */
  readonly firstNs = new Map<number, bigint>();

  /**
   * Looks at an event of recording number `file`, which is on clock number `clock` when `shift` is
   * added to its time.
   */
  event(event: NormalisedEvent, file: number, clock: number, shift: bigint): void {
    const ns = BigInt(event.ts) + shift;
    const first = this.firstNs.get(clock);
    if (first === undefined || ns < first) this.firstNs.set(clock, ns);
    const ring = this.#addresses(file).see(event);
    if (ring) this.#backEndRing([ring.ring, ring.event, ring.log], 0);
    switch (event.event) {
      case "desc":
        this.#memory(BigInt(event.gpa), BigInt(event.len), "loose");
        break;
      case "used":
        if (BigInt(event.feat) & RING_PACKED) this.#backEndRing([BigInt(event.logaddr)], event.num);
        else this.#ring(event.logaddr, event.num);
        break;
      case "rearm":
        this.#ring(event.logaddr, event.num);
        break;
      case "spdk_get":
      case "spdk_used":
        this.#backEndRing([], event.num);
        break;
      case "vu_pop_entry":
      case "vu_fill":
        this.#ring(event.logaddr, event.num ?? MAX_RING);
        this.#logEnd(BigInt(event.logsize ?? 0));
        break;
      case "spdk_desc":
      case "vu_gpa":
        // Its pieces are no events of their own, so it stays in one.
        this.#memory(BigInt(event.gpa), BigInt(event.len), "firm");
        break;
      case "message":
        this.#message(event, file);
        break;
      case "uflags":
        this.#ring(event.logaddr, 0);
        break;
      case "drain":
        this.#ring(event.logaddr, event.num);
        this.#queues(BigInt(event.vq), BigInt(event.q0), BigInt(event.q1));
        this.objects.add(BigInt(event.dev), BigInt(event.dev));
        break;
      case "ioctl":
        this.#structure(BigInt(event.vs));
        if (ioctlName(event.cmd) === "SET_VRING_ADDR") this.#ring(event.a4, 0);
        break;
      case "mem": {
        const [gpa, last] = [BigInt(event.start), BigInt(event.last)];
        this.#range(file, { gpa, hva: BigInt(event.addr), size: last - gpa + 1n });
        break;
      }
      case "qemu":
        this.#qemu(event, file);
        break;
      default:
    }
  }

  #addresses(file: number): RingAddresses {
    const known = this.#ringAddresses.get(file) ?? new RingAddresses();
    this.#ringAddresses.set(file, known);
    return known;
  }

  #message(event: MessageEvent, file: number): void {
    const name = messageName(event.request);
    const [w0, w1, w2, w3] = [event.w0, event.w1, event.w2, event.w3].map(BigInt);
    if (name === "SET_LOG_BASE") this.#logEnd(w0!);
    if (name === "SET_MEM_TABLE" && (w0! & 0xffffffffn) === 1n) {
      this.#range(file, { gpa: w1!, hva: w3!, size: w2! });
    }
  }

  /** A page before the end of a log of so many bytes stays before it, one behind it behind. */
  #logEnd(bytes: bigint): void {
    const end = bytes * 8n;
    if (end > 0n && end < PAGES) this.borders.add(Number(end));
  }

  /**
   * Rings of user-space back ends: what is written is a slot of 16 bytes, or an element of 8 behind flags and
   * index. Where SET_VRING_ADDR names them the size may not be known yet.
   */
  #backEndRing(addresses: readonly bigint[], num: number): void {
    const before = this.#ringEntries;
    this.#ringEntries = Math.max(before, Math.min(num, MAX_RING));
    const added = addresses.filter((gpa) => gpa !== NO_ADDRESS && !this.#backEndRings.has(gpa));
    if (this.#backEndRings.size < MAX_RANGES) for (const gpa of added) this.#backEndRings.add(gpa);
    const bytes = 16n * BigInt(Math.max(this.#ringEntries, 1));
    const all = this.#ringEntries > before ? this.#backEndRings : added;
    for (const gpa of all) this.#memory(gpa, bytes, "firm");
  }

  #structure(vs: bigint): void {
    if (vs !== 0n) this.objects.add(vs, vs + DRIVER_STRUCTURE - 1n);
  }

  /** The array of a device's virtqueues, of which `vq` is one. */
  #queues(vq: bigint, q0: bigint, q1: bigint): void {
    const step = q1 - q0;
    if (step > 0n && step <= MOST_STEP) this.objects.add(q0, q0 + ARRAY_QUEUES * step);
    else this.objects.add(q0 < q1 ? q0 : q1, q0 < q1 ? q1 : q0);
    if (step === 0n) this.objects.add(vq, vq);
  }

  #memory(gpa: bigint, length: bigint, tie: Tie): void {
    const last = pageOf(gpa + (length > 0n ? length - 1n : 0n));
    // What goes on behind the guest-physical space counts nowhere, as a whole.
    this.touched.add(pageOf(gpa), last, last < PAGES ? tie : "firm");
  }

  /** The used ring: flags, index, elements, avail_event. */
  #ring(address: string, num: number): void {
    const gpa = BigInt(address);
    if (gpa !== NO_ADDRESS) this.#memory(gpa, 6n + 8n * BigInt(Math.min(num, MAX_RING)), "firm");
  }

  #range(file: number, range: MapRange): void {
    if (range.size <= 0n || this.ranges.length >= MAX_RANGES) return;
    const key = `${file} ${range.gpa} ${range.hva} ${range.size}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.ranges.push({ file, ...range });
  }

  #qemu(event: QemuTraceEvent, file: number): void {
    switch (event.name) {
      case "address_space_map":
        this.#memory(argument(event, "addr"), argument(event, "len"), "firm");
        break;
      case "memory_region_ops_write":
        if (isCommonConfig(String(event.args.name))) {
          const [mr, addr] = [argument(event, "mr"), argument(event, "addr")];
          const value = Number(argument(event, "value"));
          this.#config(file).write(event.pid, mr, addr, value);
        }
        break;
      case "virtio_set_status":
        this.#config(file).status(event.pid, argument(event, "vdev"));
        break;
      case "kvm_set_user_memory": {
        const slot = ramSlot(event);
        const hva = argument(event, "userspace_addr");
        if (slot) this.#range(file, { gpa: slot.gpa, hva, size: slot.size });
        break;
      }
      case "vhost_region_add_section": {
        const [gpa, hva, size] = [
          argument(event, "gpa"),
          argument(event, "host"),
          argument(event, "size"),
        ];
        this.#range(file, { gpa, hva, size });
        break;
      }
      case "vhost_user_set_mem_table_withfd":
        this.#range(file, {
          gpa: argument(event, "guest_phys_addr"),
          hva: argument(event, "userspace_addr"),
          size: argument(event, "memory_size"),
        });
        break;
      case "ram_save_page":
        this.#block(event, file, "offset");
        break;
      case "ram_load_loop":
        this.#block(event, file, "addr");
        break;
      default:
    }
  }

  #config(file: number): PciConfig {
    let config = this.#configs.get(file);
    if (!config) {
      config = new PciConfig(({ used, size }) =>
        this.#memory(BigInt(used), 6n + 8n * BigInt(Math.min(size, MAX_RING)), "firm"),
      );
      this.#configs.set(file, config);
    }
    return config;
  }

  #block(event: QemuTraceEvent, file: number, offset: string): void {
    const name = String(event.args.rbname);
    const bases = this.#blocks.get(name) ?? [];
    if (bases.some((entry) => entry.file === file)) return;
    if (bases.length === 0 && this.#blocks.size >= MAX_BLOCKS) return;
    const host = argument(event, "host");
    bases.push({ file, host, base: BigInt.asUintN(64, host - argument(event, offset)) });
    this.#blocks.set(name, bases);
  }

  /** Where each RAM block lies, once all recordings were read. Adds the range that is assumed. */
  blocks(): Map<string, { file: number; base: bigint }> {
    const placed = new Map<string, { file: number; base: bigint }>();
    for (const [name, bases] of this.#blocks) {
      const found = bases.find(({ file, host }) => rangeAt(this.ranges, file, host) !== null);
      if (!found && name === "pc.ram" && bases[0]) {
        const { file, base } = bases[0];
        this.#range(file, { gpa: 0n, hva: base, size: ASSUMED_SIZE });
      }
      const { file, base } = found ?? bases[0]!;
      placed.set(name, { file, base });
    }
    return placed;
  }
}

/** The range that holds a host address, of its own recording where that has one. */
export function rangeAt(
  ranges: readonly FileRange[],
  file: number,
  host: bigint,
): FileRange | null {
  let other: FileRange | null = null;
  for (const range of ranges) {
    if (host < range.hva || host >= range.hva + range.size) continue;
    if (range.file === file) return range;
    other ??= range;
  }
  return other;
}
