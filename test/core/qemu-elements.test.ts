/** Elements of QEMU's own devices: the rules one by one, and random streams against a naive twin. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RequestRecord } from "../../src/model/told.ts";
import { findPolicy, type Policy } from "../../src/vhost/policy.ts";
import { AS, QemuGuest, VDEV, VQ } from "../support/make-elements.ts";
import { type LogShape, markerText, qemuLog, type TraceLine } from "../support/make-qemu-log.ts";
import { simpletrace } from "../support/make-simpletrace.ts";
import { memorySource, type OneMachine, replayAll } from "../support/memory-source.ts";
import { type OracleElement, oracleElements, pagesOfBuffers } from "../support/qemu-oracle.ts";

const E1 = 0x55557cfca9f0n;
const E2 = 0x55557cfcab00n;
const RUNS = Number(process.env.ELEMENT_RUNS ?? 150);
const UNPATCHED = [findPolicy("unpatched"), findPolicy("qemu-device")];

async function replayBytes(
  bytes: Uint8Array | string,
  policies: readonly Policy[] = UNPATCHED,
): Promise<{ requests: RequestRecord[]; result: OneMachine }> {
  const requests: RequestRecord[] = [];
  const result = await replayAll([memorySource("src", bytes)], {
    policies: policies.map((policy) => ({ policy, alias: null })),
    onRequest: (request) => {
      requests.push(request);
    },
  });
  return { requests, result };
}

const replayLines = (lines: readonly TraceLine[], shape: LogShape = "tid@time") =>
  replayBytes(qemuLog(lines, shape));

describe("mappings of an element", () => {
  test("the last in_num + out_num of its thread: a second mapping of the buffer is none", async () => {
    const guest = new QemuGuest();
    guest.read(E1, [0x379e000, 0x8000]);
    // The transfer of the first request mapped its buffer again; so does the one before this pop.
    guest.map([0x9000000, 0x1000], true).map([0x9001000, 0x1000], true);
    guest.read(E1, [0x4000000, 0x200]);
    const { requests } = await replayLines(guest.lines);
    expect(requests.map(({ writes }) => writes[1])).toEqual([
      { gpa: 0x379e000, len: 0x8000 },
      { gpa: 0x4000000, len: 0x200 },
    ]);
  });

  test("threads have their own", async () => {
    const guest = new QemuGuest();
    guest.on(1).map([0x1000, 16], false);
    guest.on(2).map([0x2000, 16], false);
    guest.on(1).map([0x3000, 512], true);
    guest.on(2).map([0x4000, 512], true);
    guest.on(1).event("virtqueue_pop", VQ, E1, 1, 1);
    guest.on(2).event("virtqueue_pop", VQ + 168n, E2, 1, 1);
    guest
      .on(2)
      .fill(E1)
      .fill(E2, 108, VQ + 168n);
    const { requests } = await replayLines(guest.lines);
    expect(requests.map(({ reads, writes }) => [reads[0]!.gpa, writes[0]!.gpa])).toEqual([
      [0x1000, 0x3000],
      [0x2000, 0x4000],
    ]);
  });

  test("a descriptor over a region's border is as long as up to the next piece", async () => {
    const guest = new QemuGuest();
    guest.map([0x1000, 16], false);
    // 0x3000 bytes from 0x9e000 on, in three pieces, each traced with what is left.
    guest.map([0x9e000, 0x3000], true).map([0x9f000, 0x2000], true).map([0xa0000, 0x1000], true);
    guest.event("virtqueue_pop", VQ, E1, 3, 1).fill(E1);
    const { requests, result } = await replayLines(guest.lines);
    expect(requests[0]!.writes).toEqual([
      { gpa: 0x9e000, len: 0x1000 },
      { gpa: 0x9f000, len: 0x1000 },
      { gpa: 0xa0000, len: 0x1000 },
    ]);
    expect(result.devices[0]!.queues[0]!.writeBytes).toBe(0x3000);
  });

  test("neighbours that are descriptors of their own stay whole", async () => {
    const guest = new QemuGuest();
    guest.map([0x1000, 16], false).map([0x2000, 0x1000], true).map([0x3000, 0x800], true);
    guest.event("virtqueue_pop", VQ, E1, 2, 1).fill(E1);
    const { requests } = await replayLines(guest.lines);
    expect(requests[0]!.writes.map(({ len }) => len)).toEqual([0x1000, 0x800]);
  });

  test("a mapping in the wrong direction is no mapping of the element", async () => {
    const guest = new QemuGuest();
    guest.map([0x1000, 16], true).map([0x2000, 16], true);
    guest.event("virtqueue_pop", VQ, E1, 1, 1).fill(E1);
    const { requests, result } = await replayLines(guest.lines);
    expect(requests).toMatchObject([{ state: "completed", addressed: false, writes: [] }]);
    // Where it wrote is not known, so it is no page that is written.
    expect(result.written).toBeNull();
    expect(result.limits.length).toBeGreaterThan(0);
  });

  test("too few mappings: the addresses are not known, and that is said", async () => {
    const guest = new QemuGuest().map([0x1000, 16], false);
    guest.event("virtqueue_pop", VQ, E1, 1, 1).fill(E1);
    const { requests } = await replayLines(guest.lines);
    expect(requests).toMatchObject([{ addressed: false, reads: [], writes: [] }]);
  });

  test("a mapping before another pop is not taken twice", async () => {
    const guest = new QemuGuest();
    guest.map([0x1000, 16], false).event("virtqueue_pop", VQ, E1, 0, 1);
    guest.event("virtqueue_pop", VQ, E2, 0, 1);
    guest.fill(E1).fill(E2);
    const { requests } = await replayLines(guest.lines);
    expect(requests.map(({ addressed }) => addressed)).toEqual([true, false]);
  });

  test("a chain of as many descriptors as a queue has", async () => {
    const guest = new QemuGuest();
    for (let i = 0; i < 3000; i++) guest.map([0x9000000, 1], true);
    const writes = Array.from({ length: 1024 }, (_, i) => [0x100000 + i * 0x2000, 0x1000] as const);
    guest.pop(E1, [], writes).fill(E1, 1024 * 0x1000);
    const { requests } = await replayLines(guest.lines);
    expect(requests[0]!.writes).toHaveLength(1024);
    expect(requests[0]!.writes[1023]).toEqual({ gpa: 0x100000 + 1023 * 0x2000, len: 0x1000 });
  });
});

describe("life of an element", () => {
  test("its address is used again after the fill", async () => {
    const guest = new QemuGuest();
    for (let i = 0; i < 5; i++) guest.pop(E1, [], [[0x1000 * (i + 1), 8]]).fill(E1);
    const { requests } = await replayLines(guest.lines);
    expect(requests.map(({ writes }) => writes[0]!.gpa)).toEqual([
      0x1000, 0x2000, 0x3000, 0x4000, 0x5000,
    ]);
    expect(requests.every(({ state }) => state === "completed")).toBe(true);
  });

  test("popped again without a fill: dropped", async () => {
    const guest = new QemuGuest()
      .pop(E1, [], [[0x1000, 8]])
      .pop(E1, [], [[0x2000, 8]])
      .fill(E1);
    const { requests, result } = await replayLines(guest.lines);
    expect(requests.map(({ state }) => state)).toEqual(["dropped", "completed"]);
    expect(result.devices[0]!.queues[0]).toMatchObject({
      popped: 2,
      completed: 1,
      dropped: 1,
      inFlightAtEnd: 0,
    });
  });

  test("filled without a pop: popped before the recording", async () => {
    const guest = new QemuGuest()
      .fill(E2)
      .pop(E1, [], [[0x1000, 8]])
      .fill(E1);
    const { result } = await replayLines(guest.lines);
    expect(result.devices[0]!.queues[0]).toMatchObject({ unknownHead: 1, completed: 1 });
    expect(result.limits.map(({ code }) => code)).toContain("attached-late");
  });

  test("not filled: in flight at the end", async () => {
    const guest = new QemuGuest().pop(E1, [], [[0x1000, 8]]);
    const { requests, result } = await replayLines(guest.lines);
    expect(requests).toMatchObject([{ state: "in-flight", used: null }]);
    expect(result.written).toBeNull();
  });

  test("thousands in flight, filled in another order", async () => {
    const guest = new QemuGuest();
    const elem = (i: number): bigint => 0x55550000n + BigInt(i) * 64n;
    for (let i = 0; i < 5000; i++) guest.pop(elem(i), [], [[0x1000 * i, 8]]);
    for (let i = 0; i < 5000; i++) guest.fill(elem((i * 7) % 5000));
    const { requests } = await replayLines(guest.lines);
    expect(requests).toHaveLength(5000);
    for (const [i, { writes }] of requests.entries()) {
      expect(writes[0]!.gpa).toBe(0x1000 * ((i * 7) % 5000));
    }
  });
});

describe("what an element is", () => {
  test("queue and device by virtio_queue_notify; LUN, tag, opcode, response, status", async () => {
    const guest = new QemuGuest().notify(4);
    guest.pop(E1, [[0x1000, 51]], [[0x2000, 108]]);
    guest.event("virtio_scsi_cmd_req", 3, 0xdeadbeef, 0x2a);
    guest.event("virtio_scsi_cmd_resp", 3, 0xdeadbeef, 9, 2).fill(E1);
    const { requests, result } = await replayLines(guest.lines);
    expect(requests).toMatchObject([
      { queue: 4, lun: 3, tag: "0xdeadbeef", opcode: "0x2a", response: 9, status: 2 },
    ]);
    expect(result.devices[0]!.driver).toMatch(/scsi/);
  });

  test("an answer with another tag is another element's", async () => {
    const guest = new QemuGuest().pop(E1, [[0x1000, 51]], [[0x2000, 108]]);
    guest.event("virtio_scsi_cmd_req", 0, 1, 0x28);
    guest.event("virtio_scsi_cmd_resp", 0, 2, 0, 0).fill(E1);
    const { requests } = await replayLines(guest.lines);
    expect(requests).toMatchObject([{ tag: "0x1", status: null, response: null }]);
  });

  test("task management has no opcode", async () => {
    const guest = new QemuGuest().notify(0).pop(E1, [[0x1000, 24]], [[0x2000, 1]]);
    guest.event("virtio_scsi_tmf_req", 1, 7, 4).event("virtio_scsi_tmf_resp", 1, 7, 0).fill(E1, 1);
    const { requests } = await replayLines(guest.lines);
    expect(requests).toMatchObject([{ queue: 0, lun: 1, tag: "0x7", opcode: null, response: 0 }]);
  });

  test("blk and net", async () => {
    const net = VDEV + 0x1000n;
    const guest = new QemuGuest().notify(0).event("virtio_blk_handle_read", VDEV, 1n, 8, 8);
    guest
      .pop(
        E1,
        [[0x1000, 16]],
        [
          [0x3000, 4096],
          [0x2000, 1],
        ],
      )
      .fill(E1, 4097);
    guest.notify(0, VQ + 4096n, net);
    guest.pop(E2, [], [[0x5000, 1526]], VQ + 4096n).fill(E2, 90, VQ + 4096n);
    const { requests, result } = await replayLines(guest.lines);
    expect(requests.map(({ device, queue }) => [device, queue])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(result.devices.map(({ driver }) => driver)).toEqual(
      ["virtio-blk", "virtio"].map((d) => expect.stringContaining(d)),
    );
  });

  test("QEMU 7.2 maps without a trace: counts, no addresses, and the event that is missing", async () => {
    const guest = new QemuGuest().read(E1, [0x379e000, 0x8000]);
    const lines = guest.lines.filter(({ name }) => name !== "address_space_map");
    const { requests, result } = await replayLines(lines);
    expect(requests).toMatchObject([{ state: "completed", addressed: false, opcode: "0x28" }]);
    expect(result.limits.map(({ text }) => text).join(" ")).toContain("address_space_map");
  });

  test("used.len is no length of what was written", async () => {
    // A WRITE command reports the bytes it took from the guest as well.
    const guest = new QemuGuest().notify().pop(
      E1,
      [
        [0x1000, 51],
        [0x8000, 512],
      ],
      [[0x2000, 108]],
    );
    const { result } = await replayLines(guest.fill(E1, 620).lines);
    expect(result.devices[0]!.queues[0]!.writeBytes).toBe(108);
  });
});

/** Streams of several threads, with everything that may go wrong. */
const ADDRESSES = fc.constantFrom(0x1000, 0x1800, 0x2ff8, 0x9e000, 0x9f000, 0xa0000, 0x200000);
const LENGTHS = fc.constantFrom(0, 1, 8, 108, 0x1000, 0x2000, 0x3000);
const ELEMENTS = fc.constantFrom(0x10n, 0x20n, 0x30n, 0x40n);

