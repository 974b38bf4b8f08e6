/** A recording behind any known prefix gives the same report, whatever its format. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findPolicy } from "../../src/vhost/policy.ts";
import { WRAPPINGS, type Wrapping } from "../support/line-prefixes.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { qemuLog } from "../support/make-qemu-log.ts";
import { memorySource, type OneMachine, replayAll } from "../support/memory-source.ts";

const TRACE = join(
  import.meta.dirname,
  "../../traces/vhost-scsi/7.2.13+deb14-amd64/01-smoke/trace.txt.gz",
);
const EVENT = /^ *(.*)-(\d+) +\[(\d{3})\] (\S{5}) +(\d+\.\d{6}): (\w+): (.*)$/;
const FTRACE = gunzipSync(readFileSync(TRACE))
  .toString("latin1")
  .split("\n")
  .filter((line) => EVENT.test(line));

const guest = new QemuGuest();
guest.read(0x7000n, [0x100000n, 8192]);
guest.read(0x7100n, [0x200000n, 4096]);
const log = (shape: "tid@time" | "ISO" | "bare"): string[] =>
  qemuLog(guest.lines, shape).trimEnd().split("\n");

const RECORDINGS: Readonly<Record<string, string[]>> = {
  "tracefs text": [...FTRACE.slice(0, 90), "CPU:1 [LOST 12 EVENTS]", ...FTRACE.slice(90)],
  "trace-cmd report": FTRACE.map((line) => line.replace(/ \S{5} +(\d+\.)/, "     $1")),
  "perf script": FTRACE.map((line) =>
    line
      .replace(EVENT, "        $1 $2 [$3]  $5: vl:$6: $7")
      .replace(/vl:(tracing_mark_write)/, "$1"),
  ),
  "latency format": FTRACE.map((line) =>
    line.replace(EVENT, (_, comm, pid, cpu, flags, time, event, rest) => {
      const name = comm.slice(0, 8).padStart(8);
      return `${name}-${pid.padEnd(7)} ${Number(cpu)}${flags} ${time.replace(".", "")}us+: ${event}: ${rest}`;
    }),
  ),
  "QEMU's log": log("tid@time"),
  "QEMU 11's log": log("ISO"),
  "QEMU's log without times": log("bare"),
  "qemu-trace-stap": log("tid@time").map((line) => line.replace(/\.(\d{6}):/, "$1000 ")),
};

/** What must not depend on what stands around a line. */
function essence({ inputs, policies, limits, devices, certainty, verdict }: OneMachine): unknown {
  const [{ events, foreignLines, gaps, format, firstNs, lastNs }] = inputs as [
    OneMachine["inputs"][0],
  ];
  const codes = limits.map(({ code, text }) => [code, text.replace(/^\S+ ends/, "ends")]);
  // Behind a prefix a name that is not needed is told from other words by its time alone.
  const read = events.filter(({ kind }) => kind !== null);
  const others = events.reduce(
    (sum, { kind, count }) => sum + (kind === null ? count : 0),
    foreignLines,
  );
  return {
    read,
    others,
    gaps,
    format,
    firstNs,
    lastNs,
    policies,
    codes,
    devices,
    certainty,
    verdict,
  };
}

const policies = ["unpatched", "patched"].map((alias) => ({ policy: findPolicy(alias), alias }));

async function reportOf(lines: string[]): Promise<unknown> {
  const source = memorySource("case", `${lines.join("\n")}\n`);
  return essence(await replayAll([source], { window: "auto", policies }));
}

describe.each(Object.entries(RECORDINGS))("%s", (_, lines) => {
  test.each(Object.entries(WRAPPINGS))("in %s is read as it is", async (__, wrap) => {
    const plain = await reportOf(lines);
    expect(await reportOf(lines.map((line, i) => wrap(line, i + 1)))).toEqual(plain);
  });
});

test("each line may have another prefix, and lines of no format stand between", async () => {
  const wraps = Object.values(WRAPPINGS);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(RECORDINGS)),
      fc.array(fc.nat(wraps.length), { minLength: 1, maxLength: 40 }),
      async (name, picks) => {
        const lines = RECORDINGS[name]!;
        const wrapOf = (i: number): Wrapping => wraps[picks[i % picks.length]!] ?? ((line) => line);
        const mixed = lines.map((line, i) => wrapOf(i)(line, i + 1));
        expect(await reportOf(mixed)).toEqual(await reportOf(lines));
      },
    ),
    { numRuns: 25 },
  );
});
