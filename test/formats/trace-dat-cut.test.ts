/**
 * A trace.dat of version 7 without its index: cut off, or damaged there. The sections lie in the file in
 * order, so what is there is read, and what may be missing is a loss.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { ringPage } from "../support/make-ring-page.ts";
import { type DatSpec, formatText, makeTraceDat } from "../support/make-trace-dat.ts";
import { memorySource, type OneMachine, replayAll } from "../support/memory-source.ts";

const FILE = readFileSync(
  join(import.meta.dirname, "../../traces/vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat"),
);
/** Where its sections are, by trace-cmd dump: two options sections, the buffer, its two CPUs. */
const OPTIONS = 0xf2a89;
const CPU_1 = 0xf4000;
const LAST_OPTIONS = 0xf4a4e;

const read = (bytes: Uint8Array): Promise<OneMachine> => replayAll([memorySource("t.dat", bytes)]);
const codes = ({ limits }: OneMachine): string[] => limits.map(({ code }) => code);
const verdict = ({ policies, rounds }: OneMachine) => ({
  policies,
  rounds: rounds.map(({ caveats: _, ...round }) => round),
});
const whole = await read(FILE);

describe("a file of trace-cmd", () => {
  test("cut off inside of the options that name the CPUs gives all events, and may lack some", async () => {
    const cut = await read(FILE.subarray(0, LAST_OPTIONS + 30));
    expect(cut.eventsReplayed).toBe(whole.eventsReplayed);
    expect(verdict(cut)).toEqual(verdict(whole));
    expect(cut.inputs[0]!.clock).toBe("mono");
    expect(cut.inputs[0]!.cpus).toEqual([0, 1]);
    expect(codes(cut)).toEqual(expect.arrayContaining(["events-unread", "cut-short"]));
    expect(cut.certainty).not.toBe("exact");
  });

  test("cut off in the data of its last CPU gives those of the first", async () => {
    const cut = await read(FILE.subarray(0, CPU_1 + 1000));
    expect(cut.eventsReplayed).toBeGreaterThan(20);
    expect(cut.eventsReplayed).toBeLessThan(whole.eventsReplayed);
    expect(codes(cut)).toEqual(expect.arrayContaining(["events-unread", "cut-short"]));
  });

  test.each([
    [OPTIONS + 100, "the section with the data of a CPU"],
    [0x100, "the section headers"],
    [0x900, "the section events format"],
  ])("cut off before any event, at %i, says what is missing", async (length, expected) => {
    const error = await read(FILE.subarray(0, length)).catch((met) => met);
    expect(error).toBeInstanceOf(RecordingError);
    expect(error.message).toContain(expected);
    expect(error.message).toContain("the file is cut off or its index is damaged");
  });

  test.each([
    ["a header of its options", OPTIONS, OPTIONS + 8],
    ["the last options", LAST_OPTIONS + 16, LAST_OPTIONS + 60],
    ["the offset of its options", 29, 37],
  ])("damaged in %s gives all events", async (_what, from, to) => {
    const damaged = Buffer.from(FILE);
    damaged.fill(0xff, from, to);
    const result = await read(damaged);
    expect(result.eventsReplayed).toBe(whole.eventsReplayed);
    expect(verdict(result)).toEqual(verdict(whole));
    expect(codes(result)).toContain("events-unread");
  });
});

describe("a made file", () => {
  const page = (ns: bigint) =>
    ringPage({
      timestamp: ns,
      items: [{ kind: "event", payload: Uint8Array.of(0x46, 5, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4) }],
      subBufferSize: 1024,
    });
  const spec: DatSpec = {
    version: 7,
    pageSize: 1024,
    events: [{ system: "vhx", format: formatText("other", 1350, [["u32 x", 8, 4, 0]]) }],
    options: [{ id: 4, data: Buffer.from("[mono]") }],
    buffers: [
      {
        name: "",
        cpus: [
          { cpu: 0, data: Buffer.concat([page(100n), page(200n), page(300n)]) },
          { cpu: 1, data: Buffer.concat([page(150n), page(160n)]) },
        ],
      },
    ],
  };

  test.each(["none", "zlib", "zstd"] as const)(
    "with compression %s: options are last",
    async (compression) => {
      const file = Buffer.from(makeTraceDat({ ...spec, compression }));
      const intact = await read(file);
      file.fill(0, file.length - 20);
      file.fill(0xff, 24 + compression.length + 1, 24 + compression.length + 3);
      const result = await read(file);
      expect(result.inputs[0]!.cpus).toEqual([0, 1]);
      expect(result.inputs[0]!.events).toEqual(intact.inputs[0]!.events);
      expect(intact.inputs[0]!.events[0]!.count).toBe(5);
    },
  );
});
