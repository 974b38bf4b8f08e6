/**
 * The text that tracefs gives for one event (`events/<system>/<event>/format`) and for the
 * ring-buffer page (`events/header_page`); trace.dat carries both verbatim.
 *
 *     name: used
 *     ID: 1350
 *     format:
 *     	field:u64 logaddr;	offset:43;	size:8;	signed:0;
 */
import { type Place, quoteFound, RecordingError } from "../model/place.ts";

/** How a field's bytes are laid out. `dynamic-array` is `__data_loc`, `rel-array` is `__rel_loc`. */
export type FieldKind = "scalar" | "array" | "dynamic-array" | "rel-array";

export interface FormatField {
  readonly name: string;
  /** Bytes from the start of the record. */
  readonly offset: number;
  /** Bytes in the record; 4 for `__data_loc` and `__rel_loc`; 0: up to the record's end. */
  readonly size: number;
  readonly signed: boolean;
  /** As declared, without the name and without brackets: `unsigned long`, `char`. */
  readonly type: string;
  readonly kind: FieldKind;
  /** Bytes of one element, `size` for a scalar; 0 when the type does not tell. */
  readonly elementSize: number;
}

export interface EventFormat {
  /** The directory under `events/`: not in the text, known from where the text stands. */
  readonly system: string;
  readonly name: string;
  /** common_type of its records. Differs from boot to boot. */
  readonly id: number;
  readonly fields: readonly FormatField[];
  readonly printFmt: string;
  /** False when it cannot be a probe: `__probe_ip` and `__probe_func` are nowhere in the text. */
  readonly mayBeProbe: boolean;
}

/** Layout of a ring-buffer page (struct buffer_data_page); all in bytes. */
export interface HeaderPage {
  readonly timestampOffset: number;
  readonly commitOffset: number;
  /** 4 or 8: the kernel's long. */
  readonly commitSize: 4 | 8;
  readonly dataOffset: number;
  readonly dataSize: number;
}

/** A record is at most one page, and no architecture has larger ones. */
const RECORD_LIMIT = 64 * 1024;
const FIELD_LIMIT = 4096;
/** 128 pages of 64 KiB, the most that buffer_subbuf_size_kb takes, twice over. */
export const SUB_BUFFER_LIMIT = 16 * 1024 * 1024;

/** How the kernel begins every format. */
const HEAD = /^name:([^\n]*)\nID:[ \t]*(\d+)[ \t]*\n/;
/** The field that a kprobe's or return probe's format has before its own. */
const PROBE_FIELD = /__probe_(?:ip|func)/;

/** Longer than any declaration: what follows takes the square of it. */
const LONGEST_FIELD = 1024;
const FIELD =
  /^\s*field:\s*([^;]*);\s*offset:\s*(\d+);\s*size:\s*(\d+);(?:\s*signed:\s*(\d+);)?\s*$/;

/**
 * Reads an event's `format` text. Lines that are neither name, ID, field nor print fmt are passed
 * over; `longSize` is the size of the traced kernel's long, used for elements of `long` arrays
 * whose length is not given. Follows kernel/trace/trace_events.c (f_show).
 * @throws RecordingError at `place` without name or ID, or when a field is not readable or lies
 *   beyond any possible record.
 */
export function parseEventFormat(
  text: string,
  system: string,
  place: Place,
  longSize: 4 | 8 = 8,
): EventFormat {
  let name: string | undefined;
  let id: number | undefined;
  let printFmt = "";
  const fields: FormatField[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.startsWith("print fmt:")) {
      // Always the last item; a format string may hold anything, line breaks too.
      printFmt = [line.slice("print fmt:".length), ...lines.slice(index + 1)].join("\n").trim();
      break;
    }
    if (name === undefined && line.startsWith("name:")) name = line.slice(5).trim();
    else if (id === undefined && line.startsWith("ID:")) id = eventId(line.slice(3).trim(), place);
    else if (/^\s*field:/.test(line)) {
      if (fields.length === FIELD_LIMIT) {
        throw new RecordingError(place, `at most ${FIELD_LIMIT} fields in an event format`);
      }
      fields.push(parseField(line, place, longSize));
    }
  }
  if (name === undefined || name === "") {
    throw new RecordingError(place, 'an event format with "name:"', quoteFound(text));
  }
  if (id === undefined) {
    throw new RecordingError(place, `an event format with "ID:" for ${quoteFound(name)}`);
  }
  return { system, name, id, fields, printFmt, mayBeProbe: PROBE_FIELD.test(text) };
}

/**
 * The same, of which only name and ID are read now: a recording describes some two thousand events,
 * and the fields of ten are asked for (measured: reading all was half of the time of a small
 * recording). `fields` and `printFmt` throw what parseEventFormat() would.
 */
export function eventFormatOf(
  text: string,
  system: string,
  place: Place,
  longSize: 4 | 8 = 8,
): EventFormat {
  const head = HEAD.exec(text);
  const name = head?.[1]?.trim();
  if (!name) return parseEventFormat(text, system, place, longSize);
  let parsed: EventFormat | undefined;
  const all = (): EventFormat => {
    parsed ??= parseEventFormat(text, system, place, longSize);
    return parsed;
  };
  return {
    system,
    name,
    id: eventId(head![2]!, place),
    mayBeProbe: PROBE_FIELD.test(text),
    get fields() {
      return all().fields;
    },
    get printFmt() {
      return all().printFmt;
    },
  };
}

