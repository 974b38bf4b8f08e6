/** Ring-buffer pages through the core: times, gaps, padding, damage. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { RecordingError } from "../../src/model/place.ts";
import { dump } from "../../src/replay/replay.ts";
import { type PageItem, type PageSpec, ringPage } from "../support/make-ring-page.ts";
import { ByteWriter, formatText, headerPageText, makeTraceDat } from "../support/make-trace-dat.ts";
import { memorySource, recordingOf, replayAll } from "../support/memory-source.ts";

const POP = 1500;
const FOREIGN = 1501;

interface Shape {
  bigEndian: boolean;
  kernelLong: 4 | 8;
  subBufferSize: number;
}

const USUAL: Shape = { bigEndian: false, kernelLong: 8, subBufferSize: 4096 };

/** A pop event: common fields, the probe's address, head. */
function pop(head: number, { bigEndian, kernelLong } = USUAL, id = POP): Uint8Array {
  return new ByteWriter(bigEndian)
    .int(2, id)
    .int(2, 0)
    .int(4, 77)
    .int(kernelLong, 0x1000)
    .int(4, head >>> 0)
    .done();
}

function datOf(
  cpus: Uint8Array[],
  shape = USUAL,
  more: Partial<Parameters<typeof makeTraceDat>[0]> = {},
): Uint8Array {
  const { bigEndian, kernelLong, subBufferSize } = shape;
  const after = 8 + kernelLong;
  return makeTraceDat({
    version: 7,
    bigEndian,
    kernelLong,
    compression: "none",
    headerPage: headerPageText(subBufferSize, kernelLong),
    events: [
      {
        system: "vl",
        format: formatText("pop", POP, [
          ["unsigned long __probe_func", 8, kernelLong, 0],
          ["s32 head", after, 4, 1],
        ]),
      },
    ],
    buffers: [
      {
        name: "",
        clock: "mono",
        subBufferSize,
        cpus: cpus.map((data, cpu) => ({ cpu, data })),
      },
    ],
    ...more,
  });
}

function page(items: PageItem[], more: Partial<PageSpec> = {}, shape = USUAL): Uint8Array {
  return ringPage({ timestamp: 1_000_000n, items, ...shape, ...more });
}

async function eventsOf(dat: Uint8Array): Promise<NormalisedEvent[]> {
  const events: NormalisedEvent[] = [];
  await dump(await recordingOf(memorySource("t.dat", dat)), (event) => {
    events.push(event);
  });
  return events;
}

const event = (head: number, delta = 0, long = false, shape = USUAL): PageItem => ({
  kind: "event",
  delta,
  payload: pop(head, shape),
  long,
});

const brief = (events: NormalisedEvent[]): unknown[] =>
  events.map((e) =>
    e.event === "gap" ? ["gap", e.cpu, e.lost] : [e.ts, e.cpu, (e as { head?: number }).head],
  );

