/**
 * Pages that a destination receives in post-copy, redacted. Their event does not say which RAM block they
 * are of, and where a page moves depends on it; so they are held back until the host page is placed, which
 * tells it (assembly/migration/postcopy-loads.ts).
 */
import type { QemuTraceEvent } from "../model/event.ts";
import type { Mapping } from "./mapping.ts";
import { argument } from "./survey.ts";

type Arguments = QemuTraceEvent["args"];
/** An event that takes the place of another. */
export type Redacted = { name: string; args: Arguments };

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const PAGE = 4096n;
/** Pages of one host page that are held at most: 1 GiB. */
const MAX_HELD = 262144;

export class PostcopyRedactor {
  readonly #map: Mapping;
  /** Host address of each RAM block, by its name. */
  readonly #bases = new Map<string, bigint>();
  /** By channel. */
  readonly #held = new Map<number, QemuTraceEvent[]>();

  constructor(map: Mapping) {
    this.#map = map;
  }

  /** ram_load_loop tells where a RAM block lies. */
  block(event: QemuTraceEvent): void {
    const name = String(event.args.rbname ?? "");
    if (this.#bases.has(name) || this.#bases.size >= 1024) return;
    this.#bases.set(name, argument(event, "host") - argument(event, "addr"));
  }

  /** ram_load_postcopy_loop. */
  load(event: QemuTraceEvent): Redacted[] {
    const channel = Number(argument(event, "channel"));
    const held = this.#held.get(channel) ?? [];
    const last = held.at(-1);
    const next = last === undefined ? null : argument(last, "addr") + PAGE;
    const goesOn = next === argument(event, "addr") && held.length < MAX_HELD;
    if (goesOn) held.push(event);
    else this.#held.set(channel, [event]);
    return [];
  }

  /** postcopy_place_page, postcopy_place_page_zero: the pages that were held, and this one. */
  place(event: QemuTraceEvent): Redacted[] {
    const host = argument(event, "host_addr");
    for (const [channel, held] of this.#held) {
      const first = argument(held[0]!, "addr");
      const block = [...this.#bases].find(([, base]) => base + first === host);
      if (!block) continue;
      this.#held.delete(channel);
      return held.flatMap((load, i) => {
        const at = BigInt(i) * PAGE;
        const moved = this.#map.ramPage(block[0], first + at, host + at);
        const { flags } = load.args;
        const args = { channel, addr: hex(moved.offset), flags: flags ?? 0 };
        // Each page goes elsewhere, so each is placed by itself.
        return [
          { name: load.name, args },
          { name: event.name, args: { host_addr: hex(moved.host) } },
        ];
      });
    }
    return [];
  }
}
