/**
 * The stale verdict, naively: for every page the whole list of what happened to it, and the rules
 * of docs/qemu.md and the laws C83 to C90 read off that list. Written from these texts; nothing of the
 * core is used, and nothing is kept incrementally.
 */
import fc from "fast-check";
import { Cause } from "../../assembly/page-abi.ts";
import type { MigrationResult } from "../../src/model/migration-result.ts";
import { mask } from "../../src/vhost/causes.ts";
import { findPolicy, type Policy } from "../../src/vhost/policy.ts";
import { MigrationGuest } from "./migration-guest.ts";

/** What the guest, its device and QEMU do. */
export type Op =
  | { op: "start" | "flush" | "gap" | "stop" | "end" }
  /** `found`: pages that QEMU finds newly dirty. */
  | { op: "sync"; found?: number }
  | { op: "pop"; head: number; pages: readonly number[] }
  | { op: "used"; head: number }
  /** A request of the control queue: the response lies in this page. */
  | { op: "control"; page: number }
  | { op: "save"; pages: readonly number[] }
  /** Sent as a page of zeros, of which only the destination knows. */
  | { op: "zero"; page: number }
  | { op: "cpu"; page: number };

type Kind = "io" | "late" | "control" | "ring" | "off";

/** What happened to pages, in order; the position in the list is the time. */
type Happening =
  /** `began`: the position at which its request was popped; none: it is written at once. */
  | { what: "write"; pages: readonly number[]; kind: Kind; began?: number }
  | { what: "send" | "zero"; page: number }
  | { what: "tracked"; pages: readonly number[] }
  | { what: "start" | "sync" | "flush" | "gap" | "end" };

const BASE = findPolicy("linux-6.1");
const FULL = findPolicy("linux-6.16");
const made = (name: string, logs: bigint): Policy => ({ ...BASE, name, aliases: [], logs });

/** Policies, and the kinds of writes that each logs. Later ones log more than `linux-6.1`. */
export const ORACLE_POLICIES: readonly { policy: Policy; logs: ReadonlySet<Kind> }[] = [
  { policy: BASE, logs: new Set(["ring"]) },
  { policy: FULL, logs: new Set(["ring", "io", "control"]) },
  { policy: made("late", BASE.logs | mask(Cause.IoLate)), logs: new Set(["ring", "late"]) },
  {
    policy: made("control", BASE.logs | mask(Cause.CtlLogged)),
    logs: new Set(["ring", "control"]),
  },
  {
    policy: made("all", FULL.logs | mask(Cause.IoLate)),
    logs: new Set(["ring", "io", "control", "late"]),
  },
];

const RING: Readonly<Record<number, number>> = { 0: 0x11, 2: 0x15 };
/** 64 entries of QEMUFile's iovec, two a page: migration/qemu-file.c. */
const IOVEC_PAGES = 32;

