/** Reads a file of page owners (`--owners FILE`): CSV or NDJSON, compressed or not. */
import { GPA_BITS } from "../../../assembly/abi.ts";
import { unwrap } from "../../bytes/decompress.ts";
import { readFully, type Source } from "../../bytes/source.ts";
import type { PageRuns } from "../../model/page-runs.ts";
import { atLine, type Place, quoteFound, RecordingError } from "../../model/place.ts";
import type { PageRun } from "../../model/result.ts";
import { CsvReader, type CsvRecord } from "./csv.ts";
import { OwnerLines } from "./owner-runs.ts";
import { type Owner, Owners } from "./owners.ts";

const PAGE_SHIFT = 12;
const PAGES = 2 ** (GPA_BITS - PAGE_SHIFT);
/** 20 bytes each; one a page for 64 GiB of guest memory. */
const MOST_RUNS = 2 ** 24;
const MOST_OWNERS = 2 ** 20;
const LONGEST_LINE = 1 << 16;
const LONGEST_FIELD = 256;
const CHUNK = 1 << 18;

/** A line of the file. */
interface OwnerLine extends Owner {
  run: PageRun;
}

/** Takes pieces of text. */
interface Reader {
  push(text: string): void;
  end(): void;
}

/**
 * Reads owners. With `wanted` only those of these pages are kept, so that memory is bounded by what
 * is asked. Where lines overlap the last one counts. Throws RecordingError, with the line, for what
 * is neither CSV with the columns gfn, owner and kind nor NDJSON with these keys, for page numbers
 * that are none, and for more than 16 million runs or 1 million owners that are kept.
 */
export async function readOwners(source: Source, wanted?: PageRuns): Promise<Owners> {
  const collected = new Collected(source.name, wanted);
  const stream = (await unwrap(source)).stream();
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(CHUNK);
  let reader: Reader | null = null;
  try {
    for (;;) {
      const count = await readFully(stream, chunk);
      const text = decoder.decode(chunk.subarray(0, count), { stream: count > 0 });
      if (count > 0) reader ??= readerFor(text, source.name, collected);
      reader?.push(text);
      if (count === 0) break;
    }
  } finally {
    stream.close();
  }
  if (!reader) {
    throw new RecordingError({ file: source.name, at: atLine(1) }, HEADER, "an empty file");
  }
  reader.end();
  return collected.owners();
}

const HEADER = "a header row gfn,owner,kind or one JSON object a line";

function readerFor(text: string, file: string, collected: Collected): Reader {
  if (/^\uFEFF?\s*\{/.test(text)) return jsonReader(file, collected);
  let columns: { gfn: number; owner: number; kind: number } | null = null;
  return new CsvReader(file, (record) => {
    if (columns) collected.add(csvLine(record, columns, file), record.line);
    else columns = columnsOf(record, file);
  });
}

function columnsOf(record: CsvRecord, file: string) {
  const names = record.fields.map((field) => field.trim().toLowerCase());
  const columns = {
    gfn: names.indexOf("gfn"),
    owner: names.indexOf("owner"),
    kind: names.indexOf("kind"),
  };
  if (columns.gfn < 0 || columns.owner < 0 || columns.kind < 0) {
    const place = { file, at: atLine(record.line) };
    throw new RecordingError(place, HEADER, quoteFound(record.fields.join(",")));
  }
  return columns;
}

function csvLine(
  { fields, line }: CsvRecord,
  columns: { gfn: number; owner: number; kind: number },
  file: string,
): OwnerLine {
  const place = { file, at: atLine(line) };
  const [gfn, owner, kind] = [fields[columns.gfn], fields[columns.owner], fields[columns.kind]];
  if (gfn === undefined || owner === undefined || kind === undefined) {
    throw new RecordingError(
      place,
      "a field for gfn, owner and kind",
      quoteFound(fields.join(",")),
    );
  }
  return { run: pagesOf(gfn.trim(), place), owner, kind };
}

/** `0x1f0`, `496`, `0x100-0x1ff` (the last page included). */
function pagesOf(text: string, place: Place): PageRun {
  const match = /^(0x[0-9a-f]{1,12}|\d{1,15})(?:\s*-\s*(0x[0-9a-f]{1,12}|\d{1,15}))?$/i.exec(text);
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (!match || last < first || last >= PAGES) {
    const what = "a page number such as 0x1f0 or 496, or a range 0x100-0x1ff, below 16 TiB";
    throw new RecordingError(place, what, quoteFound(text));
  }
  return { gfn: first, pages: last - first + 1 };
}

function jsonReader(file: string, collected: Collected): Reader {
  let rest = "";
  let number = 0;
  const take = (raw: string): void => {
    number += 1;
    const line = raw.replace(/^\uFEFF/, "").trim();
    if (line !== "") collected.add(jsonLine(line, { file, at: atLine(number) }), number);
  };
  return {
    push(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      if (rest.length > LONGEST_LINE) {
        const place = { file, at: atLine(number + lines.length + 1) };
        throw new RecordingError(place, `a line of at most ${LONGEST_LINE} characters`);
      }
      for (const line of lines) take(line);
    },
    end: () => take(rest),
  };
}

function jsonLine(line: string, place: Place): OwnerLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new RecordingError(place, "one JSON object a line", quoteFound(line));
  }
  const { gfn, owner, kind } = (value ?? {}) as Record<string, unknown>;
  const text = (field: unknown) =>
    field === undefined || field === null || typeof field === "string";
  if ((typeof gfn !== "string" && typeof gfn !== "number") || !text(owner) || !text(kind)) {
    const what = 'an object such as {"gfn":"0x1f0","owner":"systemd, pid 1","kind":"anon"}';
    throw new RecordingError(place, what, quoteFound(line));
  }
  return {
    run: pagesOf(`${gfn}`, place),
    owner: (owner as string | null | undefined) ?? "",
    kind: (kind as string | null | undefined) ?? "",
  };
}

/** Lines that were read, with each owner kept once. */
class Collected {
  readonly #file: string;
  readonly #wanted: PageRuns | undefined;
  readonly #lines = new OwnerLines();
  readonly #owners: Owner[] = [];
  readonly #indices = new Map<string, number>();

  constructor(file: string, wanted: PageRuns | undefined) {
    this.#file = file;
    this.#wanted = wanted;
  }

  add({ run, owner, kind }: OwnerLine, line: number): void {
    if (!this.#wanted) this.#addRun(run, owner, kind, line);
    else {
      for (const part of this.#wanted.overlapping(run.gfn, run.pages)) {
        this.#addRun(part, owner, kind, line);
      }
    }
  }

  #addRun(run: PageRun, owner: string, kind: string, line: number): void {
    this.#lines.add(
      run,
      this.#indexOf(owner.slice(0, LONGEST_FIELD), kind.slice(0, LONGEST_FIELD)),
    );
    if (this.#lines.length > MOST_RUNS || this.#owners.length > MOST_OWNERS) {
      throw new RecordingError(
        { file: this.#file, at: atLine(line) },
        `at most ${MOST_RUNS} runs of pages and ${MOST_OWNERS} owners`,
        "more",
      );
    }
  }

  #indexOf(owner: string, kind: string): number {
    const key = `${owner}\n\n${kind}`;
    let index = this.#indices.get(key);
    if (index === undefined) {
      index = this.#owners.length;
      this.#indices.set(key, index);
      this.#owners.push({ owner, kind });
    }
    return index;
  }

  owners(): Owners {
    const { runs, overlapping } = this.#lines.resolve();
    return new Owners(runs, this.#owners, overlapping);
  }
}
