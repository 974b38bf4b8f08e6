/**
 * Random event streams for the comparison of the core with the oracle: mostly what a device does,
 * sometimes what it must not do. Address ranges are small on purpose, so that pages collide.
 */
import fc from "fast-check";
import type { NormalisedEvent } from "../../../src/model/event.ts";
import { type Buffer, Guest } from "../guest.ts";

const LIMIT = 2 ** 44;
const NO_ADDRESS = (1n << 64n) - 1n;
const USED = [0x15000n, 0x15ff0n, 0x26ff8n, BigInt(LIMIT) - 0x1000n, NO_ADDRESS];

/** One thing that happens; `on` says which queue, `pick` which of the candidates for the rest. */
interface Step {
  kind: string;
  on: number;
  pick: number;
  head: number;
  reads: Buffer[];
  writes: Buffer[];
}

const address = fc
  .oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0x200000, max: 0x240000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 0x20 }).map((page) => page * 0x200000 - 1) },
    { weight: 1, arbitrary: fc.integer({ min: LIMIT - 0x3000, max: LIMIT + 0x1000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: LIMIT - 1 }) },
  )
  .map((gpa) => Math.max(gpa, 0));
const length = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.constantFrom(1, 51, 108, 4095, 4096, 4097) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 70000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0x200000, 0x600001) },
);
const buffers = (most: number): fc.Arbitrary<Buffer[]> =>
  fc.array(fc.tuple(address, length), { maxLength: most });

/** Repetition is weight. */
const KINDS = [
  ...["submit", "submit", "submit", "submit", "complete", "complete", "complete", "complete"],
  ...["complete", "request", "request", "kick", "indirect", "rejected", "discarded", "unknown"],
  ...["popAgain", "lostUsed", "lostPop", "batch", "logAllOff", "logAllOn", "logAllFails"],
  ...["logBaseNone", "logBase", "ringLog", "clear", "sync", "sync", "gap", "uflags", "thread"],
  ...["toggle", "logAllOn", "undrained", "move", "otherMarker", "foreignDesc", "rearmOff"],
];
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  on: fc.constantFrom(0, 1, 2, 2, 2, 3),
  pick: fc.nat({ max: 1000 }),
  head: fc.nat({ max: 15 }),
  reads: buffers(2),
  writes: buffers(5),
});

interface Flight {
  queue: number;
  head: number;
}

function perform(guest: Guest, flights: Flight[], s: Step): void {
  const at = flights.length === 0 ? -1 : s.pick % flights.length;
  const flight = flights[at];
  const q = guest.queue(s.on);
  const gone = (): void => {
    flights.splice(at, 1);
  };
  const fly = (): number => flights.push({ queue: s.on, head: s.head });
  const free = !flights.some((f) => f.queue === s.on && f.head === s.head);
  switch (s.kind) {
    case "submit":
      if (free) {
        guest.drain(s.on).take(s.on, s.head, s.reads, s.writes).popEmpty(s.on).rearm(s.on);
        fly();
      }
      break;
    case "indirect":
      if (free) {
        guest.drain(s.on).desc(s.on, [0x300000, 16 * s.writes.length], 1);
        guest.take(s.on, s.head, s.reads, s.writes);
        fly();
      }
      break;
    case "undrained":
      if (free && s.writes.length > 0) {
        guest.take(s.on, s.head, s.reads, s.writes);
        fly();
      }
      break;
    case "popAgain":
      guest.drain(s.on).take(s.on, s.head, s.reads, s.writes);
      if (free) fly();
      break;
    case "lostPop":
      guest.drain(s.on).used(s.on, s.head);
      break;
    case "request":
      if (free) guest.request({ queue: s.on, head: s.head, reads: s.reads, writes: s.writes });
      break;
    case "complete":
      if (flight !== undefined) {
        guest.used(flight.queue, flight.head);
        gone();
      }
      break;
    case "lostUsed":
      if (flight !== undefined) {
        const lost = guest.queue(flight.queue);
        lost.lastUsed = (lost.lastUsed + 1 + (s.pick % 3) * 7) % 0x10000;
        gone();
      }
      break;
    case "batch":
      guest.used(s.on, s.head, 2 + (s.pick % 6));
      break;
    case "kick":
      guest.kick(s.on);
      break;
    case "rejected":
      for (const buffer of s.writes) guest.desc(s.on, buffer, 2);
      guest.pop(s.on, -22);
      break;
    case "discarded":
      for (const buffer of s.writes) guest.desc(s.on, buffer, 2);
      guest.popEmpty(s.on);
      break;
    case "foreignDesc":
      guest.desc((s.on + 1) % 4, [0x2ff000, 4096], 2);
      break;
    case "unknown":
      guest.used(s.on, 15 - s.head);
      break;
    case "logAllOff":
      guest.setLogAll(false);
      break;
    case "logAllOn":
      guest.setLogAll(true);
      break;
    case "toggle":
      guest.setLogAll(false).setLogAll(true);
      break;
    case "logAllFails":
      guest.setLogAll(s.pick % 2 === 0, -14);
      break;
    case "logBaseNone":
      guest.setLogBase(0n);
      break;
    case "logBase":
      guest.setLogBase(0x7f0000000000n, s.pick % 4 === 0 ? -14 : 0);
      break;
    case "ringLog":
      guest.setVringAddr(s.on, s.pick % 2 === 0);
      break;
    case "move":
      q.used = USED[s.pick % USED.length] ?? 0n;
      break;
    case "clear":
      guest.clearEndpoint(s.pick % 2 === 0 ? 0 : -22);
      if (s.pick % 2 === 0) flights.length = 0;
      break;
    case "sync":
      guest.sync(s.pick, s.pick % 2 === 0 ? "live" : "");
      break;
    case "otherMarker":
      guest.events.push({ event: "marker", ts: "0", cpu: 0, pid: 1, text: "dirty_sync_end 1" });
      break;
    case "gap":
      guest.gap(s.pick % 2 === 0 ? null : s.pick);
      break;
    case "uflags":
      guest.uflags(s.on, s.pick % 2);
      break;
    case "rearmOff":
      guest.rearm(s.on, 0);
      break;
    case "thread":
      guest.worker = 300 + (s.pick % 3);
      break;
  }
}

/**
 * Event streams in time order: up to four queues and three workers, LOG_ALL and the log base
 * changing under requests in flight, lost `used` and `pop` events, unknown heads, gaps, indirect
 * tables, used rings across pages and near 2^44, empty descriptors.
 */
export function eventStreams(): fc.Arbitrary<NormalisedEvent[]> {
  const start = fc.record({
    num: fc.constantFrom(8, 16, 256),
    used: fc.constantFrom(...USED.slice(0, 4)),
    lastUsed: fc.constantFrom(0, 5, 250, 65530),
    eventIdx: fc.boolean(),
    logAll: fc.boolean(),
    logused: fc.boolean(),
    popVq: fc.boolean(),
    drained: fc.boolean(),
  });
  return fc.tuple(start, fc.array(step, { maxLength: 60, size: "max" })).map(([options, steps]) => {
    const guest = new Guest(options);
    const first = guest.queue(2);
    guest.queues.set(3, { ...first, index: 3, vq: guest.q0 + 3n * guest.stride, used: 0x17000n });
    if (options.drained) for (const index of guest.queues.keys()) guest.drain(index);
    const flights: Flight[] = [];
    for (const s of steps) perform(guest, flights, s);
    return guest.events.map((event, i) => ({ ...event, ts: String(1_000_000_000 + 1000 * i) }));
  });
}
