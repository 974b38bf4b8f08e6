/**
 * Lines that are compared with the ones before (assembly/decode/fast-line.ts) against the same lines read
 * by the tolerant reader: in front of each stands a line of another shape, after which nothing is
 * known to compare with.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { dump } from "../../src/replay/replay.ts";
import { EDITS, type Edit } from "../support/line-edits.ts";
import { coreModule, memorySource, memorySurroundings } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../..", "traces");

function linesOf(recording: string): string[] {
  const text = gunzipSync(readFileSync(join(TRACES, recording, "trace.txt.gz"))).toString("latin1");
  return text.split("\n").filter((line) => / (desc|pop|used|drain|rearm|uflags): /.test(line));
}

const RECORDINGS = [
  "vhost-scsi/6.16.12+deb13-amd64/12-toggle",
  "vhost-scsi-variants/7.2-btf/12-toggle",
  "vhost-net/7.2.13+deb14-amd64/n09-indirect",
];
const LINES = RECORDINGS.map(linesOf);
/** No time that has a dot: the columns are forgotten. */
const BREAKER = "               b-1       [000] .....            2: breaker: x";
/** One line of each event, so that what an event is does not depend on a damaged line. */
const FIRST = LINES.map((lines) => {
  const names = new Map(lines.map((line) => [/: (\w+): /.exec(line)![1], line]));
  return [...names.values()];
});

interface Read {
  events: string[];
  foreign: number;
}

/** Events in the order of their lines; `every`: only each second line counts, the others break. */
async function read(lines: string[], breaking: boolean): Promise<Read> {
  const text = breaking ? lines.flatMap((line) => [BREAKER, line]) : lines;
  const events: [number, string][] = [];
  const result = await dump(
    {
      sources: [memorySource("t", `${text.join("\n")}\n`)],
      surroundings: memorySurroundings,
      module: await coreModule(),
    },
    ({ place, ...event }) => {
      const number = Number(place!.slice(place!.indexOf(":") + 1));
      const values = JSON.stringify(event, (_, value) =>
        typeof value === "bigint" ? value.toString() : value,
      );
      events.push([breaking ? number / 2 : number, values]);
    },
  );
  events.sort(([a], [b]) => a - b);
  return {
    events: events.map(([number, values]) => `${number} ${values}`),
    foreign: result.inputs[0]!.foreignLines,
  };
}

/** Lines that can be read where they stand; the others end a recording. */
async function readable(first: string[], lines: string[]): Promise<string[]> {
  const good: string[] = [];
  for (const line of lines) {
    const ok = await read([...first, line], true).catch((error) => {
      if (error instanceof RecordingError) return null;
      throw error;
    });
    if (ok) good.push(line);
  }
  return good;
}

const RECIPES: Edit[] = [
  ...EDITS,
  (line) => `${line} more=12`,
  (line) => `${line} name="a b" x=0x1`,
  (line) => line.replace(/ len=\d+/, " len=4294967295"),
  (line) => line.replace(/ len=\d+/, " len=12345678"),
  (line) => line.replace(/ head=\d+/, " head=-11"),
  (line) => line.replace(/=0x([0-9a-f]+)/g, (_, hex: string) => `=0x${hex.toUpperCase()}`),
  (line) => line.replace(/ (\w+=\S+) (\w+=\S+)/, " $2 $1"),
  (line) => line.replace(") ", ")  "),
  (line) => `${line}\r`,
  (line) => `${line} `,
  (line) => line.replace(/\[(\d{3})\]/, "[1$1]"),
  (line) => line.replace(/-\d+ +/, (pid) => `-${"7654321".padEnd(pid.length - 1)}`),
  (line) => line.replace(/(\.\d{6}):/, "$1123:"),
  (line) => line.replace(/^.{16}/, "  a [000] 1.0: b"),
  (line) => line.replace(/ \S{5} +(\d+\.)/, " $1"),
];

test("a line that is compared is read as the tolerant reader reads it", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(RECORDINGS.length - 1),
      fc.array(
        fc.tuple(
          fc.nat(),
          fc.nat(3 * RECIPES.length),
          fc.nat(),
          fc.constantFrom(...' \n\r-[]().:=x0179afAZ"\0'),
        ),
        { minLength: 1, maxLength: 40 },
      ),
      async (recording, picks) => {
        const first = FIRST[recording]!;
        const all = picks.map(([index, recipe, at, char]) => {
          const line = LINES[recording]![index % LINES[recording]!.length]!;
          return (RECIPES[recipe] ?? RECIPES[0]!)(line, at % (line.length + 1), char);
        });
        // A line break inside makes two lines, each of which is looked at alone.
        const lines = await readable(
          first,
          all.flatMap((line) => line.split("\n")),
        );
        // Twice the first lines: the second time they are compared.
        const whole = [...first, ...first, ...lines, ...first];
        const fast = await read(whole, false);
        expect(fast).toEqual(await read(whole, true));
        compared += fast.events.length;
      },
    ),
    { numRuns: 30 },
  );
  expect(compared).toBeGreaterThan(500);
});

test("a blank line in front does not move the columns of the next one", async () => {
  // perf script: pids of five digits, then of six; the blank line makes up for the column.
  const line = (pid: string, gpa: string): string =>
    `         my comm ${pid.padStart(5)} [001]  2970.769470: vl:desc: (56386cd16240) ` +
    `vq=0x1 gpa=${gpa} len=1 iov=0x2 acc=2`;
  const lines = [line("123456", "0x1000"), line("12345", "0x2000"), "", line("12345", "0x3000")];
  const whole = [...lines, ...lines, line("123456", "0x4000"), "", line("12345", "0x5000")];
  expect(await read(whole, false)).toEqual(await read(whole, true));
});

test("a CPU with a blank in it is no CPU, also in the column where one stood before", async () => {
  const [line] = LINES[0]!;
  const torn = line!.replace(/\[(\d)\d(\d)\]/, "[$1 $2]");
  const whole = [...FIRST[0]!, ...FIRST[0]!, torn, ...FIRST[0]!];
  const { events } = await read(whole, false);
  expect(events.filter((event) => event.includes('"event":"gap"'))).toHaveLength(1);
  expect(await read(whole, true)).toEqual(await read(whole, false));
});
