/** When the dirty log of a device and of its rings was on, from what its ioctls changed. */
import type { DeviceSummary } from "../model/result.ts";
import type { LogInterval } from "./header.ts";

/** The intervals of one device, in the order in which they begin. */
export function logIntervals(changes: DeviceSummary["logging"], device: number): LogInterval[] {
  const intervals: LogInterval[] = [];
  const open = new Map<number | null, LogInterval>();
  for (const { ns, what } of changes) {
    const change = changeOf(what);
    if (!change) continue;
    const { ring, on } = change;
    const before = open.get(ring);
    if (on && !before) {
      const interval: LogInterval = { device, ring, fromNs: ns, toNs: null };
      intervals.push(interval);
      open.set(ring, interval);
    } else if (!on && before) {
      before.toNs = ns;
      open.delete(ring);
    }
  }
  return intervals;
}

/** `LOG_ALL on`, `vring 2 log flag off, used ring 0x…`: the words of src/replay/devices.ts. */
function changeOf(what: string): { ring: number | null; on: boolean } | null {
  const all = /^LOG_ALL (on|off)$/.exec(what);
  if (all) return { ring: null, on: all[1] === "on" };
  const ring = /^vring (\d+) log flag (on|off),/.exec(what);
  return ring ? { ring: Number(ring[1]), on: ring[2] === "on" } : null;
}
