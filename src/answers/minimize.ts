/**
 * The smallest recording that still shows what happened to a page: `minimize`. Requests are left out first,
 * then single events; each part is replayed, and stays only if the policy's verdict is the same.
 */
import { bytesSource } from "../bytes/memory-source.ts";
import { reduce } from "../minimize/reduce.ts";
import { eventsOf, PageSlice, type Unit } from "../minimize/slice.ts";
import type { NormalisedEvent } from "../model/event.ts";
import type { StaleVerdict } from "../model/migration-result.ts";
import { UsageError } from "../model/place.ts";
import type { MachineResult, PageRun } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { dump, type Recording, replay } from "../replay/replay.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { oneMachine } from "./machines.ts";
import { toldByQemu } from "./stale.ts";

/** What is said of a page: at the destination of the last migration, or of the dirty log. */
export type PageVerdict = StaleVerdict | "lost" | "kept";

export interface Options
  extends Pick<CommonOptions, "window" | "signal" | "machine" | "machineNames"> {
  /** Number of the guest page. */
  page: number;
  /** Whose verdicts are kept; the first must leave the page behind. */
  policies: readonly ChosenPolicy[];
  /** After each replay: events that are left, replays so far. */
  onProgress?: (events: number, replays: number) => void;
  /** Replays at most; then the recording may hold more than it needs. */
  most?: number;
}

export interface Answer extends CommonAnswer {
  page: number;
  /** In the order of the policies. */
  verdicts: { policy: string; verdict: PageVerdict }[];
  /** What is left, in time order; with the places that the events have in the recording. */
  events: NormalisedEvent[];
  /** Events of the whole recording, replays that were needed. */
  from: number;
  replays: number;
  /** No single event can be left out. */
  minimal: boolean;
}

const MOST_REPLAYS = 20_000;
/** Requests and single events that can have to do with one page. */
const MOST_UNITS = 200_000;

/**
 * Throws what `replay` throws, and UsageError when the first policy keeps the page, or when the events in
 * one list do not show its verdict.
 */
export async function ask(recording: Recording, options: Options): Promise<Answer> {
  const { page, policies, signal, most = MOST_REPLAYS } = options;
  const { asked, base } = prepare(recording, { ...options, policies }, "auto");
  const asking = { ...base, stalePages: true };
  const first = oneMachine(await beside(replay)(recording, asking), options);
  const whole = first.machine;
  const verdicts = policies.map(({ policy: { name } }) => ({
    policy: name,
    verdict: verdictOf(whole, name, page),
  }));
  const [main] = verdicts;
  if (!main || main.verdict === "kept") {
    throw new UsageError(
      `page 0x${page.toString(16)}: ${main?.policy} neither loses it nor leaves it stale`,
    );
  }
  let replays = 1;
  let { result } = first;
  // How each part is read: as the whole was, so that a shorter one is not read otherwise.
  const { window } = whole;
  const reasons = reasonsOf(whole, verdicts, page);
  const shows = async (units: readonly Unit[]): Promise<boolean> => {
    signal?.throwIfAborted();
    const events = eventsOf(units);
    replays++;
    options.onProgress?.(events.length, replays);
    const told = await beside(replay)(recordingOf(recording, events), { ...asking, window });
    const found = told.machines.find(({ pid }) => pid === whole.pid) ?? told.machines[0]!;
    const same =
      found.verdict &&
      verdicts.every((one) => verdictOf(found, one.policy, page) === one.verdict) &&
      reasonsOf(found, verdicts, page) === reasons;
    if (same) result = told;
    return same;
  };
  const { units, count } = await unitsOf(recording, page, shows, signal);
  const fewer = await reduce(units, shows, most - replays);
  const single = await reduce(
    eventsOf(fewer).map((event): Unit => [event]),
    shows,
    most - replays,
  );
  await shows(single);
  const events = eventsOf(single);
  return {
    ...{ asked, result, page, verdicts, events },
    ...{ from: count, replays, minimal: replays < most },
  };
}

/** 0: a smaller recording is no verdict. */
export function statusOf(_: Answer): 0 {
  return 0;
}

/** The events that show the verdict: those of the page, or else all. */
async function unitsOf(
  recording: Recording,
  page: number,
  shows: (units: readonly Unit[]) => Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<{ units: Unit[]; count: number }> {
  // A page of a ring is written by every request of its queue.
  for (const gfn of [page, null]) {
    const slice = new PageSlice(gfn);
    await dump(recording, (event) => slice.add(event), signal);
    const units = slice.units();
    if (units.length > MOST_UNITS) {
      throw new UsageError(
        `${units.length} requests and events have to do with this page: too many`,
      );
    }
    if (await shows(units)) return { units, count: slice.count };
  }
  throw new UsageError(
    `page 0x${page.toString(16)}: the events of the inputs in one list do not show its verdict (it rests on a ` +
      "destination's recording, on clocks that are known to some microseconds, or on lost events)",
  );
}

/** What a policy of a replay makes of a page. */
export function verdictOf(result: MachineResult, policy: string, page: number): PageVerdict {
  const has = (runs: readonly PageRun[]): boolean => runs.some((run) => covers(run, page));
  const verdict = toldByQemu(result)?.verdicts.find((one) => one.policy === policy);
  if (verdict) {
    if (has(verdict.stale)) return "stale";
    if (has(verdict.likelyStale)) return "likely-stale";
    return has(verdict.possiblyStale) ? "possibly-stale" : "kept";
  }
  return has(result.policies.find(({ name }) => name === policy)?.lostRuns ?? []) ? "lost" : "kept";
}

/**
 * What is found about the page and why it is no surer, under each policy: what is left must show it for the
 * same reasons.
 */
function reasonsOf(
  result: MachineResult,
  verdicts: readonly { policy: string }[],
  page: number,
): string {
  const told = toldByQemu(result)?.verdicts;
  const reasons = verdicts.map(({ policy }) =>
    told
      ? told.find((one) => one.policy === policy)?.pages.find(({ gfn }) => gfn === page)?.doubts
      : result.findings
          .filter((one) => one.policy === policy && one.runs.some((run) => covers(run, page)))
          .map(({ code }) => code)
          .sort(),
  );
  return JSON.stringify(reasons);
}

const covers = ({ gfn, pages }: PageRun, page: number): boolean =>
  page >= gfn && page < gfn + pages;

function recordingOf(whole: Recording, events: readonly NormalisedEvent[]): Recording {
  const text = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  const { surroundings, module, syncMarker, memoryMap } = whole;
  return {
    ...{ surroundings, module },
    ...(syncMarker ? { syncMarker } : {}),
    ...(memoryMap ? { memoryMap } : {}),
    sources: [bytesSource("minimized", new TextEncoder().encode(text))],
  };
}
