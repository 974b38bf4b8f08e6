/**
 * What would a migration of this guest have cost under each policy? `whatif`. A policy that logs less makes a
 * migration look cheaper than it is: what it does not log is not sent again.
 */
import type { MigrationResult } from "../model/migration-result.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { UsageError } from "../model/place.ts";
import type { MachineResult } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { assumeLogging, CAUSE_LIST, hasCause } from "../vhost/causes.ts";
import type { Policy } from "../vhost/policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";

import { type Load, LoadColumns, VCPU } from "./load.ts";
import { oneMachine } from "./machines.ts";
import { otherDirty, sendRate } from "./migration-pace.ts";
import {
  type Course,
  followPrecopy,
  indexAt,
  leastRate,
  type Pass,
  type Precopy,
} from "./precopy.ts";
import { mainMigration } from "./stale.ts";

export interface Options extends Pick<CommonOptions, "policies" | "ran" | "signal"> {
  /** Bytes a second that the migration may send; default: as measured, or as QEMU's own. */
  bandwidth?: number;
  /** Milliseconds that the guest may stand still; default: QEMU's own. */
  downtimeMs?: number;
  /** When it begins, nanoseconds on the recording's clock; default: as recorded, or with the recording. */
  startNs?: bigint;
  /** Nanoseconds that it is followed; default: to the end of the recording. Beyond it the load repeats. */
  forNs?: number;
}

/** `atMost` null: not known, as vCPUs' writes are not in the recording. */
export interface Bounds {
  atLeast: number;
  atMost: number | null;
}

export interface PolicyCost {
  policy: string;
  /** Page sends with data, over all passes. */
  sends: Bounds;
  /** Until it converged, or as long as it was followed. */
  seconds: Bounds;
  passes: Bounds;
  /** The same in the middle of the bounds of what is not known: no bound, and no mean either. */
  expected: { sends: number; seconds: number; passes: number; converged: boolean };
  /** depends: on what lies between the bounds. */
  converges: "yes" | "no" | "depends";
  /** Bytes a second at which it converges, vCPUs' writes as far as recorded; null: at no rate. */
  leastBandwidth: number | null;
  /** Of the expected course: the pages of each pass, the first ones. */
  course: Pass[];
  moreCourse: number;
}

export interface Answer extends CommonAnswer {
  startNs: string;
  forNs: number;
  /** How often the recorded load was gone through. */
  repeats: number;
  /** Bytes a second, and what tells them. */
  bandwidth: Bounds & { from: "given" | "measured" | "default" };
  downtimeMs: number;
  /** Pages that the first pass sends with data, and what tells them. */
  firstPass: Bounds & { from: "measured" | "memory-map" | "writes" };
  /** recorded: KVM's dirty ring; counted: QEMU's count at each sync; not-recorded. */
  vcpus: "recorded" | "counted" | "not-recorded";
  /** In the order of the policies; empty: no write of a device is known. */
  costs: PolicyCost[];
}

/** migration/options.c: MAX_THROTTLE, and DEFAULT_MIGRATE_SET_DOWNTIME. */
const DEFAULT_BANDWIDTH = 128 * 1024 * 1024;
const DEFAULT_DOWNTIME_MS = 300;
/** A page on the wire: its bytes and its head (migration/ram.c save_normal_page()). */
export const SENT_BYTES = PAGE_BYTES + 8;
/** QEMU counts what it sends in windows of 100 ms, and ends one behind the limit. */
const GIVEN_TOLERANCE = 0.05;
/** A load is gone through at most so often. */
const MOST_REPEATS = 1000;

/** Throws what `replay` throws; UsageError for a moment outside of the recording, or several machines. */
export async function ask(recording: Recording, options: Options = {}): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  const sink = new LoadColumns();
  const found = await beside(replay)(recording, { ...base, sink });
  const { result, machine } = oneMachine(found, {});
  const load = sink.load();
  const migration = mainMigration(machine);
  const startNs = startOf(load, migration, options.startNs);
  const recorded = (load.ns.at(-1) ?? 0) - startNs;
  const forNs = options.forNs ?? recorded;
  const repeats = recorded > 0 ? forNs / recorded : 0;
  if (repeats > MOST_REPEATS) {
    throw new UsageError(
      `the recorded load would be gone through ${Math.ceil(repeats)} times: at most ${MOST_REPEATS}`,
    );
  }
  const bandwidth = bandwidthOf(load, migration, options.bandwidth);
  const downtimeMs = options.downtimeMs ?? DEFAULT_DOWNTIME_MS;
  const firstPass = firstPassOf(load, machine, migration);
  const told = load.cause.includes(VCPU);
  const other = told
    ? { least: 0, median: 0, pages: 0, perSecond: 0 }
    : otherDirty(machine, migration, options.ran?.name ?? null);
  const how = { startNs, forNs, downtimeNs: downtimeMs * 1e6 };
  const courses = (policy: Policy): Course[] => {
    const logs = logsOf(policy);
    return [bandwidth.atLeast, bandwidth.atMost!].flatMap((bytes) =>
      [firstPass.atLeast, firstPass.atMost ?? firstPass.atLeast].flatMap((firstPages) =>
        [{ pages: other?.least ?? 0, perSecond: 0 }, ...(other ? [other] : [])].map((more) =>
          followPrecopy(load, logs, {
            ...how,
            ...{ pagesPerSecond: bytes / SENT_BYTES, firstPages },
            ...{ otherPages: more.pages, otherPerSecond: more.perSecond },
          }),
        ),
      ),
    );
  };
  const expected = (policy: Policy): Course =>
    followPrecopy(load, logsOf(policy), {
      ...how,
      pagesPerSecond: (bandwidth.atLeast + bandwidth.atMost!) / 2 / SENT_BYTES,
      firstPages: (firstPass.atLeast + (firstPass.atMost ?? firstPass.atLeast)) / 2,
      ...{ otherPages: other?.median ?? 0, otherPerSecond: 0 },
    });
  const slowest: Precopy = {
    ...how,
    ...{ pagesPerSecond: bandwidth.atLeast / SENT_BYTES, firstPages: firstPass.atLeast },
    ...{ otherPages: 0, otherPerSecond: 0 },
  };
  // Without a write that is known there is no load to follow, and nothing costs nothing.
  const followed = machine.verdict && load.ns.length > 0;
  const chosen = followed ? base.policies.map(({ policy }) => policy) : [];
  return {
    ...{ asked, result, bandwidth, downtimeMs, firstPass, forNs },
    startNs: (load.originNs + BigInt(Math.round(startNs))).toString(),
    repeats: Math.max(1, Math.ceil(repeats)),
    vcpus: told ? "recorded" : other ? "counted" : "not-recorded",
    costs: chosen.map((policy) => {
      const rate = leastRate(load, logsOf(policy), slowest);
      const least = rate === null ? null : Math.round(rate * SENT_BYTES);
      return costOf(
        policy.name,
        courses(policy),
        expected(policy),
        startNs,
        least,
        told || other !== null,
      );
    }),
  };
}

