/** Inputs, opened: what their formats are, and the feeds that put them into a core. */

import { portableCodecs } from "../bytes/codecs.ts";
import { type Unwrapped, unwrap } from "../bytes/decompress.ts";
import { describeFormat } from "../bytes/describe-format.ts";
import type { Source, Surroundings } from "../bytes/source.ts";
import { asUtf8 } from "../bytes/text-encoding.ts";
import type { Core } from "../core/core.ts";
import { RecordingError } from "../model/place.ts";
import type { InputSummary } from "../model/result.ts";
import type { Feed, FeedContext } from "./feed.ts";
import { openFtraceText } from "./ftrace-text.ts";
import { openNdjson } from "./ndjson.ts";
import { openQemuLog } from "./qemu-log.ts";
import { openRingFeed } from "./ring-feed.ts";
import { schemaFor } from "./schema-for.ts";
import { openSimpletrace } from "./simpletrace.ts";
import { NeedsRandomAccess } from "./trace-dat/needs-random-access.ts";
import { openTraceDat } from "./trace-dat/open.ts";

/** One opened input. */
export interface OpenInput {
  source: Source;
  feed: Feed;
  compression: string[];
  /** Number of the process whose addresses it has. */
  space: number;
}

async function openOne(
  core: Core,
  source: Source,
  space: number,
  surroundings: Surroundings,
  traceEvents: Source | null,
): Promise<OpenInput> {
  const unwrapped = await unwrap(source);
  const context = { core, file: source.name, space };
  const done = (feed: Feed): OpenInput => ({
    source,
    feed,
    compression: unwrapped.compression,
    space,
  });
  switch (unwrapped.format) {
    case "ftrace-text":
      return done(openFtraceText(context, unwrapped.stream(), "ftrace text"));
    case "utf16le":
    case "utf16be":
      return done(
        openFtraceText(
          context,
          asUtf8(unwrapped.stream(), unwrapped.format),
          "ftrace text (UTF-16)",
        ),
      );
    case "ndjson":
      return done(openNdjson(context, unwrapped.stream()));
    case "trace-dat":
      return done(await openDat(context, unwrapped, surroundings));
    case "qemu-log":
      return done(openQemuLog(context, unwrapped.stream(), unwrapped.sniffed.detail ?? ""));
    case "qemu-simple": {
      const [version = "", order] = (unwrapped.sniffed.detail ?? "").split(" ");
      const schema = await schemaFor(source, surroundings, traceEvents);
      const bytes = unwrapped.stream();
      return done(openSimpletrace(context, bytes, version, order === "big-endian", schema));
    }
    default: {
      const { name, hint } = describeFormat(unwrapped.sniffed);
      throw new RecordingError(
        { file: source.name, at: "" },
        "a recording of ftrace (trace.dat, tracefs text, trace-cmd report, perf script), of QEMU " +
          "(log, simpletrace) or NDJSON",
        hint ? `${name}; ${hint}` : name,
      );
    }
  }
}

async function openDat(
  context: FeedContext,
  unwrapped: Unwrapped,
  surroundings: Surroundings,
): Promise<Feed> {
  let random = unwrapped.random();
  if (random === null) {
    const why = `${unwrapped.name}: a trace.dat is read by offset, so it is kept in a temporary file`;
    random = await surroundings.spool(unwrapped.name, unwrapped.stream(), why);
  }
  try {
    const input = { name: unwrapped.name, stream: null, random };
    const dat = await openTraceDat(input, surroundings.codecs?.(random.size) ?? portableCodecs);
    if (dat.latencyText) {
      return openFtraceText(context, dat.latencyText(), `trace.dat v${dat.version} with text`);
    }
    const feed = openRingFeed(context, dat);
    const close = feed.close.bind(feed);
    const opened = random;
    feed.close = () => {
      close();
      opened.close();
    };
    return feed;
  } catch (error) {
    random.close();
    if (error instanceof NeedsRandomAccess) throw new Error(`bug: ${error.message}`);
    throw error;
  }
}

/**
 * Opens all inputs into one core, in the order in which the user named them; `spaces` numbers the
 * process that each is of. Throws RecordingError when one cannot be read.
 */
export async function openInputs(
  core: Core,
  sources: readonly Source[],
  surroundings: Surroundings,
  traceEvents: Source | null = null,
  spaces: readonly number[] = sources.map((_, i) => i),
): Promise<OpenInput[]> {
  const inputs: OpenInput[] = [];
  try {
    for (const [i, source] of sources.entries()) {
      inputs.push(await openOne(core, source, spaces[i]!, surroundings, traceEvents));
    }
    return inputs;
  } catch (error) {
    for (const input of inputs) input.feed.close();
    throw error;
  }
}

/** Throws RecordingError when two inputs are on clocks that are known to differ. */
export function checkClocks(inputs: readonly OpenInput[]): void {
  const known = inputs
    .map((input) => ({ name: input.source.name, clock: input.feed.summary().clock }))
    .filter((entry) => entry.clock !== null);
  const first = known[0];
  const other = known.find((entry) => entry.clock !== first?.clock);
  if (first && other) {
    throw new RecordingError(
      { file: other.name, at: "" },
      `a recording on the clock of ${first.name} (${first.clock})`,
      `one on ${other.clock}; their events have no common order`,
    );
  }
}

/** The feed that a stream of the core belongs to, by its number. */
export function feedOfStream(inputs: readonly OpenInput[], stream: number): OpenInput {
  const input = inputs.find(
    ({ feed }) => stream >= feed.firstStream && stream < feed.firstStream + feed.streams,
  );
  if (!input) throw new Error(`bug: stream ${stream} belongs to no input`);
  return input;
}

/** What a report says of an input, after the replay. */
export function summarise(input: OpenInput, core: Core, sha256: string | null): InputSummary {
  const { feed, source, compression } = input;
  const summary = feed.summary();
  let outOfOrder = 0;
  let first: bigint | null = null;
  let last: bigint | null = null;
  for (let i = 0; i < feed.streams; i++) {
    const stream = feed.firstStream + i;
    outOfOrder += core.exports.outOfOrder(stream);
    if (core.exports.taken(stream) === 0) continue;
    const from = core.exports.firstTs(stream);
    const to = core.exports.takenTs(stream);
    if (first === null || from < first) first = from;
    if (last === null || to > last) last = to;
  }
  const { gaps, ...rest } = summary;
  return {
    name: source.name,
    format: rest.format,
    compression,
    size: source.size ?? null,
    sha256,
    clock: rest.clock,
    ...(rest.clockToleranceNs === undefined ? {} : { clockToleranceNs: rest.clockToleranceNs }),
    cpus: rest.cpus,
    firstNs: first === null ? null : first.toString(),
    lastNs: last === null ? null : last.toString(),
    events: rest.events,
    foreignLines: rest.foreignLines,
    gaps,
    outOfOrder,
    notes: rest.notes,
  };
}
