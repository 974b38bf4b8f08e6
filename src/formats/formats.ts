/**
 * All formats of recordings, and which one a file is of. To add one: a file with a Format object, and
 * its entry here. test/formats/formats.test.ts asks for a sample of each, and for the order.
 */
import { type ForeignKind, foreignKind, foreignText } from "../bytes/foreign.ts";
import type { Head } from "../bytes/head.ts";
import type { Format, Sniffed } from "./format.ts";
import { ftraceText } from "./ftrace-text.ts";
import { ndjson } from "./ndjson.ts";
import { qemuLog } from "./qemu-log.ts";
import { simpletrace, simpletraceRecords } from "./simpletrace.ts";
import { tarArchive } from "./tar-archive.ts";
import { traceDat } from "./trace-dat-format.ts";

/**
 * In this order. What has a signature goes first: its bytes are never lines, lines may be in it (a
 * tar of text). Records without a header are told by their structure, behind every signature. Of the texts the one with the most lines is taken, and the earlier of equals: ftrace
 * before QEMU's log, because a line of trace_marker may hold one of QEMU's; NDJSON last, because a
 * pod's log is JSON around lines of another format.
 */
export const FORMATS: readonly Format[] = [
  traceDat,
  simpletrace,
  tarArchive,
  simpletraceRecords,
  ftraceText,
  qemuLog,
  ndjson,
];

/** What a file is: a recording that can be opened, something else that is known, or neither. */
export type Recognised =
  | { readonly format: Format; readonly variant: string }
  | { readonly foreign: ForeignKind }
  | null;

/** Tells what begins like this. Never throws. */
export function recognise(head: Head): Recognised {
  const foreign = foreignKind(head);
  if (foreign) return { foreign };
  let best: { format: Format; sniffed: Sniffed } | null = null;
  for (const format of FORMATS) {
    const sniffed = format.sniff(head);
    if (!sniffed) continue;
    if (sniffed.lines === undefined) return { format, variant: sniffed.variant };
    if (!best || sniffed.lines > best.sniffed.lines!) best = { format, sniffed };
  }
  if (best) return { format: best.format, variant: best.sniffed.variant };
  const text = foreignText(head);
  return text && { foreign: text };
}
