/** A history is of one machine: of several, that which is chosen, as if it had been recorded alone. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type MachineHistory, makeHistory, readHistory } from "../../src/history/index.ts";
import { UsageError } from "../../src/model/place.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces/vhost-scsi");
const TOOL = { name: "vhost-replay", version: "0.0.0" };

/** Two processes, with addresses of their own. */
const [TOGGLE, HELD] = ["6.1.0-50-amd64/12-toggle", "6.12.117+deb13-amd64/33-held"].map((name) =>
  gunzipSync(readFileSync(join(TRACES, name, "trace.txt.gz"))).toString("latin1"),
) as [string, string];

const timeOf = (line: string): number => Number(/ (\d+\.\d{6}): /.exec(line)?.[1] ?? 0);
// A sync of one would end rounds of both.
const linesOf = (text: string): string[] =>
  text.split("\n").filter((line) => timeOf(line) > 0 && !line.includes("tracing_mark_write"));

/** The second moved to the times of the first: they run side by side. */
const FIRST = linesOf(TOGGLE);
const SHIFT = timeOf(linesOf(HELD)[0]!) - timeOf(FIRST[0]!) - 0.0000005;
const SECOND = linesOf(HELD).map((line) =>
  line.replace(/ (\d+\.\d{6}): /, (_, time) => ` ${(Number(time) - SHIFT).toFixed(6)}: `),
);
const BOTH = [...FIRST, ...SECOND].sort((a, b) => timeOf(a) - timeOf(b));

async function historyOf(lines: readonly string[], machine?: number) {
  const text = `# tracer: nop\n#\n${lines.join("\n")}\n`;
  const { bytes, result } = await makeHistory(
    await recordingOf(memorySource("trace.txt", text)),
    {
      policies: [{ policy: findPolicy("linux-6.16"), alias: null }],
      window: "auto",
      ...(machine === undefined ? {} : { sinkMachine: machine }),
    },
    "events",
    TOOL,
  );
  return { own: readHistory("h", bytes).machines[0]!, result };
}

/** Columns that count nothing over the whole recording: not its queues, places and first event. */
const OWN = {
  writes: ["page", "pages", "cause"],
  requests: ["head", "state", "writeBytes", "readBytes"],
  rounds: ["round", "set", "page", "pages"],
} as const;

function rowsOf(machine: MachineHistory): Record<string, number[][]> {
  return Object.fromEntries(
    Object.entries(OWN).map(([name, columns]) => {
      const table = machine.table(name as keyof typeof OWN) as unknown as Record<string, number[]>;
      return [name, columns.map((column) => [...table[column]!])];
    }),
  );
}

describe("of two machines", () => {
  test("none is made unless one is chosen, and the error says how", async () => {
    await expect(historyOf(BOTH)).rejects.toThrow(UsageError);
    await expect(historyOf(BOTH)).rejects.toThrow(/PID \d+.*PID \d+.*--machine/);
    await expect(historyOf(BOTH, 3)).rejects.toThrow(/--machine/);
  });

  test.each([
    [1, FIRST],
    [2, SECOND],
  ])("that of machine %d has the rows that it has alone, and no other's", async (number, lines) => {
    const { own, result } = await historyOf(BOTH, number);
    expect(result.machines).toHaveLength(2);
    const alone = (await historyOf(lines)).own;
    expect(own.result.pid).toBe(alone.result.pid);
    expect(alone.table("writes").length).toBeGreaterThan(50);
    expect(rowsOf(own)).toEqual(rowsOf(alone));
  });
});