/** 0: a cost is no verdict. 3: devices wrote nothing that could be followed. */
export function statusOf({ costs }: Pick<Answer, "costs">): 0 | 3 {
  return costs.length > 0 ? 0 : 3;
}

function costOf(
  policy: string,
  courses: readonly Course[],
  expected: Course,
  startNs: number,
  leastBandwidth: number | null,
  bounded: boolean,
): PolicyCost {
  const bounds = (of: (course: Course) => number): Bounds => {
    const numbers = courses.map(of);
    return { atLeast: Math.min(...numbers), atMost: bounded ? Math.max(...numbers) : null };
  };
  const ends = courses.filter(({ converged }) => converged).length;
  return {
    policy,
    expected: {
      sends: expected.sends,
      seconds: (expected.endNs - startNs) / 1e9,
      passes: expected.passes.length + expected.morePasses,
      converged: expected.converged,
    },
    sends: bounds(({ sends }) => sends),
    seconds: bounds(({ endNs }) => (endNs - startNs) / 1e9),
    passes: bounds(({ passes, morePasses }) => passes.length + morePasses),
    converges: ends === 0 ? "no" : ends === courses.length && bounded ? "yes" : "depends",
    leastBandwidth,
    course: expected.passes,
    moreCourse: expected.morePasses,
  };
}

/** By cause, as if logging were on: it would be in a migration. */
function logsOf({ logs }: Policy): boolean[] {
  const mask = assumeLogging(logs);
  return CAUSE_LIST.map((cause) => hasCause(mask, cause));
}

function startOf(load: Load, migration: MigrationResult | null, asked: bigint | undefined): number {
  const told = asked ?? (migration ? BigInt(migration.logOn.ns) : undefined);
  if (told === undefined) return 0;
  const ns = Number(told - load.originNs);
  if (ns < 0 || indexAt(load.ns, ns) >= load.ns.length) {
    throw new UsageError("no write of a device is recorded after the moment at which it begins");
  }
  return ns;
}

function bandwidthOf(
  load: Load,
  migration: MigrationResult | null,
  given: number | undefined,
): Answer["bandwidth"] {
  const around = (bytes: number): Bounds => ({
    atLeast: Math.round(bytes * (1 - GIVEN_TOLERANCE)),
    atMost: Math.round(bytes * (1 + GIVEN_TOLERANCE)),
  });
  if (given !== undefined) return { ...around(given), from: "given" };
  const rate = migration && sendRate(load);
  if (!rate) return { ...around(DEFAULT_BANDWIDTH), from: "default" };
  return {
    atLeast: Math.round(rate.slowest * SENT_BYTES),
    atMost: Math.round(rate.fastest * SENT_BYTES),
    from: "measured",
  };
}

function firstPassOf(
  load: Load,
  machine: MachineResult,
  migration: MigrationResult | null,
): Answer["firstPass"] {
  const [, second] = machine.rounds.flatMap(({ bitmapSync }) => (bitmapSync ? [bitmapSync] : []));
  if (migration && second && load.sentNs.length > 0) {
    const until = Number(BigInt(second.startNs) - load.originNs);
    const sent = indexAt(load.sentNs, until);
    if (sent > 0) return { atLeast: sent, atMost: sent, from: "measured" };
  }
  const memory = Math.max(
    0,
    ...machine.devices.map((device) =>
      device.memory.reduce((sum, { first, last }) => sum + (last - first + 1) / PAGE_BYTES, 0),
    ),
  );
  // Pages of zeros are sent as a few bytes: how many there are is not recorded.
  if (memory > 0) {
    return { atLeast: Math.min(load.pages, memory), atMost: Math.ceil(memory), from: "memory-map" };
  }
  return { atLeast: load.pages, atMost: null, from: "writes" };
}