type Step =
  | { step: "map"; gpa: number; len: number; write: boolean }
  | {
      step: "pop";
      elem: bigint;
      reads: number;
      writes: number;
      named: boolean;
      tag: number;
      vq: number;
    }
  | {
      step: "element";
      elem: bigint;
      reads: [number, number][];
      writes: [number, number][];
      named: boolean;
      tag: number;
      vq: number;
    }
  | { step: "fill"; elem: bigint; len: number; answer: number | null };

const buffers = fc.array(fc.tuple(ADDRESSES, LENGTHS), { maxLength: 4 });
const steps: fc.Arbitrary<{ tid: number; step: Step }[]> = fc.array(
  fc.record({
    tid: fc.constantFrom(11, 12, 13),
    step: fc.oneof(
      fc.record({
        step: fc.constant("map" as const),
        gpa: ADDRESSES,
        len: LENGTHS,
        write: fc.boolean(),
      }),
      fc.record({
        step: fc.constant("pop" as const),
        elem: ELEMENTS,
        reads: fc.nat(2),
        writes: fc.nat(2),
        named: fc.boolean(),
        tag: fc.nat(2),
        vq: fc.nat(2),
      }),
      fc.record({
        step: fc.constant("element" as const),
        elem: ELEMENTS,
        reads: buffers,
        writes: buffers,
        named: fc.boolean(),
        tag: fc.nat(2),
        vq: fc.nat(2),
      }),
      fc.record({
        step: fc.constant("fill" as const),
        elem: ELEMENTS,
        len: fc.nat(9000),
        answer: fc.option(fc.nat(2), { nil: null }),
      }),
    ),
  }),
  { maxLength: 50 },
);

