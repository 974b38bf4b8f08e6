/**
 * Hostile input: whatever happens to the bytes, the outcome is a result or a RecordingError. Never
 * another exception, never a hang (vitest's timeout), never memory beyond what the bytes explain.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { dump } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, type OneMachine, recordingOf, replayAll } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../..", "traces");
const FOLDER = join(TRACES, "vhost-scsi", "7.2.13+deb14-amd64", "01-smoke");
const FULL = gunzipSync(readFileSync(join(FOLDER, "trace.txt.gz")));
/** Small enough to cut at every byte: the first and the last events of each kind. */
const TEXT = Buffer.from(
  FULL.toString("latin1")
    .split("\n")
    .filter((_, i, all) => i < 14 || i > all.length - 60)
    .join("\n"),
  "latin1",
);

async function ndjsonOf(text: Uint8Array): Promise<Buffer> {
  const lines: string[] = [];
  await dump(await recordingOf(memorySource("t", text)), (event) => {
    lines.push(JSON.stringify(event));
  });
  return Buffer.from(`${lines.join("\n")}\n`);
}

const NDJSON = await ndjsonOf(TEXT);

/** A result, or the error; anything else fails the test. */
async function outcome(bytes: Uint8Array): Promise<OneMachine | RecordingError> {
  const policies = ["unpatched", "patched"].map((alias) => ({ policy: findPolicy(alias), alias }));
  try {
    return await replayAll([memorySource("input", bytes)], { policies });
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    expect(error.message).toMatch(/^input\S*: expected /);
    expect(error.message).not.toContain("\n");
    return error;
  }
}

const FORMATS: [string, Buffer][] = [
  ["text", TEXT],
  ["NDJSON", NDJSON],
  ["gzip", gzipSync(TEXT)],
];

describe.each(FORMATS)("%s", (_, bytes) => {
  test("cut off after every byte", async () => {
    for (let end = 0; end < bytes.length; end += end < 300 ? 1 : 13) {
      await outcome(bytes.subarray(0, end));
    }
  });

  test("with any bit flipped", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 1 << bit;
        await outcome(damaged);
      }),
      { numRuns: 120 },
    );
  });

  test("with any bytes written over", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        async (at, junk) => {
          const damaged = Buffer.from(bytes);
          damaged.set(junk.subarray(0, damaged.length - at), at);
          await outcome(damaged);
        },
      ),
      { numRuns: 120 },
    );
  });
});

describe("text", () => {
  test("lines without end, lines of NULs, lines of brackets", async () => {
    const shapes = [
      Buffer.concat([TEXT, Buffer.alloc(300_000, 0x41)]),
      Buffer.concat([TEXT, Buffer.alloc(300_000, 0)]),
      Buffer.concat([TEXT, Buffer.from("[000] ".repeat(50_000))]),
      Buffer.concat([TEXT, Buffer.from("\n".repeat(100_000))]),
      Buffer.concat([Buffer.alloc(70_000, 0x20), Buffer.from("\n"), TEXT]),
    ];
    for (const bytes of shapes) {
      const result = await outcome(bytes);
      if (!(result instanceof RecordingError)) expect(result.eventsReplayed).toBeGreaterThan(40);
    }
  });

  test("thousands of event names, threads and queues stay bounded and are counted", async () => {
    const lines: string[] = ["# tracer: nop"];
    for (let i = 0; i < 20_000; i++) {
      const head = `          vhost-${String(i).padEnd(7)} [000] ..... ${String(i).padStart(5)}.000000: `;
      lines.push(`${head}event_${i}: a=1`);
      lines.push(`${head}desc: (x) vq=0x${(0x1000 + i * 64).toString(16)} gpa=0x1000 len=51 acc=2`);
      lines.push(`${head}pop: (x <- vhost_get_vq_desc) head=${i % 128}`);
    }
    const result = await outcome(Buffer.from(lines.join("\n")));
    expect(result).not.toBeInstanceOf(RecordingError);
    expect((result as OneMachine).inputs[0]!.foreignLines).toBeGreaterThan(10_000);
  });

  test("a chain that never ends is cut, and said", async () => {
    const line =
      "          vhost-7       [000] .....     1.000000: desc: (x) vq=0x1000 gpa=0x1000 len=51 acc=2";
    const lines = Array.from({ length: 70_000 }, () => line);
    const pop =
      "          vhost-7       [000] .....     1.000001: pop: (x <- vhost_get_vq_desc) head=1";
    const result = await outcome(Buffer.from(`${[...lines, pop].join("\n")}\n`));
    expect((result as OneMachine).limits.map((limit) => limit.code)).toContain(
      "orphan-descriptors",
    );
  });

  test("pages all over 16 TiB and beyond are marked, or counted", async () => {
    const lines: string[] = [];
    const head = "          vhost-7       [000] .....     1.000000: ";
    const queue = "vq=0x1000 num=256";
    for (let i = 0; i < 256; i++) {
      const gpa = `0x${(BigInt(i) << 38n).toString(16)}`;
      lines.push(`${head}desc: (x) vq=0x1000 gpa=${gpa} len=4294967295 acc=2`);
      lines.push(`${head}pop: (x <- vhost_get_vq_desc) head=${i}`);
      lines.push(
        `${head}used: (x) ${queue.replace(" num", ` head=${i} len=0 n=1 idx=${i} num`)} logused=1 logaddr=0x5000 feat=0x104000000`,
      );
    }
    const result = (await outcome(Buffer.from(`${lines.join("\n")}\n`))) as OneMachine;
    expect(result.limits.map((limit) => limit.code)).toContain("out-of-range");
    expect(result.written).toBe(64 * 1048576);
  });
});

describe("a real trace.dat", () => {
  const dat = readFileSync(join(TRACES, "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat"));
  /** The options and the events stand in the last part of the file, the symbols before them. */
  const position = fc.oneof(
    fc.nat(dat.length - 1),
    fc.integer({ min: dat.length - 12_000, max: dat.length - 1 }),
    fc.nat(4096),
  );

  test("cut off anywhere, or with any bytes changed", async () => {
    await fc.assert(
      fc.asyncProperty(
        position,
        fc.boolean(),
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        async (at, cut, junk) => {
          if (cut) {
            await outcome(dat.subarray(0, at));
            return;
          }
          const damaged = Buffer.from(dat);
          damaged.set(junk.subarray(0, dat.length - at), at);
          await outcome(damaged);
        },
      ),
      { numRuns: 250 },
    );
  });
});

test("every input that is no recording is refused in one line that says what it is", async () => {
  const inputs: [string, string | Uint8Array, RegExp][] = [
    ["an empty file", "", /empty/],
    ["perf.data", "PERFILE2xxxxxxxxxxxxxxxx", /perf script/],
    ["an ELF file", "\x7fELF\x02\x01\x01", /ELF/],
    ["random text", "hello\nworld\n", /no known format/],
  ];
  for (const [name, bytes, words] of inputs) {
    const error = await outcome(Buffer.from(bytes));
    expect(error, name).toBeInstanceOf(RecordingError);
    expect((error as RecordingError).message, name).toMatch(words);
  }
});
