/**
 * The stale verdict, naively: for every page the whole list of what happened to it, and E.4 of
 * semantics.md as migration.md refines it, read off that list. Written from those two texts; nothing
 * of the core is used, and nothing is kept incrementally.
 */
import fc from "fast-check";
import { Cause } from "../assembly/abi.ts";
import { findPolicy, type Policy } from "../src/vhost/policy.ts";
import { MigrationGuest } from "./migration-guest.ts";

/** What the guest, its device and QEMU do. */
export type Op =
  | { op: "start" | "sync" | "flush" | "gap" | "stop" | "end" }
  | { op: "pop"; head: number; pages: readonly number[] }
  | { op: "used"; head: number }
  /** A request of the control queue: the response lies in this page. */
  | { op: "control"; page: number }
  | { op: "save"; pages: readonly number[] }
  | { op: "cpu"; page: number };

type Kind = "io" | "late" | "control" | "ring" | "off";

/** What happened to pages, in order; the position in the list is the time. */
type Happening =
  | { what: "write"; pages: readonly number[]; kind: Kind }
  | { what: "send"; page: number }
  | { what: "tracked"; pages: readonly number[] }
  | { what: "start" | "sync" | "flush" | "gap" | "end" };

const BASE = findPolicy("linux-6.1");
const FULL = findPolicy("linux-6.16");
const made = (name: string, logs: number): Policy => ({ ...BASE, name, aliases: [], logs });

/** Policies, and the kinds of writes that each logs. Later ones log more than `linux-6.1`. */
export const ORACLE_POLICIES: readonly { policy: Policy; logs: ReadonlySet<Kind> }[] = [
  { policy: BASE, logs: new Set(["ring"]) },
  { policy: FULL, logs: new Set(["ring", "io", "control"]) },
  { policy: made("late", BASE.logs | (1 << Cause.IoLate)), logs: new Set(["ring", "late"]) },
  {
    policy: made("control", BASE.logs | (1 << Cause.CtlLogged)),
    logs: new Set(["ring", "control"]),
  },
  {
    policy: made("all", FULL.logs | (1 << Cause.IoLate)),
    logs: new Set(["ring", "io", "control", "late"]),
  },
];

const RING: Readonly<Record<number, number>> = { 0: 0x11, 2: 0x15 };
/** 64 entries of QEMUFile's iovec, two a page (migration.md). */
const IOVEC_PAGES = 32;

/** The recording of what happens. */
export function record(ops: readonly Op[]): MigrationGuest {
  const guest = new MigrationGuest();
  guest.slot();
  for (const op of ops) {
    if (op.op === "start") guest.start();
    else if (op.op === "sync") guest.bitmapSync();
    else if (op.op === "flush") guest.flush();
    else if (op.op === "gap") guest.gap(1);
    else if (op.op === "stop") guest.stopDevice();
    else if (op.op === "end") guest.end();
    else if (op.op === "pop") guest.popPages(op.head, ...op.pages);
    else if (op.op === "used") guest.used(2, op.head);
    else if (op.op === "control") guest.submit(0, [[op.page << 12, 8]], 0, 24).used(0, 0);
    else if (op.op === "save") guest.save(...op.pages);
    else if (op.op === "cpu") guest.cpuDirtied(op.page);
  }
  return guest;
}

/** The same as a list of what happened to pages. */
function happenings(ops: readonly Op[]): Happening[] {
  const list: Happening[] = [];
  const flying = new Map<number, { pages: readonly number[]; captured: boolean }>();
  const seen = new Set<number>();
  let on = false;
  const ring = (queue: number): void => {
    list.push({ what: "write", pages: [RING[queue]!], kind: "ring" });
  };
  for (const op of ops) {
    switch (op.op) {
      case "start":
        on = true;
        list.push({ what: "start" });
        break;
      case "pop":
        seen.add(2);
        flying.set(op.head, { pages: op.pages, captured: on });
        ring(2);
        break;
      case "used": {
        const request = flying.get(op.head);
        flying.delete(op.head);
        ring(2);
        if (!request) break;
        const kind = !on ? "off" : request.captured ? "io" : "late";
        list.push({ what: "write", pages: request.pages, kind });
        break;
      }
      case "control":
        seen.add(0);
        ring(0);
        list.push({ what: "write", pages: [op.page], kind: on ? "control" : "off" });
        break;
      case "save":
        for (const page of op.pages) list.push({ what: "send", page });
        break;
      case "cpu":
        list.push({ what: "tracked", pages: [op.page] });
        break;
      case "stop":
        flying.clear();
        list.push({ what: "tracked", pages: [...seen].map((queue) => RING[queue]!) });
        break;
      default:
        list.push({ what: op.op });
    }
  }
  return list;
}

export interface OracleVerdict {
  stale: number[];
  possible: number[];
  healed: number[];
  /** Pages that count as stale when nothing of the sends is known: E.4, "likely". */
  likely: number[];
}

