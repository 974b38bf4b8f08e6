/** simpletrace version 4, and the trace-events list that gives its records their arguments. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Source } from "../../src/bytes/source.ts";
import { RecordingError } from "../../src/model/place.ts";
import type { RequestRecord } from "../../src/model/told.ts";
import { readTraceEvents } from "../../src/qemu/trace-events.ts";
import { dump, type Recording } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { qemuLog, TRACE_EVENTS_ALL } from "../support/make-qemu-log.ts";
import { SimpleWriter, SOME_NAMES, simpletrace } from "../support/make-simpletrace.ts";
import { memorySource, type OneMachine, recordingOf, replayOne } from "../support/memory-source.ts";

const LINES = new QemuGuest(5_000_000_000n)
  .read(0x55557cfca9f0n, [0x379e000, 0x8000])
  .read(0x55557cfca9f0n, [0x1234000, 0x200], 1, 7).lines;
const SCHEMA = memorySource("given", TRACE_EVENTS_ALL);

interface Seen {
  requests: RequestRecord[];
  result: OneMachine;
}

async function read(
  source: Source,
  { traceEvents, beside }: { traceEvents?: Source; beside?: Source } = {},
): Promise<Seen> {
  const requests: RequestRecord[] = [];
  const recording: Recording = await recordingOf(source);
  const surroundings = { ...recording.surroundings, beside: () => beside ?? null };
  const result = await replayOne(
    { ...recording, surroundings, ...(traceEvents ? { traceEvents } : {}) },
    {
      policies: [{ policy: findPolicy("unpatched"), alias: null }],
      window: "assumed",
      onRequest: (request) => {
        requests.push(request);
      },
    },
  );
  return { requests, result };
}

const essence = ({ requests }: Seen) =>
  requests.map((r) => [r.element, r.state, r.writes, r.reads, r.lun, r.tag, r.opcode, r.status]);

async function errorOf(source: Source, options: Parameters<typeof read>[1] = {}): Promise<string> {
  try {
    await read(source, options);
  } catch (error) {
    expect(error).toBeInstanceOf(RecordingError);
    expect((error as RecordingError).message).not.toContain("\n");
    return (error as RecordingError).message;
  }
  throw new Error("no error");
}

const text = await read(memorySource("text", qemuLog(LINES, "tid@time")));

describe("a file", () => {
  test.each([
    ["little endian", {}],
    ["big endian", { bigEndian: true }],
    ["names mapped where they are first used", { lateMapping: true }],
    ["names mapped in another order, with other numbers", { moreNames: SOME_NAMES, firstId: 900 }],
    [
      "213 kB of names before the first event",
      { moreNames: Array.from({ length: 5041 }, (_, i) => `some_other_event_number_${i}`) },
    ],
    ["big endian, mapped late", { bigEndian: true, lateMapping: true, firstId: 3 }],
  ])("%s: the same elements as in the log", async (_, options) => {
    const bytes = simpletrace(LINES, options);
    for (const source of [
      memorySource("src", bytes),
      memorySource("src", bytes, 37),
      memorySource("src", gzipSync(bytes)),
    ]) {
      const seen = await read(source, { traceEvents: SCHEMA });
      expect(essence(seen)).toEqual(essence(text));
      expect(seen.result.inputs[0]).toMatchObject({ format: "simpletrace v4", clock: "mono" });
      expect(seen.requests[0]!.used!.ns).toBe(LINES[9]!.ns.toString());
    }
  });

  test("mapped again in the middle, as after trace-file on", async () => {
    const writer = new SimpleWriter();
    for (const line of LINES) writer.event(line);
    const once = writer.bytes();
    const again = simpletrace(LINES).subarray(24);
    const seen = await read(memorySource("src", Buffer.concat([once, again])));
    expect(seen.requests).toHaveLength(4);
  });

  test("from a pipe, which cannot be read again", async () => {
    const { random: _, ...pipe } = memorySource("src", simpletrace(LINES), 100);
    expect(essence(await read(pipe as Source))).toEqual(essence(text));
  });

  test("an event of a number that no name has is counted", async () => {
    const writer = new SimpleWriter();
    for (const line of LINES) writer.event(line);
    writer.raw(5000n, 6_000_000_000n, Buffer.alloc(16));
    writer.raw(1n << 40n, 6_000_000_000n, Buffer.alloc(0));
    const seen = await read(memorySource("src", writer.bytes()));
    expect(essence(seen)).toEqual(essence(text));
    expect(seen.result.inputs[0]!.notes.join(" ")).toContain("2 records have an event number");
  });

  test("dropped records are gaps", async () => {
    const writer = new SimpleWriter();
    for (const line of LINES.slice(0, 10)) writer.event(line);
    writer.dropped(LINES[9]!.ns, 117n);
    for (const line of LINES.slice(10)) writer.event(line);
    const { result } = await read(memorySource("src", writer.bytes()));
    expect(result.limits.map(({ code }) => code)).toContain("events-lost");
    const lost: (number | null)[] = [];
    await dump(await recordingOf(memorySource("src", writer.bytes())), (event) => {
      if (event.event === "gap") lost.push(event.lost);
    });
    expect(lost).toEqual([117]);
  });

  test("a tail that is cut is said, wherever it is cut", async () => {
    const bytes = simpletrace(LINES);
    const last = bytes.length - (32 + 4 * 8);
    for (let end = last + 1; end < bytes.length; end += 3) {
      const seen = await read(memorySource("src", bytes.subarray(0, end)));
      expect(seen.requests.map(({ state }) => state)).toEqual(["completed", "in-flight"]);
      expect(seen.result.inputs[0]!.notes.join(" ")).toContain(`The last ${end - last} bytes`);
    }
  });

  test("small inversions of time are put in order", async () => {
    const lines = LINES.map((line) => ({ ...line }));
    [lines[3], lines[4]] = [lines[4]!, lines[3]!];
    const seen = await read(memorySource("src", simpletrace(lines)));
    expect(essence(seen)).toEqual(essence(text));
  });

  test.each([3, 5, 0])("version %i is refused", async (version) => {
    const message = await errorOf(memorySource("src", simpletrace(LINES, { version })));
    expect(message).toMatch(/^src@0x10: expected simpletrace version 4, found \d/);
  });
});

describe("the schema", () => {
  const source = memorySource("src", simpletrace(LINES));

  test("given, beside the file, or neither", async () => {
    const note = /no --trace-events was given/;
    const given = await read(source, { traceEvents: SCHEMA });
    expect(given.result.inputs[0]!.notes.join(" ")).not.toMatch(note);
    const beside = await read(source, { beside: memorySource("b", gzipSync(TRACE_EVENTS_ALL)) });
    expect(beside.result.inputs[0]!.notes.join(" ")).not.toMatch(note);
    const neither = await read(source);
    expect(neither.result.inputs[0]!.notes.join(" ")).toMatch(note);
    for (const seen of [given, beside, neither]) expect(essence(seen)).toEqual(essence(text));
  });

  test("of another QEMU: refused, by the name of the event and of the list", async () => {
    const other = TRACE_EVENTS_ALL.replace("void *vq, void *elem, unsigned int in_num", "int x");
    const message = await errorOf(source, { traceEvents: memorySource("list", other) });
    expect(message).toMatch(
      /^src@0x[0-9a-f]+: expected arguments of virtqueue_pop as list lists them/,
    );
  });

  test("arguments that no known QEMU has, without a list", async () => {
    const lines = LINES.map((line) =>
      line.name === "virtqueue_pop" ? { ...line, args: [...line.args, 1] } : line,
    );
    const message = await errorOf(memorySource("src", simpletrace(lines)));
    expect(message).toMatch(/virtqueue_pop.*--trace-events/);
  });

  test("more arguments, in another order, by the list", async () => {
    const list = TRACE_EVENTS_ALL.replace(
      "void *vq, void *elem, unsigned int in_num, unsigned int out_num",
      "const char *device, unsigned int out_num, void *vq, int64_t n, void *elem, unsigned int in_num",
    );
    const lines = LINES.map((line) => {
      if (line.name !== "virtqueue_pop") return line;
      const [vq, elem, inNum, outNum] = line.args;
      return { ...line, args: ["scsi0", outNum!, vq!, -1, elem!, inNum!] };
    });
    const seen = await read(memorySource("src", simpletrace(lines)), {
      traceEvents: memorySource("list", list),
    });
    expect(essence(seen)).toEqual(essence(text));
  });

  test("the CPU of a vcpu event is an argument in front", () => {
    const events = readTraceEvents('vcpu guest_mem(uint64_t addr, const char *s) "x"\n', "f");
    expect(events.get("guest_mem")).toEqual([
      { name: "cpu", type: "u" },
      { name: "addr", type: "u" },
      { name: "s", type: "s" },
    ]);
  });

  test("declarations of all kinds", () => {
    const events = readTraceEvents(
      [
        "# hw/virtio/virtio.c",
        "",
        'plain(void) ""',
        'disable off(int a) "a %d"',
        "no_format(unsigned long long x, char *name, const char * other, void *p)",
        'spaced ( uint8_t  v ) "v"\r',
        'funcs(const void *cb, int (*f)) "%p"',
      ]
        .filter((line) => !line.includes("(*f)"))
        .join("\n"),
      "f",
    );
    expect(events.get("plain")).toEqual([]);
    expect(events.get("off")).toEqual([{ name: "a", type: "u" }]);
    expect(events.get("no_format")!.map(({ type }) => type)).toEqual(["u", "s", "s", "u"]);
    expect(events.get("spaced")).toEqual([{ name: "v", type: "u" }]);
  });

  test.each([
    ["", "no event in it"],
    ["hello world\n", 'found "hello world"'],
    ['good(int a) "x"\nbad line\n', "list:2"],
    ["\0\0\0\0", "list:1"],
  ])("a list that is none: %j", async (content, words) => {
    const message = await errorOf(source, { traceEvents: memorySource("list", content) });
    expect(message).toContain(words);
    expect(message).toMatch(/^list/);
  });
});
