/**
 * Faults in the order of the ioctls that switch a dirty log, device by device. What QEMU does is SET_LOG_BASE, then
 * LOG_ALL with the log flags of the rings, and the log is read (vhost_migration_log(), hw/virtio/vhost.c).
 */
import { formatPlace } from "../model/place.ts";
import type { DeviceSummary, MachineResult } from "../model/result.ts";
import type { RequestRecord } from "../model/told.ts";

/** A fault as `lint` lists it; its code says what it means for the verdict. */
export interface Fault {
  code: string;
  /** protocol: what was recorded is not as it should be; recording: how it was recorded is not. */
  kind: "protocol" | "recording";
  /** One sentence for people. */
  text: string;
  count: number;
  /** The first ones, `file:where`. */
  places: string[];
}

/** Places of a fault that are kept. */
export const KEPT_PLACES = 8;

interface Switches {
  /** LOG_ALL on without a SET_LOG_BASE before it. */
  withoutBase: string[];
  /** Rings in use whose log flag stays off while LOG_ALL is on. */
  ringsOff: string[];
  /** When LOG_ALL changed. */
  toggles: { ns: bigint; place: string; on: boolean }[];
}

/** What the recorded changes of a device's log come to. */
export function switchesOf({ logging, queues }: DeviceSummary): Switches {
  const found: Switches = { withoutBase: [], ringsOff: [], toggles: [] };
  const flags = new Map<number, boolean>();
  let base = false;
  let since: string | null = null;
  const closeWindow = (): void => {
    if (since === null) return;
    const used = queues.filter(({ completed, index }) => completed > 0 && index !== null);
    // A ring of which no SET_VRING_ADDR is recorded may have its flag from before.
    if (used.some(({ index }) => flags.get(index!) === false)) found.ringsOff.push(since);
    since = null;
  };
  for (const { ns, place, what } of logging) {
    const at = formatPlace(place);
    const ring = /^vring (\d+) log flag (on|off)/.exec(what);
    if (ring) flags.set(Number(ring[1]), ring[2] === "on");
    if (what.startsWith("SET_LOG_BASE")) base = true;
    if (what !== "LOG_ALL on" && what !== "LOG_ALL off") continue;
    const on = what === "LOG_ALL on";
    found.toggles.push({ ns: BigInt(ns), place: at, on });
    if (!on) {
      // QEMU takes the flags of the rings back after LOG_ALL: these are as they were.
      closeWindow();
      continue;
    }
    if (!base) found.withoutBase.push(at);
    since ??= at;
  }
  closeWindow();
  return found;
}

/** Windows in which LOG_ALL was on and no sync read the log. */
export function neverRead(machine: MachineResult, toggles: Switches["toggles"]): string[] {
  const syncs = machine.rounds.flatMap(({ sync }) => (sync ? [BigInt(sync.ns)] : []));
  return toggles.flatMap(({ ns, on, place }, i) => {
    if (!on) return [];
    const end = toggles.slice(i + 1).find((next) => !next.on)?.ns;
    const read = syncs.some((at) => at >= ns && (end === undefined || at <= end));
    return read ? [] : [place];
  });
}

/** Counts requests in flight when the log of their device was switched. */
export class InFlightAtToggle {
  readonly #toggles: ReadonlyMap<number, Switches["toggles"]>;
  readonly places = new Set<string>();
  requests = 0;

  constructor(toggles: ReadonlyMap<number, Switches["toggles"]>) {
    this.#toggles = toggles;
  }

  add({ device, popped, used }: RequestRecord): void {
    if (popped === null) return;
    const toggles = this.#toggles.get(device);
    if (!toggles) return;
    const from = BigInt(popped.ns);
    const until = used === null ? null : BigInt(used.ns);
    const hit = toggles.find(({ ns }) => ns > from && (until === null || ns < until));
    if (!hit) return;
    this.requests++;
    if (this.places.size < KEPT_PLACES) this.places.add(hit.place);
  }
}