/** The recording of what happens. */
export function record(ops: readonly Op[]): MigrationGuest {
  const guest = new MigrationGuest();
  guest.slot();
  for (const op of ops) {
    if (op.op === "start") guest.start();
    else if (op.op === "sync") guest.bitmapSync(op.found);
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
  const flying = new Map<number, { pages: readonly number[]; captured: boolean; began: number }>();
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
        flying.set(op.head, { pages: op.pages, captured: on, began: list.length });
        ring(2);
        break;
      case "used": {
        const request = flying.get(op.head);
        flying.delete(op.head);
        ring(2);
        if (!request) break;
        const kind = !on ? "off" : request.captured ? "io" : "late";
        list.push({ what: "write", pages: request.pages, kind, began: request.began });
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
      case "zero":
        list.push({ what: "zero", page: op.page });
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

/** No page is in two. */
export interface OracleVerdict {
  stale: number[];
  likely: number[];
  possible: number[];
  healed: number[];
}

/** Where pages may have been sent again as zeros unseen, none is certainly stale. */
export function asFarAsSeen(migration: MigrationResult, oracle: OracleVerdict): OracleVerdict {
  if (migration.zeroResendsAtMost === 0) return oracle;
  const likely = [...oracle.stale, ...oracle.likely].sort((a, b) => a - b);
  return { ...oracle, stale: [], likely };
}

/** The verdict of one policy, page by page; with what the destination shows, or without. */
export function oracleVerdict(
  ops: readonly Op[],
  logs: ReadonlySet<Kind>,
  destination = false,
): OracleVerdict {
  const all = happenings(ops);
  const start = all.findIndex(({ what }) => what === "start");
  const end = all.findIndex(({ what }) => what === "end");
  const list = all.slice(start, end < 0 ? all.length : end);
  const verdict: OracleVerdict = { stale: [], likely: [], possible: [], healed: [] };
  if (start < 0) return verdict;
  const syncs = list.flatMap(({ what }, t) => (what === "sync" ? [t] : []));
  // What is in the log when the recording ends before the migration is fetched later.
  const fetches = end < 0 ? [...syncs, list.length] : syncs;
  const sends = list.flatMap((entry, t) => (entry.what === "send" ? [t] : []));
  /** Of a page of zeros it is known between which two sends of the source it was sent. */
  const between = (t: number): number => sends.filter((s) => s < t).length;
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
    const ownZeros = list.flatMap((entry, t) =>
      destination && entry.what === "zero" && entry.page === page ? [between(t)] : [],
    );
    const covered = (w: number): boolean =>
      ownSends.some((t) => t > w) ||
      ownZeros.some((z) => z > between(w)) ||
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
      if (ownZeros.some((z) => z === between(w))) return true;
      // Not sent as far as is known, and the first pass is not over: sent now or sent later.
      const secondSync = syncs[1] ?? Number.POSITIVE_INFINITY;
      const sent = ownSends.some((s) => s < w) || ownZeros.some((z) => z < between(w));
      if (w < secondSync && !sent) return true;
      // Harvested and not sent yet. A send would show it, once sends are known to be recorded; before
      // the first one it may wait unseen (as a page of zeros it is never seen at all).
      if (sends.some((t) => t < w)) return false;
      const last = syncs.filter((t) => t < w).length - 1;
      return last >= 1 && harvests(last);
    };
    /** Its last send is known, and was read before the request was popped. */
    const afterSend = (w: number): boolean => {
      const entry = list[w]!;
      const popped = entry.what === "write" && entry.began !== undefined ? entry.began - start : w;
      const known = [
        ...ownSends.filter((s) => s < w).map(readBy),
        // A page of zeros was read before the send that follows it.
        ...ownZeros.filter((z) => z < between(w)).map((z) => sends[z] ?? Number.POSITIVE_INFINITY),
      ];
      return known.length > 0 && known.every((t) => t <= popped);
    };
    const open = writes.filter((w) => !covered(w));
    const ordered = open.filter((w) => !doubtful(w));
    if (open.length === 0) verdict.healed.push(page);
    else if (ordered.length === 0 || end < 0) verdict.possible.push(page);
    else (ordered.some(afterSend) ? verdict.stale : verdict.likely).push(page);
  }
  return verdict;
}

/**
 * When a page was sent as zeros against its last write that a policy leaves out, in sends of the
 * source between the two; and whether it had been sent before.
 */
export function lastZero(
  ops: readonly Op[],
  page: number,
  logs: ReadonlySet<Kind>,
): { order: number; again: boolean } {
  let before = 0;
  let sent = false;
  let zero = { at: -1, again: false };
  let writtenAt = 0;
  for (const entry of happenings(ops)) {
    if (entry.what === "end") break;
    if (entry.what === "send") {
      before++;
      sent ||= entry.page === page;
    } else if (entry.what === "zero" && entry.page === page) {
      zero = { at: before, again: sent };
      sent = true;
    } else if (entry.what === "write" && entry.pages.includes(page) && !logs.has(entry.kind)) {
      if (entry.kind !== "off") writtenAt = before;
    }
  }
  return { order: zero.at - writtenAt, again: zero.again };
}

/** Pages on both sides of a word's and of a block's border, a page of the used ring, any other. */
const page = fc.constantFrom(0x15, 0x23f, 0x240, 0x241, 0x3ff, 0x400, 0x802);
const runs = fc
  .tuple(page, fc.constantFrom(1, 1, 2, 3))
  .map(([first, count]) => Array.from({ length: count }, (_, i) => first + i));

const some = (withSends: boolean, withZeros = false): fc.Arbitrary<Op> =>
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ op: fc.constant("pop" as const), head: fc.nat(2), pages: runs }),
    },
    { weight: 28, arbitrary: fc.record({ op: fc.constant("used" as const), head: fc.nat(2) }) },
    { weight: 8, arbitrary: fc.record({ op: fc.constant("control" as const), page }) },
    { weight: 12, arbitrary: fc.constant<Op>({ op: "sync" }) },
    // Rare: what came before it is not certain any more.
    { weight: 1, arbitrary: fc.constant<Op>({ op: "gap" }) },
    { weight: 2, arbitrary: fc.constant<Op>({ op: "stop" }) },
    ...(withSends
      ? [
          {
            weight: 24,
            arbitrary: fc.array(page, { minLength: 1, maxLength: 3 }).map<Op>((pages) => ({
              op: "save",
              pages,
            })),
          },
          {
            // As many as fill the iovec, or nearly.
            weight: 8,
            arbitrary: fc.integer({ min: 29, max: 33 }).map<Op>((count) => ({
              op: "save",
              pages: Array.from({ length: count }, (_, i) => 0x1000 + i),
            })),
          },
          { weight: 8, arbitrary: fc.constant<Op>({ op: "flush" }) },
          { weight: 4, arbitrary: page.map<Op>((own) => ({ op: "cpu", page: own })) },
          ...(withZeros
            ? [{ weight: 20, arbitrary: page.map<Op>((own) => ({ op: "zero", page: own })) }]
            : []),
        ]
      : []),
  );

