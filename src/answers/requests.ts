/** Which requests did the devices serve? `requests`. */
import { type GpaRange, overlaps } from "../model/pages.ts";
import type { RequestRecord } from "../model/told.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { type MachineOptions, machineNumber, selectMachines } from "./machines.ts";
import type { Replayer } from "./replayer.ts";

/** Requests that an answer keeps, where they are not handed over. */
const KEPT_REQUESTS = 10_000;

/** All that are given must hold. */
export interface RequestFilter {
  queue?: number;
  /** A descriptor has a byte in it. */
  range?: GpaRange;
  /** Time of the pop, or of the completion where the pop was not seen: nanoseconds, both included. */
  from?: bigint;
  to?: bigint;
  states?: readonly RequestRecord["state"][];
}

export interface Options extends Pick<CommonOptions, "signal" | keyof MachineOptions> {
  filter?: RequestFilter;
  /** Takes each request as it leaves its queue; then the answer keeps none. */
  onRequest?: (request: RequestRecord) => void | Promise<void>;
  /** How many the answer keeps. */
  keep?: number;
}

export interface Answer extends CommonAnswer {
  /** In the order in which they left their queues. */
  requests: RequestRecord[];
  /** Requests that passed the filter and are not kept. */
  moreRequests: number;
  /** All requests of the recording (of the machine), whether they passed or not. */
  seen: number;
}

/** Throws what `replay` throws. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  const { filter = {}, keep = KEPT_REQUESTS } = options;
  const requests: RequestRecord[] = [];
  let passed = 0;
  let seen = 0;
  const machine = await machineNumber(recording, options, base, run);
  const result = await run(recording, {
    ...base,
    onRequest(request) {
      if (machine !== null && request.machine !== machine) return;
      seen += 1;
      if (!passes(request, filter)) return;
      passed += 1;
      if (options.onRequest) return options.onRequest(request);
      if (requests.length < keep) requests.push(request);
    },
  });
  const selected = selectMachines(result, options);
  return { asked, result: selected, requests, moreRequests: passed - requests.length, seen };
}

/** 0: a list of requests is no verdict. */
export function statusOf(_: Answer): 0 {
  return 0;
}

/** Whether a request passes the filter. */
export function passes(request: RequestRecord, filter: RequestFilter): boolean {
  const { queue, range, from, to, states } = filter;
  if (queue !== undefined && request.queue !== queue) return false;
  if (states && !states.includes(request.state)) return false;
  if (range && ![...request.reads, ...request.writes].some((d) => overlaps(range, d.gpa, d.len)))
    return false;
  if (from === undefined && to === undefined) return true;
  const ns = request.popped?.ns ?? request.used?.ns;
  if (ns === undefined) return false;
  return (from === undefined || BigInt(ns) >= from) && (to === undefined || BigInt(ns) <= to);
}
