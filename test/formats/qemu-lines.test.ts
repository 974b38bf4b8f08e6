/**
 * Lines of QEMU's log against a twin that reads them by regular expressions, one by one. The core
 * compares threads and seconds with those it met and takes digits many at once; here stand lines
 * that are nearly like the ones before, in pieces of any size, so that behind each piece lie bytes
 * of older ones.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { dump } from "../../src/replay/replay.ts";
import { EDITS, type Edit } from "../support/line-edits.ts";
import { DECLARATIONS, type LogShape, logLine } from "../support/make-qemu-log.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

/** Thread and time in front of the name, as assembly/decode/qemu-prefix.ts takes them. */
const PREFIXES: Readonly<Record<LogShape, RegExp>> = {
  "tid@time": /(\d{1,10})@(\d{1,12})\.(\d{6}):/,
  ISO: /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z /,
  bare: /^/,
};

/** The prefix at the start of a line, or else the last one that begins in the middle of no word. */
function prefixOf(line: string, shape: LogShape): RegExpExecArray | null {
  const own = new RegExp(`^(?:${PREFIXES[shape].source})`).exec(line);
  if (own || shape === "bare") return own;
  const all = [...line.matchAll(new RegExp(`(?<![A-Za-z0-9])${PREFIXES[shape].source}`, "g"))];
  return all.at(-1) ?? null;
}

/** Where an event stands that the replay needs, with a colon in front or the beginning of its arguments. */
function findNeeded(text: string): number | null {
  for (const { 0: name, index } of text.matchAll(/[a-z0-9_]+(?= )/g)) {
    const format = isNeeded(name) ? DECLARATIONS[name]![1] : null;
    if (format === null || name.length < 4) continue;
    const begins = format.replace(/%[pxuds].*$/s, "");
    const rest = text.slice(index + name.length + 1);
    if (text[index - 1] === ":" || (begins !== "" && rest.startsWith(begins))) return index;
  }
  return null;
}

function isNeeded(name: string): boolean {
  if (!FORMATS.has(name) || name.startsWith("virtio_notify")) return false;
  return name !== "virtqueue_alloc_element";
}

/** Behind another tool's words a text in JSON or in quotes ends where these end. */
function textEnd(line: string, start: number): number {
  const first = line.trimStart()[0];
  let end = line.length;
  if (first === "{") end = start + /^(?:\\.|[^"\\])*/s.exec(line.slice(start))![0].length;
  else if ((first === '"' || first === "'") && line.endsWith(first)) end--;
  else return end;
  return start + line.slice(start, end).replace(/(?:\\[nr])+$/, "").length;
}
const CONVERSIONS: Readonly<Record<string, string>> = {
  p: "(0x[0-9a-fA-F]{1,16}(?![0-9a-fA-F])|\\(nil\\))",
  x: "([0-9a-fA-F]{1,16}(?![0-9a-fA-F]))",
  u: "(\\d{1,20}(?!\\d))",
  d: "(-?\\d{1,20}(?!\\d))",
  s: "(.*?)",
};
/** What each event's arguments look like, and the letters of its conversions. */
const FORMATS = new Map(
  Object.entries(DECLARATIONS).map(([name, [, format]]) => {
    const source = format.replace(/[()$.|+?*[\]^\\]/g, "\\$&");
    const pattern = source.replace(/%([pxuds])/g, (_, letter: string) => CONVERSIONS[letter]!);
    // A string at the end takes the blanks there, too.
    const whole = format.endsWith("%s") ? pattern.replace(/\?\)$/, ")$") : `${pattern} *$`;
    return [name, { pattern: new RegExp(`^${whole}`, "s"), letters: lettersOf(format) }];
  }),
);

function lettersOf(format: string): string[] {
  return [...format.matchAll(/%([pxuds])/g)].map((match) => match[1]!);
}

type Meaning =
  | { kind: "event"; name: string; pid: number; ts: bigint | null; values: (string | number)[] }
  | { kind: "counted"; name: string }
  | { kind: "foreign" | "refused" };

function numberOf(text: string, letter: string): string | number {
  const hex = letter === "p" || letter === "x";
  const digits = text.replace(/^(0x|-)/, "");
  const value = text === "(nil)" ? 0n : BigInt(hex ? `0x${digits}` : digits);
  if (letter === "d") return Number(BigInt.asIntN(64, text.startsWith("-") ? -value : value));
  const bits = BigInt.asUintN(64, value);
  return letter === "u" && bits < 1n << 53n ? Number(bits) : `0x${bits.toString(16)}`;
}

/** Year to second of a date. */
function numbersOf(date: string): number[] {
  return [date.slice(0, 4), ...[5, 8, 11, 14, 17].map((at) => date.slice(at, at + 2))].map(Number);
}

function timeOf(prefix: RegExpExecArray, shape: LogShape): { pid: number; ts: bigint | null } {
  if (shape === "bare") return { pid: 0, ts: null };
  const micros = BigInt(prefix[shape === "ISO" ? 2 : 3]!);
  let seconds = BigInt(prefix[2]!);
  if (shape === "ISO") {
    const [year, month, day, hour, minute, second] = numbersOf(prefix[1]!);
    seconds = BigInt(Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)) / 1000n;
  }
  const ts = BigInt.asUintN(64, (seconds * 1_000_000n + micros) * 1000n);
  return { pid: shape === "ISO" ? 0 : Number(BigInt.asIntN(32, BigInt(prefix[1]!))), ts };
}

