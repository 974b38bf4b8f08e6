/**
 * Where a ring lies that SET_VRING_ADDR names. Of a user-space back end the replay takes it from the host
 * addresses of the descriptor ring and of the device event area or used ring, by the memory map
 * or by their distance from the log address (replay/device-ioctls.ts); so a copy must keep both.
 */
import type { NormalisedEvent } from "../model/event.ts";
import { guestAddress, type MemoryRegion, onlyRegion } from "../replay/memory-table.ts";
import { ioctlName } from "../vhost/ioctl.ts";
import { messageName, RING_PACKED } from "../vhost/message.ts";

/** No more devices than this are kept of a hostile recording. */
const MOST_DEVICES = 65536;

/** What a SET_VRING_ADDR says: host addresses, and what they are in guest memory. */
export interface VringAddress {
  desc: bigint;
  used: bigint;
  log: bigint;
  /** Guest-physical: the descriptor ring, and what lies at `used`. */
  ring: bigint;
  event: bigint;
}

export class RingAddresses {
  readonly #packed = new Set<string>();
  readonly #memory = new Map<string, readonly MemoryRegion[]>();
  readonly #installing = new Map<number, { device: string; regions: MemoryRegion[] }>();

  /** Follows the memory maps; the address where this event is one of a back end's ring. */
  see(event: NormalisedEvent): VringAddress | null {
    if (event.event === "mem") {
      const [first, last, hva] = [event.start, event.last, event.addr].map(BigInt);
      this.#installing.get(event.pid)?.regions.push({ first: first!, last: last!, hva: hva! });
    } else if (event.event === "ioctl_ret") {
      const done = this.#installing.get(event.pid);
      this.#installing.delete(event.pid);
      if (done) this.#keep(done.device, done.regions);
    } else if (event.event === "ioctl") {
      const words = [event.a0, event.a1, event.a2, event.a3, event.a4].map(BigInt);
      const name = ioctlName(event.cmd);
      const device = `vs ${event.vs}`;
      if (name === "SET_FEATURES" && words[0]! & RING_PACKED) this.#packed.add(device);
      if (name === "SET_MEM_TABLE") this.#installing.set(event.pid, { device, regions: [] });
      if (name === "SET_VRING_ADDR" && this.#packed.has(device)) return this.#of(device, words);
    } else if (event.event === "message") {
      const words = [event.w0, event.w1, event.w2, event.w3, event.w4].map(BigInt);
      const device = `vid ${event.vid}`;
      const name = messageName(event.request);
      if (name === "SET_MEM_TABLE") this.#keep(device, onlyRegion(words));
      if (name === "SET_VRING_ADDR") return this.#of(device, words);
    }
    return null;
  }

  #keep(device: string, regions: readonly MemoryRegion[]): void {
    if (this.#memory.size >= MOST_DEVICES) this.#memory.clear();
    this.#memory.set(device, regions);
  }

  #of(device: string, words: readonly bigint[]): VringAddress {
    const [, desc, used, , log] = words as [bigint, bigint, bigint, bigint, bigint];
    const memory = this.#memory.get(device) ?? [];
    const event = guestAddress(memory, used) ?? log;
    const ring = guestAddress(memory, desc) ?? BigInt.asUintN(64, log + desc - used);
    return { desc, used, log, ring, event };
  }
}
