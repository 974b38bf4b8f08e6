/**
 * `trace-events-all`, the list of events that QEMU installs: the arguments of simpletrace records
 * are to be had from nowhere else. docs/devel/tracing.rst of QEMU; one event a line:
 *
 *   ram_save_page(const char *rbname, uint64_t offset, void *host) "%s: offset: 0x%" PRIx64 …
 */

import { atLine, quoteFound, RecordingError } from "../model/place.ts";
import { lastWord } from "../model/text-ends.ts";

/** Arguments of one event: `s` a string, `u` anything else (8 bytes in a record). */
export interface SchemaArgument {
  name: string;
  type: "s" | "u";
}

/** Arguments of every event, by name. */
export type TraceEvents = ReadonlyMap<string, readonly SchemaArgument[]>;

const MAX_EVENTS = 100_000;
const LINE = /^((?:(?:disable|vcpu|tcg|tcg-trans|tcg-exec)\s+)*)(\w+)\s*\(([^)]*)\)/;

/** Reads the list. Throws RecordingError at the first line that is no event. */
export function readTraceEvents(text: string, file: string): TraceEvents {
  const events = new Map<string, SchemaArgument[]>();
  text.split("\n").forEach((raw, i) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return;
    const match = LINE.exec(line);
    if (!match || events.size >= MAX_EVENTS) {
      throw new RecordingError(
        { file, at: atLine(i + 1) },
        'an event of a trace-events file such as name(type argument) "format"',
        quoteFound(line),
      );
    }
    const [, words = "", name = "", list = ""] = match;
    const own = list.trim() === "void" || list.trim() === "" ? [] : list.split(",").map(argument);
    // The CPU of a vcpu event is an argument that the list does not name.
    events.set(name, /\bvcpu\b/.test(words) ? [{ name: "cpu", type: "u" }, ...own] : own);
  });
  if (events.size === 0) {
    throw new RecordingError({ file, at: "" }, "a trace-events-all of QEMU", "no event in it");
  }
  return events;
}

function argument(declaration: string): SchemaArgument {
  const name = lastWord(declaration.trimEnd());
  return { name, type: /\bchar\s*\*/.test(declaration) ? "s" : "u" };
}

/**
 * The pattern of an event by the list, in the notation of pattern.ts; arguments that `slots` does
 * not name are read over.
 */
export function schemaFormat(args: readonly SchemaArgument[]): string {
  return args.map(({ name, type }) => `{${name}:${type}}`).join("");
}
