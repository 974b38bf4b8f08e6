/**
 * The ten patches of "vhost-scsi: log write descriptors" (v2, March 2025) as switches, with the
 * later changes that matter to them. What a kernel logs follows from its switches by one table.
 */
import { Cause } from "../../assembly/page-abi.ts";
import { type CauseMask, mask } from "./causes.ts";

/** What a kernel took, and how it behaves where the patches leave a choice. */
export interface Series {
  /** Numbers of v2 of the series, ascending, none twice. */
  readonly patches: readonly number[];
  /** Data mapping failed: an answered bad target (6.1), or an error without an answer (6.12.26). */
  readonly mapError: "bad-target" | "errno";
  /** Device ioctls wait for requests in flight (22598f55a4c2). */
  readonly flush: boolean;
  /** Feature changes but LOG_ALL are refused while an endpoint is set (42bc45df5905). */
  readonly ebusy: boolean;
  /** T10-PI counts are checked against the payload (d876c493fc4b). */
  readonly piCheck: boolean;
  /** VIRTIO_F_IN_ORDER is offered, and a wrong range of the used ring is logged (7.2, vhost-net). */
  readonly inOrderRange: boolean;
  /** LOG_ALL going off frees the entries of I/O requests in flight (v2 and later). */
  readonly freeOnOff: boolean;
  /** When log entries are taken: with the chain, or by reading it again at completion. */
  readonly capture: "pop" | "completion";
  /** When the log buffers of I/O commands are allocated. */
  readonly buffers: "none" | "setup" | "toggle" | "lazy";
}

/** One patch of the series. */
export interface Patch {
  readonly number: number;
  /** What it does, in a few words. */
  readonly title: string;
  /** Commit and release of the mainline, null when it was never merged. */
  readonly merged: string | null;
}

/** The series in the order of v2. */
export const PATCHES: readonly Patch[] = [
  { number: 1, title: "log_used under vq->mutex", merged: "f591cf9fce72, v6.15" },
  { number: 2, title: "bad-target response of the right size", merged: "b18268713547, v6.15" },
  { number: 3, title: "TASK SET FULL response over all iovs", merged: "58465d86071b, v6.15" },
  { number: 4, title: "vhost_log_write() with U64_MAX", merged: "41cff026cff5, v6.16" },
  { number: 5, title: "get_desc collects log entries", merged: "e5e6b15b0dad, v6.16" },
  { number: 6, title: "log buffer of each command", merged: "c2c5c259aad6, v6.16" },
  { number: 7, title: "I/O queue is logged", merged: "c2c5c259aad6, v6.16" },
  { number: 8, title: "control queue is logged", merged: "a94c96a352b5, v6.16" },
  { number: 9, title: "event queue is logged", merged: "ac9dcca23615, v6.16" },
  { number: 10, title: "warning over the limit of log entries", merged: null },
];

/**
 * A kernel with none of the patches and none of the later changes: 6.1 before .146. That LOG_ALL
 * going off frees entries is how patch 6 of v2 and of the merged series does it.
 */
export const NO_PATCHES: Series = {
  patches: [],
  mapError: "bad-target",
  flush: false,
  ebusy: false,
  piCheck: false,
  inOrderRange: false,
  freeOnOff: true,
  capture: "pop",
  buffers: "none",
};

/** Causes that are logged when all the patches are in and the switches stand so. */
interface LoggingRule {
  readonly patches: readonly number[];
  readonly when?: Partial<Omit<Series, "patches">>;
  readonly logs: CauseMask;
}

/** 7 hands on what 5 collects through the buffer of 6; the event queue pops by itself. */
const IO = [4, 5, 6, 7];
const CONTROL = [4, 5, 8];
const EVENT = [4, 9];