/** The meaning of one line. */
function twin(text: string, shape: LogShape): Meaning {
  const line = text.replace(/\r$/, "");
  const foreign: Meaning = { kind: findNeeded(line) === null ? "foreign" : "refused" };
  const prefix = prefixOf(line, shape);
  if (!prefix) return foreign;
  const before = prefix.index;
  if (findNeeded(line.slice(0, before)) !== null) return { kind: "refused" };
  const start = shape === "bare" ? (findNeeded(line) ?? 0) : before + prefix[0].length;
  const end = start > 0 && (before > 0 || shape === "bare") ? textEnd(line, start) : line.length;
  const rest = line.slice(start, end);
  const name = /^[^ ]*/.exec(rest)![0];
  if (!/^[a-zA-Z]/.test(name) || name.length > 128) return foreign;
  const format = FORMATS.get(name);
  if (!format || !isNeeded(name)) {
    if (!/^[a-z0-9_]+$/.test(name)) return foreign;
    const mark = shape === "bare" ? null : shape === "ISO" ? "Z" : "@";
    const behind = rest.slice(name.length);
    const two = mark !== null && behind.includes(mark) && findNeeded(behind) !== null;
    return two ? { kind: "refused" } : { kind: "counted", name };
  }
  const match = format.pattern.exec(rest.slice(name.length + 1));
  if (!match) return { kind: "refused" };
  const values = format.letters.map((letter, i) =>
    letter === "s" ? match[i + 1]! : numberOf(match[i + 1]!, letter),
  );
  return { kind: "event", name, ...timeOf(prefix, shape), values };
}

interface Read {
  events: string[];
  counts: [string, number][];
  foreign: number;
}

async function read(text: string, chunk: number, shape: LogShape): Promise<Read> {
  const events: [number, string][] = [];
  const result = await dump(await recordingOf(memorySource("q", text, chunk)), (event) => {
    const { place, pid, ts, args } = event as NormalisedEvent & { args: object };
    const line = Number(place!.slice(place!.indexOf(":") + 1));
    if (event.event === "gap") {
      events.push([line, JSON.stringify([line, "lost", event.lost])]);
      return;
    }
    const time = shape === "bare" ? null : String(ts);
    events.push([line, JSON.stringify([line, pid ?? 0, time, Object.values(args)])]);
  });
  const { events: counted, foreignLines } = result.inputs[0]!;
  return {
    events: events.sort(([a], [b]) => a - b).map(([, event]) => event),
    counts: counted.filter(({ count }) => count > 0).map(({ name, count }) => [name, count]),
    foreign: foreignLines,
  };
}

/** What the twin makes of a text's lines. */
function expected(text: string, shape: LogShape): Read {
  const events: string[] = [];
  const counts = new Map<string, number>();
  let foreign = 0;
  // A last line without its newline is cut, however well it reads; a newline alone is no line of anybody's.
  (text.match(/[^\n]*\n/g) ?? []).forEach((whole, i) => {
    const meaning = twin(whole.replace(/\n$/, ""), shape);
    if (meaning.kind === "foreign" && whole.length > 1) foreign++;
    if (meaning.kind === "event" || meaning.kind === "counted") {
      counts.set(meaning.name, (counts.get(meaning.name) ?? 0) + 1);
    }
    if (meaning.kind === "refused") events.push(JSON.stringify([i + 1, "lost", null]));
    if (meaning.kind === "event") {
      const { pid, ts, values } = meaning;
      events.push(JSON.stringify([i + 1, pid, ts === null ? null : String(ts), values]));
    }
  });
  return { events, counts: [...counts], foreign };
}

const sorted = ({ counts, ...rest }: Read) => ({ ...rest, counts: counts.sort() });

/** A value in the digits of its conversion, at times more than it may have. */
function printed(letter: string, digits: string, many: number): string {
  if (letter === "s") return many % 3 ? "pc.ram" : "0000:00:03.0/virtio: pool";
  if (letter === "u") return digits.replace(/\D/g, "").slice(0, 1 + (many % 21)) || "0";
  if (letter === "d") return many % 5 ? `${many % 100}` : `-${many}`;
  const hex = digits.slice(0, many % 4 ? 1 + (many % 16) : 12);
  const text = many % 7 ? hex : hex.toUpperCase();
  if (letter === "x") return text;
  return many % 11 ? `0x${text}` : "(nil)";
}

const THREADS = [7, 21328, 21545, 4194303];
const SECONDS = [100n, 1795395670n, 1795395671n];
const NAMES = Object.keys(DECLARATIONS);

