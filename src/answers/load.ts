/** What a guest's devices and vCPUs write over time, in columns: the load that a migration has to follow. */
import {
  DRAIN_CAUSE,
  DRAIN_KIND,
  DRAIN_PAGE,
  DRAIN_PAGES,
  DRAIN_TS,
  DrainSend,
  DrainTable,
} from "../../assembly/drain-abi.ts";
import type { DrainedRows } from "../core/drain.ts";
import { UsageError } from "../model/place.ts";
import type { ReplaySink } from "../replay/replay-options.ts";

/** Pages written, of a write each: time in nanoseconds from the first event, dense number of the page, cause. */
export interface Load {
  ns: Float64Array;
  page: Uint32Array;
  /** A Cause, or VCPU. */
  cause: Uint8Array;
  /** Distinct pages; `page` counts from 0 to here. */
  pages: number;
  /** Sends of pages with data, by time. */
  sentNs: Float64Array;
  originNs: bigint;
}

/** In the place of a cause: KVM's dirty ring told it, and every policy has it logged. */
export const VCPU = 255;

/** Page writes that are kept: 13 bytes each. */
const MOST_WRITES = 100_000_000;

/** Give it to a replay as its sink; afterwards `load` has what it took. */
export class LoadColumns implements ReplaySink {
  readonly events = true;
  readonly #ns = new Column(Float64Array);
  readonly #page = new Column(Uint32Array);
  readonly #cause = new Column(Uint8Array);
  readonly #sent = new Column(Float64Array);
  readonly #dense = new Map<number, number>();
  #origin: bigint | null = null;

  rows(rows: DrainedRows, firstNs: bigint): void {
    this.#origin ??= firstNs;
    const origin = this.#origin;
    const times = rows.numbers(DrainTable.Writes, DRAIN_TS, 8, origin);
    const first = rows.numbers(DrainTable.Writes, DRAIN_PAGE, 4);
    const counts = rows.numbers(DrainTable.Writes, DRAIN_PAGES, 4);
    const causes = rows.numbers(DrainTable.Writes, DRAIN_CAUSE, 2);
    for (let i = 0; i < times.length; i++) this.#put(times[i]!, first[i]!, counts[i]!, causes[i]!);
    const sends = rows.numbers(DrainTable.Sends, DRAIN_TS, 8, origin);
    const kinds = rows.numbers(DrainTable.Sends, DRAIN_KIND, 4);
    const sent = rows.numbers(DrainTable.Sends, DRAIN_PAGE, 4);
    const runs = rows.numbers(DrainTable.Sends, DRAIN_PAGES, 4);
    for (let i = 0; i < sends.length; i++) {
      if (kinds[i] === DrainSend.Data) this.#sent.put(sends[i]!);
      if (kinds[i] === DrainSend.Cpu) this.#put(sends[i]!, sent[i]!, runs[i]!, VCPU);
    }
  }

  #put(ns: number, first: number, pages: number, cause: number): void {
    if (this.#ns.length + pages > MOST_WRITES) {
      throw new UsageError(`more than ${MOST_WRITES} page writes: ask about a shorter recording`);
    }
    for (let page = first; page < first + pages; page++) {
      let number = this.#dense.get(page);
      if (number === undefined) {
        number = this.#dense.size;
        this.#dense.set(page, number);
      }
      this.#ns.put(ns);
      this.#page.put(number);
      this.#cause.put(cause);
    }
  }

  gap(): void {}
  round(): void {}
  end(): void {}

  /** By time: vCPUs' writes are told later than they stand. */
  load(): Load {
    const [ns, page, cause] = [this.#ns.array(), this.#page.array(), this.#cause.array()];
    const sorted = ns.every((time, i) => i === 0 || time >= ns[i - 1]!);
    const order = sorted ? null : Array.from(ns.keys()).sort((a, b) => ns[a]! - ns[b]! || a - b);
    const by = <T extends Columns>(column: T): T =>
      order ? (column.map((_, i) => column[order[i]!]!) as T) : column;
    return {
      ...{ ns: by(ns), page: by(page), cause: by(cause) },
      ...{ pages: this.#dense.size, sentNs: this.#sent.array().sort() },
      originNs: this.#origin ?? 0n,
    };
  }
}

type Columns = Float64Array | Uint32Array | Uint8Array;

/** A column that grows. */
class Column<T extends Columns> {
  readonly #type: new (
    length: number,
  ) => T;
  #room: T;
  length = 0;

  constructor(type: new (length: number) => T) {
    this.#type = type;
    this.#room = new type(4096);
  }

  put(value: number): void {
    if (this.length === this.#room.length) {
      const larger = new this.#type(this.length * 2);
      larger.set(this.#room);
      this.#room = larger;
    }
    this.#room[this.length++] = value;
  }

  array(): T {
    return this.#room.slice(0, this.length) as T;
  }
}
