/** Nothing counts twice: the same events in several forms, pieces, buffers and recordings. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Source } from "../../src/bytes/source.ts";
import { dump } from "../../src/replay/replay.ts";
import { type PageItem, ringPage } from "../support/make-ring-page.ts";
import { simpletrace } from "../support/make-simpletrace.ts";
import { ByteWriter, formatText, makeTraceDat } from "../support/make-trace-dat.ts";
import { memorySource, type OneMachine, recordingOf, replayAll } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../..", "traces");
const file = (...path: string[]): Buffer => readFileSync(join(TRACES, ...path));
const textOf = (...path: string[]): string => gunzipSync(file(...path)).toString("latin1");

/** What a recording says of guest memory, wherever its events stand. */
function answer(result: OneMachine): unknown {
  return {
    policies: result.policies,
    rounds: result.rounds.map(({ sync, ...round }) => ({ ...round, name: sync?.name ?? null })),
    queues: result.devices.map((device) => device.queues),
    findings: result.findings.map(({ first, ...finding }) => ({ ...finding, first: first.gpa })),
    migrations: result.migrations.map(({ outcome, sends }) => ({ outcome, sends })),
    limits: result.limits.map((limit) => limit.code),
    certainty: result.certainty,
  };
}

const notes = (result: OneMachine): string => result.inputs.flatMap((i) => i.notes).join("\n");

async function dumped(source: Source): Promise<string> {
  const lines: string[] = [];
  await dump(await recordingOf(source), (event) => void lines.push(JSON.stringify(event)));
  return `${lines.join("\n")}\n`;
}

describe.each([
  ["vhost-scsi/6.1.0-50-amd64/12-toggle"],
  ["vhost-scsi/6.16.12+deb13-amd64/18-lost"],
  ["vhost-scsi/7.2.13+deb14-amd64/09-events"],
  ["vhost-net/7.2.13+deb14-amd64/n02-hdr"],
  ["migration/6.1"],
])("%s", (folder) => {
  test("with any form of itself it gives its own answer, and says so", async () => {
    const text = textOf(folder, "trace.txt.gz");
    const own = memorySource("trace.txt", text);
    const expected = answer(await replayAll([own]));
    const forms: Source[] = [
      memorySource("again.txt", text),
      memorySource("again.txt.gz", gzipSync(Buffer.from(text, "latin1"))),
      memorySource("dump.ndjson", await dumped(own)),
      // What `grep -v` or a recorder of fewer probes leaves.
      memorySource("fewer.txt", text.replaceAll(/^.*(?:rearm|uflags|drain): .*\n/gm, "")),
    ];
    for (const form of forms) {
      for (const sources of [
        [own, form],
        [form, own],
      ]) {
        const result = await replayAll(sources);
        expect(answer(result), form.name).toEqual(expected);
        expect(notes(result)).toContain(": the same recording in another form, which counts once.");
        expect(result.inputs).toHaveLength(2);
      }
    }
    const all = await replayAll([...forms, own]);
    expect(answer(all)).toEqual(expected);
  });
});

test("a trace.dat and its text are one recording; what only the text has counts too", async () => {
  const folder = ["vhost-scsi", "6.1.0-50-amd64", "12-toggle"];
  const dat = memorySource("trace.dat", file(...folder, "trace.dat"));
  const text = textOf(...folder, "trace.txt.gz");
  const expected = answer(await replayAll([dat]));
  for (const form of [dat, memorySource("trace.txt", text)]) {
    expect(answer(await replayAll([dat, form]))).toEqual(expected);
    expect(answer(await replayAll([form, dat]))).toEqual(expected);
  }
});

test("another recorder on another clock, which reads it a little later, is the same recording", async () => {
  const text = textOf("vhost-scsi", "6.1.0-50-amd64", "12-toggle", "trace.txt.gz");
  const own = memorySource("a.txt", text);
  const expected = answer(await replayAll([own]));
  let n = 0;
  const moved = (by: number, rate = 1): string =>
    text.replaceAll(/(?<=\s)(\d+\.\d{6})(?=: )/g, (time) => {
      n = (n * 7 + 3) % 31;
      return (Number(time) * rate + by + n / 1_000_000).toFixed(6);
    });
  for (const [by, rate] of [
    [0, 1],
    [0.1, 1],
    [0, 2.6],
  ] as const) {
    const result = await replayAll([own, memorySource("b.txt", moved(by, rate))]);
    expect(answer(result), `moved by ${by}, rate ${rate}`).toEqual(expected);
  }
});

