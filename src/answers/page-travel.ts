/**
 * How guest pages travelled: sends of the source, marks of vCPUs, reads of vhost's log, and what the
 * destination received, from the events of QEMU; and guest addresses of QEMU's own.
 */
import { planMerge } from "../join/merge-plan.ts";
import type { BlockRange } from "../memory/block-range.ts";
import type { NormalisedEvent, QemuTraceEvent } from "../model/event.ts";
import { type GpaRange, overlaps, PAGE_BYTES } from "../model/pages.ts";
import { UsageError } from "../model/place.ts";
import { dump, type Recording } from "../replay/replay.ts";

export interface Step {
  kind: "sent" | "marked-by-vcpu" | "log-read" | "received" | "received-zero";
  ns: string;
  /** As the event has it. */
  place: string;
  /** Page; null for what is about all pages. */
  gfn: number | null;
}

export interface Travel {
  /** On the clock of the recording, in time order. */
  source: Step[];
  /** On the destination's own clock. */
  destination: Step[];
  /** Steps that were counted and not kept. */
  more: number;
}

/** An address in the terms of a QEMU: in its process, or in a RAM block. */
export type QemuAddress = { hva: bigint } | { block: string; offset: number };

interface HostRange {
  hva: bigint;
  size: bigint;
  gpa: bigint;
}

const MOST_RANGES = 4096;
/** Without any map: pc_init1() and pc_q35_init() put RAM below this at its own address (hw/i386). */
const SAME_ADDRESS = 0x80000000;

/** What the events tell of where RAM lies; later ones go before earlier ones. */
class HostMap {
  readonly #ranges: HostRange[] = [];
  readonly #slots = new Map<number, number>();
  readonly #blocks = new Map<string, number>();
  readonly #mtree: readonly BlockRange[];

  constructor(mtree: readonly BlockRange[]) {
    this.#mtree = mtree;
  }

  learn(event: NormalisedEvent): void {
    if (event.event === "mem") {
      const gpa = BigInt(event.start);
      this.#add({ hva: BigInt(event.addr), size: BigInt(event.last) - gpa + 1n, gpa });
    } else if (event.event === "qemu") this.#qemu(event);
  }

  #qemu({ name, args }: QemuTraceEvent): void {
    const bits = (key: string): bigint => BigInt(args[key] ?? 0);
    if (name === "kvm_set_user_memory") {
      const slot = Number(args.slot);
      const space = Number(args.as ?? 0) || slot >> 16;
      this.#slots.set((space << 16) | (slot & 0xffff), Number(bits("guest_phys_addr")));
      if (space !== 0) return;
      const [hva, size] = [bits("userspace_addr"), bits("memory_size")];
      this.#add({ hva, size, gpa: bits("guest_phys_addr") });
    } else if (name === "vhost_region_add_section") {
      this.#add({ hva: bits("host"), size: bits("size"), gpa: bits("gpa") });
    } else if (name === "vhost_user_set_mem_table_withfd") {
      const [hva, size] = [bits("userspace_addr"), bits("memory_size")];
      this.#add({ hva, size, gpa: bits("guest_phys_addr") });
    }
  }

  #add(range: HostRange): void {
    if (range.size <= 0n) return;
    const same = this.#ranges.findIndex(
      ({ hva, gpa, size }) => hva === range.hva && gpa === range.gpa && size === range.size,
    );
    if (same >= 0) this.#ranges.splice(same, 1);
    this.#ranges.push(range);
    if (this.#ranges.length > MOST_RANGES) this.#ranges.shift();
  }

  ofHost(hva: bigint): number | null {
    const range = this.#ranges.findLast((one) => hva >= one.hva && hva < one.hva + one.size);
    return range ? Number(range.gpa + (hva - range.hva)) : null;
  }

  /** `host`: where the event says that the page is. */
  ofBlock(block: string, offset: number, host: bigint | null): number | null {
    const range = this.#mtree.find(
      (one) => one.block === block && offset >= one.offset && offset < one.offset + one.size,
    );
    if (range) return range.gpa + (offset - range.offset);
    const gpa = host === null ? null : this.ofHost(host);
    if (gpa !== null) {
      this.#blocks.set(block, gpa - offset);
      return gpa;
    }
    const shift = this.#blocks.get(block);
    if (shift !== undefined) return offset + shift;
    return block === "pc.ram" && offset < SAME_ADDRESS ? offset : null;
  }

  ofSlot(slot: number, page: number): number | null {
    const gpa = this.#slots.get(slot);
    return gpa === undefined ? null : gpa + page * PAGE_BYTES;
  }
}