function linesOf(stream: readonly { tid: number; step: Step }[]): TraceLine[] {
  const guest = new QemuGuest();
  for (const { tid, step } of stream) {
    guest.on(tid);
    if (step.step === "map")
      guest.event("address_space_map", AS, step.gpa, step.len, step.write ? 1 : 0, 0);
    else if (step.step === "fill") {
      if (step.answer !== null) guest.event("virtio_scsi_cmd_resp", 0, step.answer, 1, 2);
      guest.fill(step.elem, step.len);
    } else {
      const vq = VQ + 168n * BigInt(step.vq);
      if (step.step === "element") guest.pop(step.elem, step.reads, step.writes, vq);
      else guest.event("virtqueue_pop", vq, step.elem, step.writes, step.reads);
      if (step.named) guest.event("virtio_scsi_cmd_req", 5, step.tag, 0x28);
    }
  }
  return guest.lines;
}

const hexOrNull = (value: number | null): string | null =>
  value === null ? null : `0x${value.toString(16)}`;
const ofOracle = (e: OracleElement) => ({
  element: e.element,
  state: e.state,
  addressed: e.addressed,
  reads: e.reads,
  writes: e.writes,
  lun: e.lun,
  tag: hexOrNull(e.tag),
  opcode: hexOrNull(e.opcode),
  response: e.response,
  status: e.status,
  used: e.usedLen,
});
const ofProduct = (r: RequestRecord) => ({
  element: r.element,
  state: r.state,
  addressed: r.addressed,
  reads: r.reads,
  writes: r.writes,
  lun: r.lun,
  tag: r.tag,
  opcode: r.opcode,
  response: r.response,
  status: r.status,
  used: r.used?.len ?? null,
});
/** In flight at the end there is no order. */
const sorted = <T extends { state: string; element: string | null }>(list: T[]): T[] => [
  ...list.filter(({ state }) => state !== "in-flight"),
  ...list
    .filter(({ state }) => state === "in-flight")
    .sort((a, b) => (a.element! < b.element! ? -1 : 1)),
];

