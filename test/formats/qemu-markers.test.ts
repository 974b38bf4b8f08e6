/** QEMU's ftrace backend: its events as markers among the kernel's probes. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import type { RequestRecord } from "../../src/model/told.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { markerText, type TraceLine } from "../support/make-qemu-log.ts";
import { memorySource, type OneMachine, replayAll } from "../support/memory-source.ts";

const READ = new QemuGuest(30_000_000_000n).read(0x10n, [0x379e000, 0x8000]).lines;
const HEAD = "           vhost-547     [000] .....    ";
/** One request of vhost-scsi on queue 2 and its `used` event, after what QEMU did. */
const PROBES = [
  `${HEAD}31.000001: desc: (x) vq=0x1000 gpa=0x202000 len=4096 acc=2\n`,
  `${HEAD}31.000002: pop: (x <- vhost_get_vq_desc) head=1\n`,
  `${HEAD}31.000003: used: (x) vq=0x1000 head=1 len=0 n=1 idx=0 num=256 logused=1 logaddr=0x5000 feat=0x104000000\n`,
].join("");

async function read(
  text: string | Uint8Array,
): Promise<{ requests: RequestRecord[]; result: OneMachine }> {
  const requests: RequestRecord[] = [];
  const result = await replayAll([memorySource("trace.txt", text)], {
    policies: [{ policy: findPolicy("spdk-split"), alias: null }],
    onRequest: (request) => {
      requests.push(request);
    },
  });
  return { requests, result };
}

const tracer = "# tracer: nop\n";
const marker = (text: string): string =>
  `           <...>-7       [001] ...1.    30.500000: tracing_mark_write: ${text}\n`;

describe("markers", () => {
  test("alone", async () => {
    const { requests } = await read(tracer + markerText(READ));
    expect(requests).toMatchObject([{ element: "0x10", state: "completed", opcode: "0x28" }]);
  });

  test("among probes, plain and compressed: both devices", async () => {
    for (const bytes of [
      Buffer.from(tracer + markerText(READ) + PROBES),
      gzipSync(tracer + markerText(READ) + PROBES),
    ]) {
      const { requests } = await read(bytes);
      expect(requests.map(({ element, head, writes }) => [element, head, writes.length])).toEqual([
        ["0x10", null, 2],
        [null, 1, 1],
      ]);
    }
  });

  test("as trace-cmd report prints them", async () => {
    const text = markerText(READ).replaceAll(
      "tracing_mark_write:",
      "print:               tracing_mark_write:",
    );
    const { requests } = await read(`cpus=2\n${text.replaceAll(" ...1. ", " ")}`);
    expect(requests).toMatchObject([{ element: "0x10", state: "completed" }]);
  });

  test("markers of others stand in between, also before QEMU's first", async () => {
    const other = marker("test begins") + marker("") + marker("ram_save_pages are next");
    const { requests, result } = await read(tracer + other + markerText(READ) + other);
    expect(requests).toHaveLength(1);
    expect(result.inputs[0]!.events).not.toContainEqual(
      expect.objectContaining({ name: "ram_save_page", count: 1 }),
    );
  });

  test("an event that is not needed is counted by its name", async () => {
    const lines: TraceLine[] = [1, 2, 3].map((i) => ({
      ...READ[0]!,
      name: "frob_nicated",
      args: [`a ${i}`],
    }));
    const { result } = await read(tracer + markerText(READ) + markerText(lines));
    const { events } = result.inputs[0]!;
    expect(events).toContainEqual({ name: "frob_nicated", kind: null, count: 3 });
    expect(events.find(({ name }) => name === "tracing_mark_write")?.count ?? 0).toBe(0);
  });

  test("an event without arguments, with the blank behind its name or without", async () => {
    const text = marker("migration_bitmap_sync_start ") + marker("migration_bitmap_sync_start");
    const { result } = await read(tracer + text);
    expect(result.inputs[0]!.events).toContainEqual(
      expect.objectContaining({ name: "migration_bitmap_sync_start", count: 2 }),
    );
  });

  test("arguments that fit no format are refused, with file and line", async () => {
    const bad = marker("virtqueue_pop vq 0x1 elem 0x2 in_num x out_num 1");
    const error: unknown = await read(`${tracer}${markerText(READ)}${bad}${PROBES}`).catch(
      (e) => e,
    );
    expect(error).toBeInstanceOf(RecordingError);
    expect((error as RecordingError).message).toMatch(
      new RegExp(`^trace\\.txt:${READ.length + 2}(:\\d+)?: expected .*virtqueue_pop`),
    );
  });
});