/** The steps of the pages of a range; `keep` of them. Reads the recording once more. */
export async function travelOf(
  recording: Recording,
  range: GpaRange,
  keep: number,
  signal?: AbortSignal,
): Promise<Travel> {
  const map = new HostMap(recording.memoryMap ?? []);
  const travel: Travel = { source: [], destination: [], more: 0 };
  const add = (list: Step[], step: Step): void => {
    if (travel.source.length + travel.destination.length < keep) list.push(step);
    else travel.more++;
  };
  const touched = (gpa: number | null): gpa is number =>
    gpa !== null && overlaps(range, gpa, PAGE_BYTES);
  await dump(
    recording,
    (event) => {
      map.learn(event);
      if (event.event !== "qemu") return;
      const { name, args, ts: ns, place = "" } = event;
      if (name === "ram_save_page") {
        const gpa = map.ofBlock(`${args.rbname}`, Number(args.offset), BigInt(args.host ?? 0));
        if (touched(gpa)) add(travel.source, { kind: "sent", ns, place, gfn: gpa / PAGE_BYTES });
      } else if (name === "kvm_dirty_ring_page") {
        const gpa = map.ofSlot(Number(args.slot), Number(args.offset));
        if (!touched(gpa)) return;
        add(travel.source, { kind: "marked-by-vcpu", ns, place, gfn: gpa / PAGE_BYTES });
      } else if (name === "memory_region_sync_dirty" && args.listener === "vhost") {
        add(travel.source, { kind: "log-read", ns, place, gfn: null });
      }
    },
    signal,
  );
  for (const source of await destinationsOf(recording)) {
    await dump(
      { ...recording, sources: [source] },
      (event) => {
        if (event.event !== "qemu" || event.name !== "ram_load_loop") return;
        const { args, ts: ns, place = "" } = event;
        const gpa = map.ofBlock(`${args.rbname}`, Number(args.addr), null);
        if (!touched(gpa)) return;
        const kind = (Number(args.flags) & ZERO) !== 0 ? "received-zero" : "received";
        add(travel.destination, { kind, ns, place, gfn: gpa / PAGE_BYTES });
      },
      signal,
    );
  }
  return travel;
}

/** RAM_SAVE_FLAG_ZERO of migration/ram.c. */
const ZERO = 2;

async function destinationsOf(recording: Recording): Promise<Recording["sources"]> {
  if (recording.sources.length < 2) return [];
  const { destinations } = await planMerge(recording);
  return recording.sources.filter((source) =>
    destinations.some(({ name }) => name === source.name),
  );
}

/** Guest-physical address of a QEMU's own, by what the recording tells. Throws UsageError. */
export async function guestAddress(
  recording: Recording,
  address: QemuAddress,
  signal?: AbortSignal,
): Promise<number> {
  const map = new HostMap(recording.memoryMap ?? []);
  await dump(
    recording,
    (event) => {
      map.learn(event);
      if (event.event !== "qemu" || event.name !== "ram_save_page") return;
      map.ofBlock(`${event.args.rbname}`, Number(event.args.offset), BigInt(event.args.host ?? 0));
    },
    signal,
  );
  const gpa =
    "hva" in address ? map.ofHost(address.hva) : map.ofBlock(address.block, address.offset, null);
  if (gpa !== null) return gpa;
  const what =
    "hva" in address
      ? `hva:0x${address.hva.toString(16)}`
      : `${address.block}+0x${address.offset.toString(16)}`;
  throw new UsageError(
    `${what}: the recording does not tell where that lies in the guest (--mtree)`,
  );
}