/** The verdict of one policy, page by page. */
export function oracleVerdict(ops: readonly Op[], logs: ReadonlySet<Kind>): OracleVerdict {
  const all = happenings(ops);
  const start = all.findIndex(({ what }) => what === "start");
  const end = all.findIndex(({ what }) => what === "end");
  const list = all.slice(start, end < 0 ? all.length : end);
  const verdict: OracleVerdict = { stale: [], possible: [], healed: [], likely: [] };
  if (start < 0) return verdict;
  const sendTimes = list.some(({ what }) => what === "send");
  const syncs = list.flatMap(({ what }, t) => (what === "sync" ? [t] : []));
  // What is in the log when the recording ends before the migration is fetched later.
  const fetches = end < 0 ? [...syncs, list.length] : syncs;
  const sends = list.flatMap((entry, t) => (entry.what === "send" ? [t] : []));
  const pages = new Set(list.flatMap((entry) => (entry.what === "write" ? entry.pages : [])));

  for (const page of [...pages].sort((a, b) => a - b)) {
    const touched = (t: number): boolean => {
      const entry = list[t]!;
      return entry.what === "write" && entry.pages.includes(page);
    };
    const logged = (t: number): boolean => {
      const entry = list[t]!;
      return touched(t) && entry.what === "write" && logs.has(entry.kind);
    };
    const writes = list.flatMap((entry, t) =>
      touched(t) && entry.what === "write" && entry.kind !== "off" && !logs.has(entry.kind)
        ? [t]
        : [],
    );
    if (writes.length === 0) continue;
    const ownSends = sends.filter((t) => (list[t] as { page: number }).page === page);
    const ownTracked = list.flatMap((entry, t) =>
      entry.what === "tracked" && entry.pages.includes(page) ? [t] : [],
    );
    /** Whether the harvest number `k` finds the page in this policy's log. */
    const harvests = (k: number): boolean => {
      for (let t = k === 0 ? 0 : fetches[k - 1]!; t < fetches[k]!; t++) if (logged(t)) return true;
      return false;
    };
    const covered = (w: number): boolean =>
      ownSends.some((t) => t > w) ||
      ownTracked.some((t) => t > w) ||
      fetches.some((t, k) => t > w && harvests(k));
    /** Until when a page sent at `s` may still be read. */
    const readBy = (s: number): number => {
      const later = sends.filter((t) => t > s)[IOVEC_PAGES - 1] ?? Number.POSITIVE_INFINITY;
      const flush = list.findIndex(({ what }, t) => t > s && (what === "flush" || what === "sync"));
      return Math.min(later, flush < 0 ? Number.POSITIVE_INFINITY : flush);
    };
    const doubtful = (w: number): boolean => {
      if (list.some(({ what }, t) => what === "gap" && t > w)) return true;
      if (ownSends.some((s) => s < w && readBy(s) > w)) return true;
      // Not sent as far as is known, and the first pass is not over: sent now or sent later.
      const secondSync = syncs[1] ?? Number.POSITIVE_INFINITY;
      if (w < secondSync && !ownSends.some((s) => s < w)) return true;
      // Harvested and not sent yet. A send would show it, once sends are known to be recorded; before
      // the first one it may wait unseen (as a page of zeros it is never seen at all).
      if (sends.some((t) => t < w)) return false;
      const last = syncs.filter((t) => t < w).length - 1;
      return last >= 1 && harvests(last);
    };
    const open = writes.filter((w) => !covered(w));
    if (open.length === 0) verdict.healed.push(page);
    else {
      const certain = open.some((w) => !doubtful(w));
      if (certain) verdict.likely.push(page);
      (certain && sendTimes && end >= 0 ? verdict.stale : verdict.possible).push(page);
    }
  }
  return verdict;
}

/** Pages on both sides of a word's and of a block's border, a page of the used ring, any other. */
const page = fc.constantFrom(0x15, 0x23f, 0x240, 0x241, 0x3ff, 0x400, 0x802);
const runs = fc
  .tuple(page, fc.constantFrom(1, 1, 2, 3))
  .map(([first, count]) => Array.from({ length: count }, (_, i) => first + i));

const some = (withSends: boolean): fc.Arbitrary<Op> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ op: fc.constant("pop" as const), head: fc.nat(2), pages: runs }),
    },
    { weight: 7, arbitrary: fc.record({ op: fc.constant("used" as const), head: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("control" as const), page }) },
    { weight: 3, arbitrary: fc.constant<Op>({ op: "sync" }) },
    { weight: 1, arbitrary: fc.constant<Op>({ op: "gap" }) },
    { weight: 1, arbitrary: fc.constant<Op>({ op: "stop" }) },
    ...(withSends
      ? [
          {
            weight: 6,
            arbitrary: fc.array(page, { minLength: 1, maxLength: 3 }).map<Op>((pages) => ({
              op: "save",
              pages,
            })),
          },
          {
            // As many as fill the iovec, or nearly.
            weight: 2,
            arbitrary: fc.integer({ min: 29, max: 33 }).map<Op>((count) => ({
              op: "save",
              pages: Array.from({ length: count }, (_, i) => 0x1000 + i),
            })),
          },
          { weight: 2, arbitrary: fc.constant<Op>({ op: "flush" }) },
          { weight: 1, arbitrary: page.map<Op>((own) => ({ op: "cpu", page: own })) },
        ]
      : []),
  );

/** One migration: pops before it, what happens in it, its end or none. */
export function migrations(withSends = true): fc.Arbitrary<Op[]> {
  return fc
    .tuple(
      fc.array(some(false), { maxLength: 4 }),
      fc.array(some(withSends), { maxLength: 40 }),
      fc.boolean(),
      fc.array(some(withSends), { maxLength: 3 }),
    )
    .map(([before, during, ends, after]) => [
      ...before.filter(({ op }) => op === "pop" || op === "used"),
      { op: "start" as const },
      ...during,
      ...(ends ? [{ op: "end" as const }, ...after] : []),
    ]);
}
