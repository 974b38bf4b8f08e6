/** Rows that the core drains (assembly/drain.ts): what happened, a table a kind. */
import {
  DRAIN_REQUEST_SIZE,
  DRAIN_SEND_SIZE,
  DRAIN_STATE_SIZE,
  DRAIN_WRITE_SIZE,
  type DrainField,
  DrainTable,
} from "../../assembly/drain-abi.ts";
import { type Core, OutOfMemory } from "./core.ts";

const SIZES: Record<DrainTable, number> = {
  [DrainTable.Writes]: DRAIN_WRITE_SIZE,
  [DrainTable.Requests]: DRAIN_REQUEST_SIZE,
  [DrainTable.Sends]: DRAIN_SEND_SIZE,
  [DrainTable.States]: DRAIN_STATE_SIZE,
};
/** Bytes that an encoded number takes at most. */
const LONGEST = 8;

/**
 * Rows are kept from now on, of the machine of this number (from 0) or of all (-1); states under the policies of
 * `policyRows`, a bit a row. Throws OutOfMemory.
 */
export function startDrain(core: Core, machine: number, policyRows: number): DrainedRows {
  if (!core.exports.startDrain()) throw new OutOfMemory();
  core.exports.drainOnly(machine, policyRows);
  return new DrainedRows(core);
}

/** The rows since they were taken last. */
export class DrainedRows {
  readonly #core: Core;
  #room = 0;
  #bytes = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  length(table: DrainTable): number {
    return this.#core.exports.drainLength(table);
  }

  /**
   * A field of all rows of a table, `offset` bytes into each, as zigzag varints; `delta`: of the
   * differences, from `last` on. `originNs`: what times are counted from. The bytes are valid until the
   * core is called again. Throws OutOfMemory.
   */
  encode(
    table: DrainTable,
    offset: number,
    field: DrainField,
    delta: boolean,
    last: number,
    originNs: bigint,
  ): { bytes: Uint8Array; last: number } {
    const { exports } = this.#core;
    const count = this.length(table);
    this.#makeRoom(count * LONGEST);
    const at = exports.drainPtr(table) + offset;
    const size = SIZES[table];
    const room = this.#room;
    const length = exports.encodeColumn(at, size, count, field, delta, last, originNs, room);
    const end = exports.encodedLast();
    return { bytes: this.#core.bytes.subarray(room, room + length), last: end };
  }

  /** A field of all rows of a table as numbers, `bytes` (2, 4 or 8) wide; times as nanoseconds from `originNs` on. */
  numbers(table: DrainTable, offset: number, bytes: 2 | 4 | 8, originNs = 0n): Float64Array {
    const { view } = this.#core;
    const [at, size] = [this.#core.exports.drainPtr(table) + offset, SIZES[table]];
    return Float64Array.from({ length: this.length(table) }, (_, i) => {
      const field = at + i * size;
      if (bytes === 2) return view.getUint16(field, true);
      if (bytes === 4) return view.getUint32(field, true);
      return Number(view.getBigUint64(field, true) - originNs);
    });
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#bytes) return;
    this.#room = this.#core.exports.allocate(bytes);
    if (this.#room === 0) throw new OutOfMemory();
    this.#bytes = bytes;
  }

  /** They were taken. Throws OutOfMemory where some had no room. */
  drop(): void {
    if (this.#core.exports.drainFailed()) throw new OutOfMemory();
    this.#core.exports.drainTaken();
  }
}