interface Pick {
  name: number;
  thread: number;
  second: number;
  micros: number;
  digits: string;
  many: number;
  recipe: number;
  at: number;
  char: string;
}

function lineOf(pick: Pick, shape: LogShape): string {
  const name = NAMES[pick.name]!;
  const args = FORMATS.get(name)!.letters.map((letter, i) =>
    printed(letter, pick.digits.slice((pick.many + i) % 7), pick.many + i),
  );
  const ns = SECONDS[pick.second]! * 1_000_000_000n + BigInt(pick.micros) * 1000n;
  const line = logLine({ ns, tid: THREADS[pick.thread]!, name, args }, shape);
  return (RECIPES[pick.recipe] ?? RECIPES[0]!)(line, pick.at % (line.length + 1), pick.char);
}

const RECIPES: Edit[] = [
  ...EDITS,
  (line, at, char) => line.slice(0, at % 30) + char + line.slice((at % 30) + 1),
  (line, at) => line.slice(0, at % 30) + line.slice((at % 30) + 1),
  (line) => `${line}\r`,
  (line) => `${line}  `,
  (line) => `${line} more`,
  (line) => `vm7 ${line}`,
  (line) => line.replace(/(\d)([0-9a-f]{11})\b/, "$10000$2"),
  (line) => line.replace(/(\d)([0-9a-f]{11})\b/, "$100000$2"),
  (line) => line.replace(/_/, "_x"),
  (line) => line.replace(/\d$/, "12345678"),
  (line) => line.replace(/\d$/, "18446744073709551615"),
  (line) => line.replace(/\d$/, "018446744073709551615"),
  (line) => line.replace(/^\d+@/, "12345678901@"),
  (line) => line.replace(/@\d+/, "@999999999999"),
];

const PICK: fc.Arbitrary<Pick> = fc.record({
  name: fc.nat(NAMES.length - 1),
  thread: fc.nat(THREADS.length - 1),
  second: fc.nat(SECONDS.length - 1),
  micros: fc.nat(999_999),
  digits: fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 30, maxLength: 30 }),
  many: fc.nat(1000),
  recipe: fc.nat(2 * RECIPES.length),
  at: fc.nat(),
  char: fc.constantFrom(..." \r-@.:_x0179afAZTZ\0"),
});

/** Whether the twin can say what a line is: dates of the calendar. */
function isAsked(line: string, shape: LogShape): boolean {
  const date = prefixOf(line, shape)?.[1];
  if (shape !== "ISO" || date === undefined) return true;
  const [year, month, day] = numbersOf(date);
  return year! >= 1970 && month! >= 1 && month! <= 12 && day! >= 1 && day! <= 28;
}

test.each<LogShape>(["tid@time", "ISO", "bare"])(
  "lines nearly like the ones before: %s",
  async (shape) => {
    const first = NAMES.map((_, name) =>
      lineOf(
        {
          name,
          thread: 1,
          second: 1,
          micros: name,
          digits: "123456789abc".repeat(3),
          many: 3,
          recipe: 0,
          at: 0,
          char: "",
        },
        shape,
      ),
    );
    const seen = { event: 0, counted: 0, foreign: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(PICK, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 400 }),
        fc.boolean(),
        async (picks, chunk, cut) => {
          const made = picks.map((pick) => lineOf(pick, shape));
          const usable = made.filter((line) => isAsked(line, shape));
          for (const line of usable) seen[twin(line, shape).kind]++;
          const text = [...first, ...usable].join("\n") + (cut ? "" : "\n");
          expect(sorted(await read(text, chunk, shape))).toEqual(sorted(expected(text, shape)));
          const bad = usable.find((line) => twin(line, shape).kind === "refused");
          if (bad === undefined) return;
          // At the end of the file it is what a kill left, and no loss.
          const rest = await read([...first, bad].join("\n"), chunk, shape);
          expect(sorted(rest)).toEqual(sorted(expected(`${first.join("\n")}\n`, shape)));
        },
      ),
      { numRuns: Number(process.env.LINE_RUNS ?? 40) },
    );
    for (const kind of ["event", "counted", "foreign", "refused"] as const) {
      if (kind !== "foreign") expect(seen[kind], kind).toBeGreaterThan(10);
      else if (shape !== "bare") expect(seen.foreign, kind).toBeGreaterThan(2);
    }
  },
  120_000,
);

test.each<LogShape>(["tid@time", "ISO", "bare"])(
  "of a line that the end cuts, what lies behind it is not read: %s",
  async (shape) => {
    const args = ["0x7f5062272900", "2da9148", "33", "1", "12"];
    const line = logLine({ ns: 100_353_301_000n, tid: 7, name: "address_space_map", args }, shape);
    for (let length = 1; length < line.length; length++) {
      const text = `${line}\n${line}\n${line.slice(0, length)}`;
      // A line a read: behind the cut one lies the rest of the line before.
      const got = await read(text, line.length + 1, shape);
      expect(sorted(got), `${length}`).toEqual(sorted(expected(text, shape)));
    }
  },
);