/** Logs every write: its set is what was written. */
const everything = async (bytes: Uint8Array | string): Promise<Set<number>> => {
  const pages = new Set<number>();
  await replayAll([memorySource("src", bytes)], {
    policies: [{ policy: findPolicy("spdk-split"), alias: null }],
    window: "assumed",
    onSync: (view) => {
      for (const page of view.pages(0)) pages.add(page);
    },
  });
  return pages;
};

describe("random streams", () => {
  test("the core and a naive twin find the same elements and pages", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (stream) => {
        const lines = linesOf(stream);
        fc.pre(lines.length > 0);
        const text = qemuLog(lines, "tid@time");
        const { requests, result } = await replayBytes(text);
        const oracle = oracleElements(lines);
        expect(
          sorted(requests.filter(({ state }) => state !== "unknown-head").map(ofProduct)),
        ).toEqual(sorted(oracle.elements.map(ofOracle)));
        const queues = result.devices.flatMap(({ queues: own }) => own);
        const sum = (key: "popped" | "completed" | "unknownHead" | "dropped" | "inFlightAtEnd") =>
          queues.reduce((total, queue) => total + queue[key], 0);
        const of = (state: string) => oracle.elements.filter((e) => e.state === state).length;
        expect([
          sum("popped"),
          sum("completed"),
          sum("dropped"),
          sum("inFlightAtEnd"),
          sum("unknownHead"),
        ]).toEqual([
          oracle.elements.length,
          of("completed"),
          of("dropped"),
          of("in-flight"),
          oracle.unknown,
        ]);
        const completed = oracle.elements.filter(({ state }) => state === "completed");
        expect(await everything(text)).toEqual(
          pagesOfBuffers(completed.flatMap(({ writes }) => writes)),
        );
      }),
      { numRuns: RUNS },
    );
  });

  test("one thread: log, ISO log, simpletrace and ftrace are the same", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (stream) => {
        const lines = linesOf(stream.map(({ step }) => ({ tid: 7, step })));
        fc.pre(lines.length > 0);
        const first = (await replayLines(lines)).requests.map(ofProduct);
        for (const bytes of [
          qemuLog(lines, "ISO"),
          simpletrace(lines),
          simpletrace(lines, { bigEndian: true }),
          `# tracer: nop\n${markerText(lines)}`,
        ]) {
          expect((await replayBytes(bytes)).requests.map(ofProduct)).toEqual(first);
        }
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });
});
