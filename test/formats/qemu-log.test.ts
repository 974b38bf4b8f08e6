/** QEMU's text log: its shapes, what else stands in the file, what is refused. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { NormalisedEvent, QemuTraceEvent } from "../../src/model/event.ts";
import { RecordingError } from "../../src/model/place.ts";
import type { InputSummary } from "../../src/model/result.ts";
import type { RequestRecord } from "../../src/model/told.ts";
import { dump } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest, VQ } from "../support/make-elements.ts";
import {
  type LogShape,
  logLine,
  printEvent,
  qemuLog,
  type TraceLine,
} from "../support/make-qemu-log.ts";
import { memorySource, type OneMachine, recordingOf, replayAll } from "../support/memory-source.ts";

const ELEM = 0x55557cfca9f0n;
const GUEST = new QemuGuest().read(ELEM, [0x379e000, 0x8000]);
const SHAPES: LogShape[] = ["tid@time", "ISO", "bare"];

async function requestsOf(
  text: string | Uint8Array,
): Promise<{ requests: RequestRecord[]; result: OneMachine; input: InputSummary }> {
  const requests: RequestRecord[] = [];
  const result = await replayAll([memorySource("src.log", text)], {
    policies: [{ policy: findPolicy("unpatched"), alias: null }],
    onRequest: (request) => {
      requests.push(request);
    },
  });
  return { requests, result, input: result.inputs[0]! };
}

async function eventsOf(text: string | Uint8Array): Promise<QemuTraceEvent[]> {
  const events: NormalisedEvent[] = [];
  await dump(await recordingOf(memorySource("src.log", text)), (event) => {
    events.push(event);
  });
  return events.filter((event): event is QemuTraceEvent => event.event === "qemu");
}

async function errorOf(text: string): Promise<string> {
  try {
    await replayAll([memorySource("src.log", text)]);
  } catch (error) {
    expect(error).toBeInstanceOf(RecordingError);
    return (error as RecordingError).message;
  }
  throw new Error("no error");
}

const counts = (input: InputSummary): Record<string, number> =>
  Object.fromEntries(input.events.map(({ name, count }) => [name, count]));

describe.each(SHAPES)("shape %s", (shape) => {
  const text = qemuLog(GUEST.lines, shape);

  test("one READ", async () => {
    const { requests, input } = await requestsOf(text);
    expect(requests).toMatchObject([
      {
        element: "0x55557cfca9f0",
        state: "completed",
        addressed: true,
        reads: [{ gpa: 0x2da2948, len: 0x33 }],
        writes: [
          { gpa: 0x2da2983, len: 0x6c },
          { gpa: 0x379e000, len: 0x8000 },
        ],
        lun: 0,
        tag: "0x42da2810",
        opcode: "0x28",
        response: 0,
        status: 0,
        used: { len: 0x8000 + 108 },
      },
    ]);
    expect(input.format).toMatch(/^QEMU log/);
    expect(input.clock).toBe(shape === "bare" ? null : "realtime");
    expect(input.foreignLines).toBe(0);
  });

  test("ends of lines with carriage return", async () => {
    const expected = (await requestsOf(text)).requests.map(({ writes, status }) => [
      writes,
      status,
    ]);
    const { requests, input } = await requestsOf(qemuLog(GUEST.lines, shape, "\r\n"));
    expect(requests.map(({ writes, status }) => [writes, status])).toEqual(expected);
    expect(input.foreignLines).toBe(0);
  });

  test("a last line without an end is cut, even where what is left reads well", async () => {
    const save = { ns: 9_000_000_000n, tid: 9, name: "ram_save_page" };
    const args = ["pc.ram", 0x123000n, 0x7f0000123000n];
    const whole = qemuLog([...GUEST.lines, { ...save, args }], shape);
    const counted = async (content: string): Promise<[number, string[], string[]]> => {
      const { inputs, limits } = await replayAll([memorySource("case", content)]);
      const [input] = inputs;
      const saves = input!.events.find(({ name }) => name === save.name)?.count ?? 0;
      return [saves, input!.notes, limits.map(({ code }) => code)];
    };
    const [saves, notes, limits] = await counted(whole);
    expect(saves).toBe(1);
    expect(limits).not.toContain("cut-short");
    expect(notes.join(" ")).not.toContain("middle");
    for (const end of [1, 4]) {
      const [left, why, codes] = await counted(whole.slice(0, -end));
      expect(left).toBe(0);
      expect(why.join(" ")).toContain(`ends in the middle of line ${GUEST.lines.length + 1};`);
      expect(codes).toContain("cut-short");
    }
  });

  test("lines of QEMU's own are counted, and the first one is named", async () => {
    const lines = text.trimEnd().split("\n");
    lines.splice(2, 0, "qemu-system-x86_64: warning: host doesn't support requested feature");
    lines.splice(5, 0, "Desc next is 65535", "");
    const { requests, input } = await requestsOf(`${lines.join("\n")}\n`);
    expect(requests).toHaveLength(1);
    expect(requests[0]!.writes).toHaveLength(2);
    expect(input.foreignLines).toBe(2);
    expect(input.notes.join(" ")).toMatch(/2 lines are no trace event.*line 3/);
  });

  test("unknown events are counted by name", async () => {
    const unknown = (args: string): string =>
      logLine({ ns: GUEST.lines[0]!.ns, tid: 7, name: "frob_nicated", args: [args] }, shape);
    const { input } = await requestsOf(`${unknown("a 1")}\n${text}${unknown("b 2")}\n`);
    expect(input.events).toContainEqual({ name: "frob_nicated", kind: null, count: 2 });
    expect(input.foreignLines).toBe(0);
  });

  test("a name that is the beginning of another one", async () => {
    const own = new QemuGuest();
    own.event("virtio_notify", 1n, 2n).event("virtio_notify_irqfd", 1n, 2n);
    own.event("virtio_notify", 1n, 2n).event("virtio_notify_irqfd_deferred_fn", "vdev 0x1 vq 0x2");
    const { input } = await requestsOf(qemuLog([...GUEST.lines, ...own.lines], shape));
    expect(counts(input)).toMatchObject({
      virtio_notify: 2,
      virtio_notify_irqfd: 1,
      virtio_notify_irqfd_deferred_fn: 1,
    });
  });

  test("arguments that fit no format are refused, with file and line", async () => {
    const lines = text.trimEnd().split("\n");
    const at = lines.findIndex((line) => line.includes("virtqueue_pop"));
    lines[at] = lines[at]!.replace("elem", "elm");
    expect(await errorOf(`${lines.join("\n")}\n`)).toMatch(
      /^src\.log:6: expected virtqueue_pop vq <vq> elem <elem> .*, found ".*elm/,
    );
  });

  test("a line that the end cuts is said, and the rest is replayed", async () => {
    const cut = `${text}${logLine({ ...GUEST.lines[1]! }, shape).slice(0, -12)}`;
    const { requests, input } = await requestsOf(cut);
    expect(requests).toHaveLength(1);
    expect(input.notes.join(" ")).toContain(`middle of line ${GUEST.lines.length + 1}`);
  });

  test("compressed, and as NDJSON of a dump, it is the same", async () => {
    const plain = await requestsOf(text);
    const zipped = await requestsOf(gzipSync(text));
    expect(zipped.requests).toEqual(plain.requests);
    const events: NormalisedEvent[] = [];
    await dump(await recordingOf(memorySource("src.log", text)), (event) => {
      events.push(event);
    });
    const again = await requestsOf(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
    const essence = ({ requests }: { requests: RequestRecord[] }) =>
      requests.map((r) => [r.element, r.writes, r.reads, r.lun, r.tag, r.status, r.used?.ns]);
    expect(essence(again)).toEqual(essence(plain));
  });
});

describe("values", () => {
  const line = (name: string, args: TraceLine["args"]): string =>
    `7@100.000001:${name} ${printEvent(name, args)}\n`;

  test("times and threads", async () => {
    const [event] = await eventsOf("4194303@1795395668.000001:savevm_state_iterate \n");
    expect(event).toMatchObject({ ts: "1795395668000001000", pid: 4194303 });
  });

  test("ISO time of a leap day, after a guest's name", async () => {
    const text =
      "2024-02-29T23:59:59.999999Z savevm_state_iterate \n" +
      "vm7 2024-03-01T00:00:00.000000Z savevm_state_iterate \n";
    const events = await eventsOf(text);
    expect(events.map(({ ts }) => BigInt(ts))).toEqual([
      BigInt(Date.UTC(2024, 1, 29, 23, 59, 59)) * 1_000_000n + 999_999_000n,
      BigInt(Date.UTC(2024, 2, 1)) * 1_000_000n,
    ]);
  });

  test("addresses up to 64 bits, (nil), negative numbers", async () => {
    const events = await eventsOf(
      line("ram_save_page", ["pc.ram", 0xfffffffffffff000n, 0n]) +
        line("savevm_section_end", ["ram", 2, -5]) +
        line("virtqueue_pop", [VQ, 0n, 0, 0]),
    );
    expect(events.map(({ args }) => args)).toMatchObject([
      { rbname: "pc.ram", offset: "0xfffffffffffff000", host: "0x0" },
      { ret: -5 },
      { elem: "0x0", in_num: 0 },
    ]);
  });

  test("names with colons and blanks in them", async () => {
    const name = "0000:00:03.0/virtio-mem pool: 2";
    const events = await eventsOf(line("ram_save_page", [name, 0x1000n, 0x7000n]));
    expect(events[0]!.args).toMatchObject({ rbname: name, offset: "0x1000", host: "0x7000" });
  });

  test("a length in hex digits that look decimal", async () => {
    const events = await eventsOf(line("address_space_map", [1n, 0x2000n, 0x33, 0, 0]));
    expect(events[0]!.args).toMatchObject({ len: "0x33", addr: "0x2000" });
  });

  test("more different events than a list holds are refused", async () => {
    const text = Array.from({ length: 4000 }, (_, i) => `7@1.000000:event_${i} x\n`).join("");
    expect(await errorOf(text)).toMatch(/src\.log:\d+: expected at most 3000 different events/);
  });
});