describe("pieces of one recording", () => {
  const text = textOf("vhost-scsi", "6.1.0-50-amd64", "12-toggle", "trace.txt.gz");
  const lines = text.split("\n");
  const header = lines.filter((line) => line.startsWith("#"));
  const events = lines.filter((line) => line !== "" && !line.startsWith("#"));
  const piece = (name: string, from: number, to: number): Source =>
    memorySource(name, `${[...header, ...events.slice(from, to)].join("\n")}\n`);
  const essence = (result: OneMachine): unknown => {
    const { limits, certainty: _, ...rest } = answer(result) as { limits: string[]; certainty: 0 };
    const findings = (rest as { findings: object[] }).findings.map((finding) => ({
      ...finding,
      certainty: "",
    }));
    // Text does not say what clock it is on: merging two says so.
    return { ...rest, findings, limits: limits.filter((code) => code !== "clock-unknown") };
  };
  const third = Math.floor(events.length / 3);

  test("one after the other join without an option", async () => {
    const expected = essence(await replayAll([memorySource("whole", text)]));
    const first = piece("1.txt", 0, third);
    const second = piece("2.txt", third, events.length);
    expect(essence(await replayAll([first, second]))).toEqual(expected);
    expect(essence(await replayAll([second, first]))).toEqual(expected);
  });

  test("that overlap count what both have once", async () => {
    const expected = essence(await replayAll([memorySource("whole", text)]));
    const parts = [
      piece("1.txt", 0, 2 * third),
      piece("2.txt", third, events.length),
      piece("3.txt", third + 20, 2 * third + 50),
    ];
    const result = await replayAll(parts);
    expect(essence(result)).toEqual(expected);
    expect(notes(result)).toMatch(/what both have at the same time counts once/);
    expect(essence(await replayAll(parts.toReversed()))).toEqual(expected);
  });
});

test("where each of two has lost what the other has, what is left out makes a bound", async () => {
  const text = textOf("vhost-scsi", "6.1.0-50-amd64", "12-toggle", "trace.txt.gz");
  const lines = text.split("\n");
  const without = (nth: number): string =>
    lines.filter((_, i) => i < 20 || i % 10 !== nth).join("\n");
  const result = await replayAll([
    memorySource("a.txt", without(3)),
    memorySource("b.txt", without(7)),
  ]);
  const limit = result.limits.find(({ code }) => code === "repeat-differs");
  expect(limit).toMatchObject({ effect: "more" });
  expect(limit!.text).toMatch(/^About \d+ % of the events of \S+ are not in \S+/);
  expect(result.certainty).not.toBe("exact");
});