/** A page that is sent, written, found dirty for another reason and sent again as zeros, or nearly so. */
export const zeroed: fc.Arbitrary<Op[]> = fc
  .tuple(page, page, fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }))
  .map(([own, other, drop]) => {
    const story: Op[] = [
      { op: "save", pages: [own] },
      { op: "flush" },
      { op: "pop", head: 0, pages: [own] },
      { op: "used", head: 0 },
      { op: "sync" },
      { op: "zero", page: own },
      { op: "save", pages: [other] },
      { op: "sync" },
      { op: "save", pages: [other] },
    ];
    // Each step is left out now and then.
    return story.filter((_, i) => !drop[i] || !drop[(i + 4) % 9] || !drop[(i + 7) % 9]);
  });

/** One migration: pops before it, what happens in it, its end or none. */
export function migrations(withSends = true, withZeros = false): fc.Arbitrary<Op[]> {
  return fc
    .tuple(
      fc.array(some(false), { maxLength: 4 }),
      // All lengths are as likely: few pages are certainly stale in a short one.
      withZeros
        ? fc
            .array(
              fc.oneof(
                some(true, true).map((op) => [op]),
                zeroed,
              ),
              { maxLength: 20, size: "max" },
            )
            .map((parts) => parts.flat())
        : fc.array(some(withSends), { maxLength: 40, size: "max" }),
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

/**
 * The same as QEMU could have done it: a page is sent again only if a sync found it dirty since its
 * last send, and as zeros for the first time only before the second sync. `found` of each sync is
 * the number of these pages, and some that are never sent again.
 */
export function plausible(ops: readonly Op[], spare: (sync: number) => number): Op[] {
  const found: number[] = [];
  /** The first sync since a page was sent last; Infinity: none yet. */
  const dirtyAt = new Map<number, number>();
  const send = (page: number, zero: boolean): boolean => {
    const at = dirtyAt.get(page);
    if (at === undefined ? zero && found.length >= 2 : at === Number.POSITIVE_INFINITY)
      return false;
    if (at !== undefined) found[at]!++;
    dirtyAt.set(page, Number.POSITIVE_INFINITY);
    return true;
  };
  const kept: Op[] = [];
  for (const op of ops) {
    if (op.op === "sync") {
      for (const [page, at] of dirtyAt) {
        if (at === Number.POSITIVE_INFINITY) dirtyAt.set(page, found.length);
      }
      found.push(found.length === 0 ? 0 : spare(found.length));
      kept.push({ op: "sync" });
    } else if (op.op === "save") {
      const pages = op.pages.filter((page) => send(page, false));
      if (pages.length > 0) kept.push({ op: "save", pages });
    } else if (op.op !== "zero" || send(op.page, true)) kept.push(op);
  }
  let sync = 0;
  return kept.map((op) => (op.op === "sync" ? { op: "sync", found: found[sync++]! } : op));
}
