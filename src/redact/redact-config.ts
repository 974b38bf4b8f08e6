/**
 * What a driver writes to virtio-pci's common configuration, after the redaction. The address of a
 * used ring is written in two halves, and its page moves as a whole: so both are held back until the
 * next register that is kept, at the latest the one that enables the queue.
 */
import type { QemuTraceEvent } from "../model/event.ts";
import { ConfigRegister } from "../qemu/pci-config.ts";

type Arguments = QemuTraceEvent["args"];

/** Halves of a used ring's address that were written and not told yet. */
interface Held {
  low: bigint;
  high: bigint;
  /** A write of one of them, for its other arguments. */
  like: Arguments;
}

/** Registers that tell no address. Those of the descriptor and available rings are not needed. */
const KEPT: ReadonlySet<number> = new Set([
  ConfigRegister.DriverFeatureSelect,
  ConfigRegister.DriverFeature,
  ConfigRegister.DeviceStatus,
  ConfigRegister.QueueSelect,
  ConfigRegister.QueueSize,
  ConfigRegister.QueueEnable,
]);

const MAX_REGIONS = 256;

export class ConfigRedactor {
  /** By region, as it is after the redaction. */
  readonly #held = new Map<string, Held>();
  readonly #gpa: (gpa: bigint) => bigint;

  /** `gpa`: where a guest-physical address moves. */
  constructor(gpa: (gpa: bigint) => bigint) {
    this.#gpa = gpa;
  }

  /**
   * One write: `args` redacted but for `value`, which is `value`. Returns the writes that take its
   * place, none for one that is held back or not needed.
   */
  write(args: Arguments, value: bigint): Arguments[] {
    const region = String(args.mr);
    const register = Number(args.addr);
    const held = this.#held.get(region);
    if (register === ConfigRegister.QueueUsedLow || register === ConfigRegister.QueueUsedHigh) {
      if (!held && this.#held.size >= MAX_REGIONS) return [];
      const halves = held ?? { low: 0n, high: 0n, like: args };
      if (register === ConfigRegister.QueueUsedLow) halves.low = value;
      else halves.high = value;
      this.#held.set(region, halves);
      return [];
    }
    if (!KEPT.has(register)) return [];
    this.#held.delete(region);
    return [...(held ? this.#ring(held) : []), { ...args, value: hex(value) }];
  }

  #ring({ low, high, like }: Held): Arguments[] {
    const moved = this.#gpa((high << 32n) | (low & 0xffff_ffffn));
    const half = (addr: number, value: bigint): Arguments => ({
      ...{ ...like, addr: hex(BigInt(addr)), size: 4 },
      value: hex(value),
    });
    return [
      half(ConfigRegister.QueueUsedLow, moved & 0xffff_ffffn),
      half(ConfigRegister.QueueUsedHigh, moved >> 32n),
    ];
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