describe("two buffers of one trace.dat", () => {
  const IDS = { desc: 1500, pop: 1501, used: 1502 };
  const IP: [string, number, number, number] = ["unsigned long __probe_ip", 8, 8, 0];
  const event = (id: number, ...fields: [4 | 8, bigint | number][]): Uint8Array => {
    const out = new ByteWriter(false).int(2, id).int(2, 0).int(4, 77).int(8, 0x1000);
    for (const [size, value] of fields) out.int(size, value);
    return out.done();
  };
  const VQ = 0xff11000012340000n;
  function requests(first: number, count: number, delay: bigint): Uint8Array {
    const items: PageItem[] = [];
    for (let i = first; i < first + count; i++) {
      const add = (payload: Uint8Array, delta: number): void => {
        items.push({ kind: "event", delta, payload, long: false });
      };
      add(event(IDS.desc, [8, VQ], [8, 0x100000 + i * 4096], [8, 0], [4, 512], [4, 2]), 900);
      add(event(IDS.pop, [8, VQ], [4, i % 128]), 50);
      add(
        event(
          IDS.used,
          [8, VQ],
          [4, i % 128],
          [4, 512],
          [4, 1],
          [4, i],
          [4, 128],
          [8, 0],
          [8, 0],
          [8, 0],
        ),
        50,
      );
    }
    return ringPage({ timestamp: 1_000_000n + BigInt(first) * 1000n + delay, items });
  }
  const dat = (...buffers: [name: string, data: Uint8Array][]): Source =>
    memorySource(
      "t.dat",
      makeTraceDat({
        version: 7,
        events: [
          {
            system: "vl",
            format: formatText("desc", IDS.desc, [
              IP,
              ["u64 vq", 16, 8, 0],
              ["u64 gpa", 24, 8, 0],
              ["u64 iov", 32, 8, 0],
              ["u32 len", 40, 4, 0],
              ["u32 acc", 44, 4, 0],
            ]),
          },
          {
            system: "vl",
            format: formatText("pop", IDS.pop, [IP, ["u64 vq", 16, 8, 0], ["s32 head", 24, 4, 1]]),
          },
          {
            system: "vl",
            format: formatText("used", IDS.used, [
              IP,
              ["u64 vq", 16, 8, 0],
              ["u32 head", 24, 4, 0],
              ["u32 len", 28, 4, 0],
              ["u32 n", 32, 4, 0],
              ["u32 idx", 36, 4, 0],
              ["u32 num", 40, 4, 0],
              ["u64 logused", 44, 8, 0],
              ["u64 logaddr", 52, 8, 0],
              ["u64 feat", 60, 8, 0],
            ]),
          },
        ],
        buffers: buffers.map(([name, data]) => ({ name, clock: "mono", cpus: [{ cpu: 0, data }] })),
      }),
    );

  test("that hold the same events count once, though their times differ", async () => {
    const alone = await replayAll([dat(["", requests(0, 15, 0n)])], { window: "assumed" });
    expect(alone.devices[0]!.queues[0]!.completed).toBe(15);
    const both = await replayAll([dat(["", requests(0, 15, 0n)], ["copy", requests(0, 15, 40n)])], {
      window: "assumed",
    });
    expect(answer(both)).toEqual(answer(alone));
    expect(notes(both)).toContain(
      "buffer copy of t.dat holds the events of the top buffer of t.dat",
    );
  });

  test("that hold different events both count", async () => {
    const alone = await replayAll([dat(["", requests(0, 15, 0n)])], { window: "assumed" });
    const halves = dat(["", requests(0, 7, 0n)], ["rest", requests(7, 8, 0n)]);
    expect(answer(await replayAll([halves], { window: "assumed" }))).toEqual(answer(alone));
  });
});

describe("a destination", () => {
  let clock = 1_000_000_000n;
  const line = (name: string, ...args: (string | bigint | number)[]) => {
    clock += 1000n;
    return { ns: clock, tid: 1, name, args };
  };
  const pages = [1, 2, 3, 7, 9, 12, 13, 20, 21, 22];
  const source = (...runs: number[][]): Source => {
    const lines = runs.flatMap((run) => [
      line("migrate_set_state", "setup"),
      ...run.map((n) => line("ram_save_page", "pc.ram", BigInt(n) << 12n, BigInt(n) << 16n)),
    ]);
    return memorySource("src", simpletrace(lines));
  };
  const destination = (run: number[]): Source => {
    const lines = run.map((n) =>
      line("ram_load_loop", "pc.ram", BigInt(n) << 12n, 8, BigInt(n) << 20n),
    );
    return memorySource("dst", simpletrace(lines, { pid: 9 }));
  };

  test("of another migration is refused with a sentence", async () => {
    const other = destination([1, 2, 3, 4, 5, 6, 7, 8]);
    await expect(replayAll([source(pages), other])).rejects.toThrow(
      /^dst: expected the destination of a migration that src sends, found one that received other pages/,
    );
  });

  test("of this one is taken, though another began and was cancelled before, and its end is missing", async () => {
    const result = await replayAll([source([1, 2, 5], pages), destination(pages.slice(0, 9))]);
    expect(notes(result)).toContain("dst is a destination's");
  });
});
