/** `requests`: one line a request. */
import { ask, type RequestFilter, statusOf } from "../answers/requests.ts";
import { UsageError } from "../model/place.ts";
import type { RequestRecord } from "../model/told.ts";
import { requestJsonLine } from "../report/json/request-json.ts";
import { countOf } from "../report/text/number-text.ts";
import { REQUEST_HEADING, requestText } from "../report/text/request-line.ts";
import { type CommonArguments, nanoseconds, wholeNumber } from "./shared/arguments.ts";
import { parseGpaRange } from "./shared/gpa-range.ts";
import type { Io } from "./shared/io.ts";
import { lineWriter } from "./shared/line-writer.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
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
  const filter = requestFilter(args);
  const session = openSession(api, io, args);
  const lines = lineWriter(io);
  if (!args.json) await lines.write(REQUEST_HEADING);
  const line = args.json ? requestJsonLine : requestText;
  let printed = 0;
  const onRequest = (request: RequestRecord) => {
    printed++;
    return lines.write(line(request));
  };
  const options = { filter, onRequest, ...commonOptions(io, args) };
  const answer = await session.read((recording) => ask(recording, options, api.replay));
  await lines.end();
  if (printed === 0 && !args.quiet) io.err(noneText(answer.seen));
  return statusOf(answer);
}

/** An empty list says why it is empty. */
function noneText(seen: number): string {
  return seen === 0
    ? "No request in this recording.\n"
    : `None of ${countOf(seen, "request")} passes the filter.\n`;
}

/** What the options ask for. Throws UsageError. */
export function requestFilter(args: RequestsArguments): RequestFilter {
  const filter: RequestFilter = {};
  if (args.queue !== undefined) filter.queue = wholeNumber(args.queue, "--queue", 65535);
  if (args.gpa !== undefined) filter.range = parseGpaRange(args.gpa);
  if (args.from !== undefined) filter.from = nanoseconds(args.from, "--from");
  if (args.to !== undefined) filter.to = nanoseconds(args.to, "--to");
  if (args.state !== undefined) filter.states = statesOf(args.state);
  return filter;
}

function statesOf(text: string): RequestRecord["state"][] {
  return text.split(",").map((name) => {
    const state = STATES.find((one) => one === name);
    if (state) return state;
    throw new UsageError(
      `--state: expected ${STATES.join(", ")} or several with commas, found ${JSON.stringify(name)}`,
    );
  });
}