describe("a ring-buffer page", () => {
  test.each<Shape>([
    USUAL,
    { bigEndian: true, kernelLong: 8, subBufferSize: 4096 },
    { bigEndian: false, kernelLong: 4, subBufferSize: 4096 },
    { bigEndian: true, kernelLong: 4, subBufferSize: 4096 },
    { bigEndian: false, kernelLong: 8, subBufferSize: 65536 },
  ])(
    "of $kernelLong-byte longs, big endian $bigEndian, $subBufferSize bytes: times and fields",
    async (shape) => {
      const items: PageItem[] = [
        event(1, 0, false, shape),
        event(2, 500, false, shape),
        { kind: "time-extend", delta: 10_000_000_000n },
        event(3, 0, false, shape),
        { kind: "time-stamp", time: 99_000_000_000n },
        event(4, 7, false, shape),
        { kind: "discarded", delta: 3, length: 12 },
        event(5, 10, true, shape),
        event(-22, 1, false, shape),
        { kind: "padding" },
      ];
      const events = await eventsOf(datOf([page(items, {}, shape)], shape));
      expect(brief(events)).toEqual([
        ["1000000", 0, 1],
        ["1000500", 0, 2],
        ["10001000500", 0, 3],
        ["99000000007", 0, 4],
        ["99000000020", 0, 5],
        ["99000000021", 0, -22],
      ]);
    },
  );

  test("pages of several CPUs are merged by time, equal times by CPU", async () => {
    const cpu0 = page([event(1, 0), event(2, 100), event(3, 100)]);
    const cpu1 = page([event(11, 100), event(12, 50), event(13, 50)]);
    expect(brief(await eventsOf(datOf([cpu0, cpu1])))).toEqual([
      ["1000000", 0, 1],
      ["1000100", 0, 2],
      ["1000100", 1, 11],
      ["1000150", 1, 12],
      ["1000200", 0, 3],
      ["1000200", 1, 13],
    ]);
  });

  test.each([
    [95, 95],
    ["unknown" as const, null],
  ])("missed events (%s) become a gap in front of the page", async (missed, lost) => {
    const pages = Buffer.concat([
      page([event(1)]),
      page([event(2)], { timestamp: 2_000_000n, missed }),
    ]);
    const events = await eventsOf(datOf([pages]));
    expect(brief(events)).toEqual([
      ["1000000", 0, 1],
      ["gap", 0, lost],
      ["2000000", 0, 2],
    ]);
    const result = await replayAll([memorySource("t.dat", datOf([pages]))]);
    expect(result.limits.map((limit) => limit.code)).toContain("events-lost");
  });

  test("a record whose id has no format is counted and named, not fatal", async () => {
    const unknown: PageItem = { kind: "event", payload: pop(9, USUAL, FOREIGN) };
    const dat = datOf([page([event(1), unknown, event(2)])]);
    expect(brief(await eventsOf(dat))).toHaveLength(2);
    const result = await replayAll([memorySource("t.dat", dat)]);
    expect(result.inputs[0]!.notes.join()).toContain("1 records have an event id without a format");
  });

  test("a page place names the CPU and the byte", async () => {
    const events = await eventsOf(datOf([Buffer.concat([page([]), page([event(1)])])]));
    expect(events[0]!.place).toBe("t.dat:cpu0+0x1010");
  });

  const damage: [string, Uint8Array, RegExp][] = [
    ["committed length beyond the page", page([event(1)], { commit: 5000 }), /committed length/],
    [
      "a zero length in a long event",
      page([{ kind: "raw", bytes: new Uint8Array(8) }]),
      /ends inside/,
    ],
    ["a discarded event of length 0", page([{ kind: "discarded", length: 0 }]), /ends inside/],
    ["an event that ends behind the data", page([event(1)], { commit: 8 }), /ends inside/],
    [
      "a record shorter than its format",
      page([{ kind: "event", payload: pop(1).subarray(0, 12) }]),
      /as long as its event format/,
    ],
  ];
  test.each(damage)(
    "%s alone is refused, with CPU, offset and expectation",
    async (_, bytes, words) => {
      const failure = eventsOf(datOf([bytes]));
      await expect(failure).rejects.toThrow(RecordingError);
      await expect(failure).rejects.toThrow(words);
      await expect(failure).rejects.toThrow(/^t\.dat:cpu0\+0x[0-9a-f]+: /);
    },
  );

  const good = (head: number, timestamp: bigint): Uint8Array => page([event(head)], { timestamp });
  test.each([
    ...damage,
    ["zeros", new Uint8Array(4096), /a ring-buffer page, found zeros/],
    [
      "a hole behind an event",
      page([event(1), { kind: "raw", bytes: new Uint8Array(64) }, event(2)], {
        timestamp: 2_000_000n,
      }),
      /ends inside/,
    ],
  ] as [string, Uint8Array, RegExp][])(
    "%s among pages is a loss in its place, and costs only itself",
    async (_, bytes, words) => {
      if (bytes.length < 4096) return;
      const cpu0 = Buffer.concat([good(7, 1_500_000n), bytes, good(8, 9_000_000n)]);
      const dat = datOf([cpu0, good(9, 5_000_000n)]);
      const heads = (await eventsOf(dat)).flatMap((e) => ("head" in e ? [e.head] : []));
      expect(heads.filter((head) => head > 6)).toEqual([7, 9, 8]);
      const { inputs, limits } = await replayAll([memorySource("t.dat", dat)]);
      const unread = limits.find(({ code }) => code === "events-unread");
      expect(unread?.places[0]?.at).toMatch(/^:cpu0\+0x1[0-9a-f]{3}$/);
      expect(inputs[0]!.gaps.every(({ cpu, lost }) => cpu === 0 && lost === null)).toBe(true);
      expect(inputs[0]!.notes.join(" ")).toMatch(words);
    },
  );

  test("what is lost lies between the events around it: a gap at both ends", async () => {
    const cpu0 = Buffer.concat([good(7, 1_500_000n), new Uint8Array(4096), good(8, 9_000_000n)]);
    expect(
      (await eventsOf(datOf([cpu0, good(9, 5_000_000n)]))).map(({ event, ts }) => [event, ts]),
    ).toEqual([
      ["pop", "1500000"],
      ["gap", "1500000"],
      ["pop", "5000000"],
      ["gap", "9000000"],
      ["pop", "9000000"],
    ]);
  });

  test("a record that is too short costs only itself, and the time goes on", async () => {
    const short: PageItem = { kind: "event", delta: 30, payload: pop(2).subarray(0, 12) };
    const events = await eventsOf(datOf([page([event(1), short, event(3, 40)])]));
    expect(brief(events)).toEqual([
      ["1000000", 0, 1],
      ["gap", 0, null],
      ["1000070", 0, 3],
    ]);
  });

  test("a file that ends inside a page is read up to there, and is cut short", async () => {
    const bytes = page([event(1), event(2, 10), event(3, 10)]);
    // Of the third event the header is there, and no field.
    const cut = bytes.subarray(0, 16 + 2 * 24 + 12);
    expect(brief(await eventsOf(datOf([Buffer.concat([good(7, 500_000n), cut])])))).toEqual([
      ["500000", 0, 7],
      ["gap", 0, null],
      ["1000000", 0, 1],
      ["1000010", 0, 2],
    ]);
  });

  test("any bytes in a page end in events or in a RecordingError", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 4, maxLength: 400 }),
        fc.nat(420),
        fc.boolean(),
        async (bytes, commit, bigEndian) => {
          const shape = { ...USUAL, bigEndian };
          const data = page([{ kind: "raw", bytes }], { commit }, shape);
          await eventsOf(datOf([data], shape)).catch((error) => {
            if (!(error instanceof RecordingError)) throw error;
          });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("a file with damage", () => {
  const good = (head: number, timestamp: bigint): Uint8Array => page([event(head)], { timestamp });
  const pages = Buffer.concat([good(1, 1_000_000n), good(2, 2_000_000n), good(3, 3_000_000n)]);
  const other = good(9, 5_000_000n);
  const heads = (events: NormalisedEvent[]): unknown[] =>
    events.flatMap((e) => ("head" in e ? [e.head] : []));

  test.each(["zlib", "zstd"] as const)(
    "of one %s frame loses the pages of that frame, in their place",
    async (compression) => {
      const dat = datOf([pages, other], USUAL, { compression, chunkBytes: 4096 });
      expect(heads(await eventsOf(dat))).toEqual([1, 2, 3, 9]);
      // The second frame of CPU 0: the last bytes of what is stored for its page.
      const found: number[] = [];
      for (let at = 0; at < dat.length - 60; at++) {
        const damaged = Buffer.from(dat);
        damaged.fill(0x55, at, at + 3);
        const got = await eventsOf(damaged).then(heads, () => []);
        if (JSON.stringify(got) === "[1,3,9]") {
          found.push(at);
          const { limits, inputs } = await replayAll([memorySource("t.dat", damaged)]);
          const unread = limits.find(({ code }) => code === "events-unread");
          expect(unread?.places.some(({ at }) => at === ":cpu0+0x1000")).toBe(true);
          expect(inputs[0]!.notes.join(" ")).toMatch(/lost: t\.dat(@0x|:cpu0\+0x1000)/);
          break;
        }
      }
      expect(found).toHaveLength(1);
    },
  );

  test("that is cut off in the data of a CPU is read up to there", async () => {
    const dat = datOf([pages], USUAL, { version: 6 });
    expect(heads(await eventsOf(dat))).toEqual([1, 2, 3]);
    const cut = dat.subarray(0, dat.length - 4096 - 100);
    expect(heads(await eventsOf(cut))).toEqual([1, 2]);
    const { limits } = await replayAll([memorySource("t.dat", cut)]);
    expect(limits.map(({ code }) => code)).toEqual(
      expect.arrayContaining(["events-unread", "cut-short"]),
    );
  });
});