/** drivers/vhost: scsi.c for the descriptors, vhost.c for the ring, net.c for received packets. */
const RULES: readonly LoggingRule[] = [
  {
    patches: [],
    logs: mask(
      ...[Cause.RingLogged, Cause.RingFlag, Cause.RingBeyond, Cause.PackedLogged],
      ...[Cause.NotifyLogged, Cause.RxLogged, Cause.RxBeyond, Cause.HeaderPiece],
    ),
  },
  { patches: [], when: { inOrderRange: false }, logs: mask(Cause.ElemLogged) },
  { patches: [], when: { inOrderRange: true }, logs: mask(Cause.RangeLogged) },
  { patches: IO, logs: mask(Cause.IoLogged, Cause.IoBeyond, Cause.IoRefused) },
  { patches: IO, when: { freeOnOff: false }, logs: mask(Cause.IoFreed) },
  { patches: IO, when: { capture: "completion" }, logs: mask(Cause.IoLate, Cause.IoFreed) },
  { patches: CONTROL, logs: mask(Cause.CtlLogged) },
  { patches: CONTROL, when: { capture: "completion" }, logs: mask(Cause.CtlLate) },
  { patches: EVENT, logs: mask(Cause.EvtLogged) },
];

/** The patches on which it hangs what is logged. */
export const LOGGING_PATCHES: readonly number[] = [
  ...new Set(RULES.flatMap(({ patches }) => patches)),
].sort((a, b) => a - b);

/** The causes that a kernel with these switches logs. */
export function seriesLogs(series: Series): CauseMask {
  const has = (number: number): boolean => series.patches.includes(number);
  const stands = ([key, value]: [string, unknown]): boolean =>
    series[key as keyof Series] === value;
  return RULES.filter(
    (rule) => rule.patches.every(has) && Object.entries(rule.when ?? {}).every(stands),
  ).reduce((bits, rule) => bits | rule.logs, 0n);
}

/** What becomes of a kernel that has some patches and lacks others. */
interface Dependency {
  /** Any of these … */
  readonly with: readonly number[];
  /** … and not all of these. */
  readonly without: readonly number[];
  readonly fatal: boolean;
  readonly text: string;
}

const DEPENDENCIES: readonly Dependency[] = [
  {
    with: [7, 8, 9],
    without: [4],
    fatal: true,
    text:
      "the first logged response with LOG_ALL on halts the host in BUG() of vhost_log_write(): " +
      "without patch 4 it takes U64_MAX for a length that the log entries must add up to",
  },
  {
    with: [7],
    without: [5, 6],
    fatal: false,
    text: "patch 7 logs nothing: the entries come from patch 5 and are kept by patch 6",
  },
  {
    with: [8],
    without: [5],
    fatal: false,
    text: "patch 8 logs nothing: the entries come from patch 5",
  },
  {
    with: [7, 8],
    without: [2],
    fatal: false,
    text:
      "without patch 2 a bad-target response is 108 bytes from the first write descriptor on, " +
      "whatever its length; bytes beyond it belong to no descriptor, are never logged, and are not " +
      "in the counts",
  },
];

function applying(series: Series, fatal: boolean): string[] {
  const has = (number: number): boolean => series.patches.includes(number);
  return DEPENDENCIES.filter(
    (entry) => entry.fatal === fatal && entry.with.some(has) && !entry.without.every(has),
  ).map((entry) => entry.text);
}

/** Why such a kernel cannot run a migration, in one clause; null when it can. */
export function seriesFatal(series: Series): string | null {
  return applying(series, true)[0] ?? null;
}

/** What a reader of its numbers should know; one clause each. */
export function seriesNotes(series: Series): string[] {
  return applying(series, false);
}

/**
 * Every choice of patches that does not halt the host, the fewest patches first and, among as
 * many, in the order of their numbers: of all ten 1024 choices less the fatal ones.
 */
export function patchChoices(
  among: readonly number[] = PATCHES.map(({ number }) => number),
): number[][] {
  const choices: number[][] = [];
  for (let bits = 0; bits < 1 << among.length; bits++) {
    const patches = among.filter((_, i) => bits & (1 << i));
    if (seriesFatal({ ...NO_PATCHES, patches }) === null) choices.push(patches);
  }
  return choices.sort((a, b) => a.length - b.length || firstDifference(a, b));
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, i) => number !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

/** Patch numbers as `series:` takes them: `1-3,7`, or `none`. */
export function patchList(patches: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < patches.length; ) {
    let end = i;
    while (patches[end + 1] === patches[end]! + 1) end++;
    parts.push(end === i ? `${patches[i]}` : `${patches[i]}-${patches[end]}`);
    i = end + 1;
  }
  return parts.join(",") || "none";
}