/**
 * Reads the `header_page` text. Follows ring_buffer_print_page_header() of
 * kernel/trace/ring_buffer.c.
 * @throws RecordingError at `place` when a member is missing or its layout cannot be.
 */
export function parseHeaderPage(text: string, place: Place): HeaderPage {
  const member = (name: string): { offset: number; size: number } => {
    for (const line of text.split("\n")) {
      const match = line.length > LONGEST_FIELD ? null : FIELD.exec(line);
      if (match?.[1]?.trim().split(/\s+/).at(-1) === name) {
        return { offset: Number(match[2]), size: Number(match[3]) };
      }
    }
    throw new RecordingError(place, `a header_page with a field ${name}`, quoteFound(text));
  };
  const timestamp = member("timestamp");
  const commit = member("commit");
  const data = member("data");
  const sane =
    timestamp.size === 8 &&
    (commit.size === 4 || commit.size === 8) &&
    timestamp.offset + 8 <= data.offset &&
    commit.offset + commit.size <= data.offset &&
    data.offset <= 4096 &&
    data.size >= 8 &&
    data.offset + data.size <= SUB_BUFFER_LIMIT;
  if (!sane) throw new RecordingError(place, "a header_page that can be", quoteFound(text, 240));
  return {
    timestampOffset: timestamp.offset,
    commitOffset: commit.offset,
    commitSize: commit.size === 4 ? 4 : 8,
    dataOffset: data.offset,
    dataSize: data.size,
  };
}

function eventId(text: string, place: Place): number {
  // common_type has 16 bits.
  if (!/^\d{1,5}$/.test(text) || Number(text) > 0xffff) {
    throw new RecordingError(place, "an event ID of at most 65535", quoteFound(text));
  }
  return Number(text);
}

function parseField(line: string, place: Place, longSize: 4 | 8): FormatField {
  const match = FIELD.exec(line);
  if (match === null) {
    throw new RecordingError(place, '"field:…; offset:N; size:N; signed:N;"', quoteFound(line));
  }
  const offset = Number(match[2]);
  const size = Number(match[3]);
  if (offset + size > RECORD_LIMIT) {
    throw new RecordingError(place, `a field within ${RECORD_LIMIT} bytes`, quoteFound(line));
  }
  const declared = parseDeclaration(match[1]!.trim());
  if (declared === undefined) {
    throw new RecordingError(place, "a field with a type and a name", quoteFound(line));
  }
  const { type, name, count } = declared;
  let kind = declared.kind;
  if ((kind === "dynamic-array" || kind === "rel-array") && size !== 4) {
    throw new RecordingError(place, "a __data_loc or __rel_loc of 4 bytes", quoteFound(line));
  }
  // `char buf;` with size 0 is how kernels before 3.x declared `char buf[]`.
  if (kind === "scalar" && size === 0) kind = "array";
  const elementSize =
    kind === "scalar"
      ? size
      : kind === "array" && count > 0 && size > 0 && size % count === 0
        ? size / count
        : sizeOfType(type, longSize);
  return { name, offset, size, signed: match[4] === "1", type, kind, elementSize };
}

interface Declaration {
  type: string;
  name: string;
  kind: FieldKind;
  /** The number in the brackets; 0 when there is none. */
  count: number;
}

function parseDeclaration(text: string): Declaration | undefined {
  const located = /^__(data|rel)_loc\s+(.*\S)\s*\[\]\s*([A-Za-z_]\w*)$/.exec(text);
  if (located !== null) {
    const kind = located[1] === "data" ? "dynamic-array" : "rel-array";
    return { type: located[2]!, name: located[3]!, kind, count: 0 };
  }
  const array = /^([^[\]]*[^[\]\w]|[^[\]]*\s)([A-Za-z_]\w*)\s*\[(.*)\]$/.exec(text);
  if (array !== null) {
    const inner = array[3]!;
    const count = /^\d+$/.test(inner) ? Number(inner) : 0;
    return { type: array[1]!.trim(), name: array[2]!, kind: "array", count };
  }
  const scalar = /^(.*[^\w])([A-Za-z_]\w*)$/.exec(text);
  if (scalar === null) return undefined;
  return { type: scalar[1]!.trim(), name: scalar[2]!, kind: "scalar", count: 0 };
}

function sizeOfType(type: string, longSize: 4 | 8): number {
  const words = type.replace(/\b(const|volatile|struct|enum|union)\b/g, "").trim();
  if (words.endsWith("*")) return longSize;
  const sized = /^_*[usx]?(?:int|uint|le|be)?(8|16|32|64)(?:_t)?$/.exec(words);
  if (sized !== null) return Number(sized[1]) / 8;
  if (/\blong long\b/.test(words)) return 8;
  if (/\b(long|size_t|ssize_t|uintptr_t)\b/.test(words)) return longSize;
  if (/\bshort\b/.test(words)) return 2;
  if (/\b(char|bool|symbol|symstr|string|ustring)\b/.test(words)) return 1;
  if (/\b(int|unsigned|signed|pid_t|uid_t|gid_t)\b/.test(words)) return 4;
  return 0;
}
