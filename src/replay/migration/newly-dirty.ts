/**
 * How many pages QEMU found newly dirty in a migration, at most. `migration_bitmap_sync_end` tells
 * `rs->num_dirty_pages_period`: the pages whose bit was clear and is set now, summed over the syncs
 * of a period. A period ends behind the event of a sync at which more than a second has passed since
 * the last period ended, or since the first sync began; then the counter starts at 0 again. QEMU
 * migration/ram.c ramblock_sync_dirty_bitmap(), migration_bitmap_sync(): checked on recordings of 7.2
 * and 10.0. COLO resets it at other times (mig_throttle_counter_reset()).
 *
 * QEMU reads its clock a little after the event, and before what its thread does next. So whether a
 * period ended is not always known: then both ways are followed. A counter that fell rules one of
 * them out; of those that are left the larger sum counts.
 */

/** migration_bitmap_sync(): more than 1000 milliseconds, of a clock in whole milliseconds. */
const PERIOD = 1_000_000_000n;
/** The recording's clock against QEMU's: their resolution, at worst that of jiffies at both ends. */
const SLACK = 20_000_000n;
/** A log without times counts its lines instead, which are fewer; no host migrates that early. */
const TIMELESS = 1n << 32n;
const MOST_WAYS = 4096;

/** One way in which the counter may have gone. */
interface Way {
  /** When its period began: between these times. */
  from: bigint;
  to: bigint;
  /** Pages of the periods before. */
  before: number;
}

/** Follows the syncs of one migration. */
export class NewlyDirty {
  #ways: Way[];
  #count = 0;
  /** End of the last sync; null before the first. */
  #endNs: bigint | null = null;
  #known = true;

  /** `notBefore`: QEMU's first sync did not begin before. */
  constructor(notBefore: bigint) {
    this.#ways = [{ from: notBefore, to: notBefore, before: 0 }];
  }

  /** What was recorded cannot be the whole of it: there is no number. */
  give(): void {
    this.#known = false;
  }

  /**
   * One sync, with the counter that QEMU told at its end. `readBy`: the first that the thread is
   * known to have done after the sync before, when it had read its clock for that one.
   */
  sync(startNs: bigint, endNs: bigint, count: number, readBy = startNs): void {
    if (this.#endNs === null) {
      // At the first sync every page is dirty, so none is newly so; another one was not recorded.
      if (count !== 0) this.give();
      this.#ways[0]!.to = startNs;
    } else {
      if (startNs < this.#endNs - SLACK) this.give();
      this.#ways = endNs < TIMELESS ? this.#untimed() : this.#next(this.#endNs, readBy, count);
    }
    this.#endNs = endNs;
    this.#count = count;
    if (this.#ways.length === 0 || this.#ways.length > MOST_WAYS) this.give();
  }

  /** The ways on, when the last sync's clock was read between these times. */
  #next(from: bigint, to: bigint, count: number): Way[] {
    const going: Way[] = [];
    let ended = -1;
    for (const way of this.#ways) {
      const most = to - way.from + SLACK;
      const least = from - way.to - SLACK;
      if (most > PERIOD) ended = Math.max(ended, way.before + this.#count);
      // Whole milliseconds may hide one of them.
      if (least <= PERIOD + 1_000_000n && count >= this.#count) going.push(way);
    }
    return ended < 0 ? going : [...going, { from, to, before: ended }];
  }

  /** Without times every sync may have ended a period. */
  #untimed(): Way[] {
    return [{ from: 0n, to: 0n, before: this.#ways[0]!.before + this.#count }];
  }

  /** Pages that became dirty anew, at most; null: not known. */
  get most(): number | null {
    if (!this.#known || this.#endNs === null) return null;
    return this.#ways.reduce((most, { before }) => Math.max(most, before), 0) + this.#count;
  }
}
