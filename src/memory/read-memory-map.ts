/**
 * Memory maps from what a user saved: text of `info mtree -f` and `info ramblock`, in one file or
 * two, as the monitor printed it or inside a QMP transcript (lines of JSON whose `return` is the
 * text).
 */

import type { Source } from "../bytes/source.ts";
import { wholeText } from "../bytes/whole-text.ts";
import { atLine, type Place, RecordingError } from "../model/place.ts";
import { MemoryMap } from "./memory-map.ts";
import { type FlatRange, fileLines, type PlaceOfLine, parseFlatViews } from "./mtree-text.ts";
import { parseRamBlocks, type RamBlock } from "./ramblock-text.ts";

/** Far above any transcript around a migration; a recording given by mistake ends here. */
const MOST_BYTES = 2 ** 26;
const MAP_TEXT = "info mtree or info ramblock";

/** What was found in texts, in order. */
interface Found {
  views: FlatRange[][];
  tables: RamBlock[][];
}

/**
 * A memory map from the contents of one or more files, name and text each. Where a command was run
 * several times the last answer counts, and a note says so if the answers differ. Throws
 * RecordingError when a file has neither answer in it, when none has a flat view, and for lines
 * that cannot be read.
 */
export function parseMemoryMap(files: readonly { name: string; text: string }[]): MemoryMap {
  const found: Found = { views: [], tables: [] };
  for (const { name, text } of files) {
    const before = found.views.length + found.tables.length;
    if (/^\s*[{[]/.test(text)) parseTranscript(found, name, text);
    else parseText(found, text, fileLines(name));
    if (found.views.length + found.tables.length === before) {
      throw new RecordingError(
        { file: name, at: "" },
        'the answer to "info mtree -f" (with the address space "memory") or to "info ramblock"',
        "neither",
      );
    }
  }
  const view = found.views.at(-1);
  if (!view) {
    throw new RecordingError(
      { file: files.at(-1)?.name ?? "", at: "" },
      'also the answer to "info mtree -f", which has the guest\'s addresses',
      "only RAM blocks",
    );
  }
  const notes: string[] = [];
  if (changed(found.views)) {
    notes.push(`the memory map changed between ${found.views.length} answers; the last one counts`);
  }
  return new MemoryMap(view, found.tables.at(-1) ?? [], notes);
}

/** The same from sources, compressed or not. Throws RecordingError also for more than 64 MiB. */
export async function readMemoryMap(sources: readonly Source[]): Promise<MemoryMap> {
  const files: { name: string; text: string }[] = [];
  for (const source of sources)
    files.push({ name: source.name, text: await wholeText(source, MOST_BYTES, MAP_TEXT) });
  return parseMemoryMap(files);
}

function changed(views: readonly FlatRange[][]): boolean {
  const last = JSON.stringify(views.at(-1));
  return views.some((view) => JSON.stringify(view) !== last);
}

function parseText(found: Found, text: string, placeOf: PlaceOfLine): void {
  found.views.push(...parseFlatViews(text, placeOf));
  found.tables.push(...parseRamBlocks(text, placeOf));
}

/** Each line may wrap the QMP message (`{"t":…,"dir":"<","msg":{"return":…}}`) or be it. */
function parseTranscript(found: Found, file: string, text: string): void {
  let number = 0;
  for (const line of text.split("\n")) {
    number += 1;
    // Most lines are events and statistics; only answers with these words are looked into.
    if (!line.includes("FlatView #") && !line.includes("Block Name")) continue;
    const answer = returned(line, { file, at: atLine(number) });
    if (answer === undefined) continue;
    const at = number;
    parseText(found, answer, (inner) => ({ file, at: `${atLine(at)} (its line ${inner})` }));
  }
}

function returned(line: string, place: Place): string | undefined {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw new RecordingError(place, "one JSON object a line, as in a QMP transcript");
  }
  const inner = (message as { msg?: unknown }).msg ?? message;
  const answer = (inner as { return?: unknown }).return;
  return typeof answer === "string" ? answer : undefined;
}
