/** `requests`: one line a request. */
import { UsageError } from "../model/place.ts";
import type { RequestRecord } from "../model/result.ts";
import { REQUEST_HEADING, requestJsonLine, requestText } from "../report/text/request-line.ts";
import { DEFAULT_POLICIES } from "./report.ts";
import {
  type CommonArguments,
  nanoseconds,
  policiesNamed,
  wholeNumber,
} from "./shared/arguments.ts";
import { overlaps, parseGpaRange } from "./shared/gpa-range.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { lineWriter } from "./shared/line-writer.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

export interface RequestsArguments extends CommonArguments {
  queue?: string;
  gpa?: string;
  from?: string;
  to?: string;
  state?: string;
}

const STATES: readonly RequestRecord["state"][] = [
  "completed",
  "dropped",
  "in-flight",
  "unknown-head",
];

/** Prints the requests that pass the filters, in the order they left their queues; returns 0. */
export async function run(api: ReplayApi, io: Io, args: RequestsArguments): Promise<number> {
  const wanted = requestFilter(args);
  const session = openSession(api, io, args);
  const lines = lineWriter(io);
  if (!args.json) await lines.write(REQUEST_HEADING);
  const line = args.json ? requestJsonLine : requestText;
  const options: ReplayOptions = {
    policies: policiesNamed(api, DEFAULT_POLICIES),
    window: "auto",
    onRequest: (request) => (wanted(request) ? lines.write(line(request)) : undefined),
  };
  if (io.signal) options.signal = io.signal;
  await session.read((opening) => api.replay(opening, options));
  await lines.end();
  return EXIT.ok;
}

/**
 * The filters as one test: all must hold. A request's time is that of its pop, or of its
 * completion where the pop was not seen. Throws UsageError.
 */
export function requestFilter(args: RequestsArguments): (request: RequestRecord) => boolean {
  const queue = args.queue === undefined ? undefined : wholeNumber(args.queue, "--queue", 65535);
  const range = args.gpa === undefined ? undefined : parseGpaRange(args.gpa);
  const from = args.from === undefined ? undefined : nanoseconds(args.from, "--from");
  const to = args.to === undefined ? undefined : nanoseconds(args.to, "--to");
  const states = args.state === undefined ? undefined : statesOf(args.state);
  return (request) => {
    if (queue !== undefined && request.queue !== queue) return false;
    if (states && !states.includes(request.state)) return false;
    if (range && ![...request.reads, ...request.writes].some((d) => overlaps(range, d.gpa, d.len)))
      return false;
    if (from === undefined && to === undefined) return true;
    const ns = request.popped?.ns ?? request.used?.ns;
    if (ns === undefined) return false;
    return (from === undefined || BigInt(ns) >= from) && (to === undefined || BigInt(ns) <= to);
  };
}

function statesOf(text: string): string[] {
  const states = text.split(",");
  for (const state of states) {
    if (!(STATES as readonly string[]).includes(state)) {
      throw new UsageError(
        `--state: expected ${STATES.join(", ")} or several with commas, found ${JSON.stringify(state)}`,
      );
    }
  }
  return states;
}
