import { describe, expect, test } from "vitest";
import { portableCodecs } from "../../src/bytes/codecs.ts";
import type { ByteStream } from "../../src/bytes/source.ts";
import { NeedsRandomAccess } from "../../src/formats/trace-dat/needs-random-access.ts";
import { openTraceDat } from "../../src/formats/trace-dat/open.ts";
import type { TraceDat } from "../../src/formats/trace-dat/trace-dat.ts";
import { RecordingError } from "../../src/model/place.ts";
import { ringPage } from "../support/make-ring-page.ts";
import {
  ByteWriter,
  type DatSpec,
  formatText,
  headerPageText,
  makeTraceDat,
} from "../support/make-trace-dat.ts";
import { memorySource } from "../support/memory-source.ts";

const USED = formatText("used", 1350, [["u64 vq", 8, 8, 0]]);
const PRINT = formatText("print", 5, [["char buf[]", 16, 0, 1]]);
const EVENTS = [
  { system: "ftrace", format: PRINT },
  { system: "vhx", format: USED },
];

function open(bytes: Uint8Array): Promise<TraceDat> {
  const random = memorySource("t.dat", bytes).random!();
  return openTraceDat({ name: "t.dat", stream: null, random }, portableCodecs);
}

function openStream(bytes: Uint8Array, chunk = 7): Promise<TraceDat> {
  const stream = memorySource("t.dat", bytes, chunk).stream();
  return openTraceDat({ name: "t.dat", stream, random: null }, portableCodecs);
}

async function readAll(stream: ByteStream, piece = 1000): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = new Uint8Array(piece);
    const count = await stream.read(part);
    if (count === 0) return new Uint8Array(Buffer.concat(parts));
    parts.push(part.subarray(0, count));
  }
}

/** `count` different pages. */
function pages(count: number, spec: Pick<DatSpec, "bigEndian" | "kernelLong"> = {}, size = 4096) {
  return new Uint8Array(
    Buffer.concat(
      Array.from({ length: count }, (_, page) => {
        const payload = Uint8Array.from({ length: 16 }, (_, i) => page * 16 + i);
        const items = [{ kind: "event", payload } as const];
        return ringPage({ ...spec, subBufferSize: size, timestamp: BigInt(page), items });
      }),
    ),
  );
}

const option = (id: number, data: string | Uint8Array) => ({
  id,
  data: typeof data === "string" ? Buffer.from(data, "latin1") : data,
});
const words = (big: boolean, ...values: [1 | 2 | 4 | 8, number | bigint][]) =>
  values.reduce((out, [size, value]) => out.int(size, value), new ByteWriter(big)).done();

const CONTAINERS: [
  string,
  Pick<DatSpec, "version" | "compression" | "bigEndian" | "kernelLong">,
][] = [];
for (const bigEndian of [false, true]) {
  for (const kernelLong of [8, 4] as const) {
    const name = `${bigEndian ? "big" : "little"} endian, ${kernelLong * 8}-bit`;
    CONTAINERS.push([`version 6, ${name}`, { version: 6, bigEndian, kernelLong }]);
    for (const compression of ["none", "zlib", "zstd"] as const) {
      CONTAINERS.push([
        `version 7 ${compression}, ${name}`,
        { version: 7, compression, bigEndian, kernelLong },
      ]);
    }
  }
}

describe.each(CONTAINERS)("%s", (_, container) => {
  const { version, bigEndian = false, kernelLong = 8 } = container;
  const top = [pages(23, container), pages(1, container)];
  const instance = pages(3, container);
  const spec: DatSpec = {
    ...container,
    events: EVENTS,
    kallsyms: "0000000000001000 T first\n0000000000002000 t vhost_poll_wakeup\t[vhost]\n",
    comms: "199 vhx\n22 kworker/1:0 a b\n",
    options: [
      option(1, "0x10\0"),
      option(2, "CPU: 1\nentries: 0\noverrun: 12\ncommit overrun: 3\ndropped events: 4\n"),
      option(4, "local [mono] boot\0"),
      option(5, "Linux host 6.1.0 x86_64\0"),
      option(7, "-250\0"),
      option(8, words(bigEndian, [4, 2])),
      option(9, "3.1.6\0"),
      option(11, words(bigEndian, [8, 0x131df34c70dc1210n])),
      option(14, words(bigEndian, [4, 1000], [4, 10], [8, 77n])),
      option(99, "from the future"),
    ],
    buffers: [
      { name: "", cpus: top.map((data, cpu) => ({ cpu, data })) },
      { name: "inst", clock: "mono", cpus: [{ cpu: 1, data: instance }] },
    ],
  };

  test("what was written is read", async () => {
    const dat = await open(makeTraceDat(spec));
    expect(dat).toMatchObject({
      version,
      bigEndian,
      userLongSize: 8,
      pageSize: 4096,
      headerPage: {
        commitSize: kernelLong,
        dataOffset: 8 + kernelLong,
        dataSize: 4088 - kernelLong,
      },
      compression: version === 6 ? "uncompressed" : container.compression,
      uname: "Linux host 6.1.0 x86_64",
      traceCmdVersion: "3.1.6",
      clock: "mono",
      // DATE is in microseconds.
      dateOffsetNs: 16_000n,
      offsetNs: -250n,
      traceId: 0x131df34c70dc1210n,
      tsc2nsec: { mult: 1000, shift: 10, offset: 77n },
      cpuStats: [{ buffer: "", cpu: 1, overrun: 12, droppedEvents: 4, commitOverrun: 3 }],
      notes: ["unknown option 99 is skipped"],
      latencyText: null,
    });
    expect(dat.events.map(({ system, name, id }) => `${system}:${name}=${id}`)).toEqual([
      "ftrace:print=5",
      "vhx:used=1350",
    ]);
    expect([...dat.comms]).toEqual([
      [199, "vhx"],
      [22, "kworker/1:0 a b"],
    ]);
    expect(await dat.symbolOf(0x2004n)).toBe("vhost_poll_wakeup");
  });

  test("every CPU of every buffer gives its pages, whatever the size of a read", async () => {
    const dat = await open(makeTraceDat(spec));
    expect(dat.buffers.map(({ name, clock }) => [name, clock])).toEqual([
      ["", "mono"],
      ["inst", "mono"],
    ]);
    for (const piece of [61, 4095, 100_000]) {
      expect(await readAll(dat.buffers[0]!.cpus[0]!.open(), piece)).toEqual(top[0]);
    }
    expect(await readAll(dat.buffers[0]!.cpus[1]!.open())).toEqual(top[1]);
    const cpu1 = dat.buffers[1]!.cpus.find(({ cpu }) => cpu === 1)!;
    expect(await readAll(cpu1.open())).toEqual(instance);
  });
});

describe("a stream", () => {
  const one: DatSpec = {
    version: 6,
    events: EVENTS,
    kallsyms: "0000000000002000 t f\n",
    buffers: [{ name: "", cpus: [{ cpu: 1, data: pages(2) }] }],
  };

  test("of version 6 with one CPU's data is read as it comes", async () => {
    const dat = await openStream(makeTraceDat(one));
    expect(dat.buffers[0]!.cpus.map(({ cpu, bytes }) => [cpu, bytes])).toEqual([
      [0, 0],
      [1, 8192],
    ]);
    expect(await dat.symbolOf(0x2000n)).toBe("f");
    expect(await readAll(dat.buffers[0]!.cpus[1]!.open())).toEqual(pages(2));
    expect(() => dat.buffers[0]!.cpus[1]!.open()).toThrow(NeedsRandomAccess);
  });

  test("of version 6 that ends inside a CPU's data is refused where it ends", async () => {
    const bytes = makeTraceDat(one);
    const dat = await openStream(bytes.subarray(0, bytes.length - 100));
    await expect(readAll(dat.buffers[0]!.cpus[1]!.open())).rejects.toThrow(
      `t.dat@0x${(bytes.length - 100).toString(16)}: expected 100 more bytes of data of CPU 1`,
    );
  });

  test("of version 6 with two CPUs, and of version 7, asks for random access", async () => {
    const cpus = [0, 1].map((cpu) => ({ cpu, data: pages(1) }));
    const two = makeTraceDat({ version: 6, buffers: [{ name: "", cpus }] });
    await expect(openStream(two)).rejects.toBeInstanceOf(NeedsRandomAccess);
    // The version is all that it takes.
    const seven = makeTraceDat({ version: 7 }).subarray(0, 12);
    await expect(openStream(seven)).rejects.toBeInstanceOf(NeedsRandomAccess);
  });
});

describe("buffers", () => {
  test("a sub-buffer larger than a page is read from version 7's option", async () => {
    const data = pages(3, {}, 65536);
    const buffers = [{ name: "", subBufferSize: 65536, cpus: [{ cpu: 0, data }] }];
    const dat = await open(makeTraceDat({ version: 7, compression: "zlib", buffers }));
    expect(dat.buffers[0]!.subBufferSize).toBe(65536);
    expect(await readAll(dat.buffers[0]!.cpus[0]!.open())).toEqual(data);
  });

  test("a sub-buffer larger than a page is read from version 6's header_page", async () => {
    const headerPage = headerPageText(65536);
    const buffers = [{ name: "", cpus: [{ cpu: 0, data: pages(1, {}, 65536) }] }];
    const dat = await open(makeTraceDat({ version: 6, headerPage, buffers }));
    expect(dat.buffers[0]!.subBufferSize).toBe(65536);
  });

  test("CPUs that are absent or have no data give none", async () => {
    const cpus = [{ cpu: 3, data: new Uint8Array(0) }];
    const dat = await open(
      makeTraceDat({ version: 7, compression: "zstd", buffers: [{ name: "", cpus }] }),
    );
    expect(dat.buffers[0]!.cpus.map(({ cpu }) => cpu)).toEqual([3]);
    expect(await readAll(dat.buffers[0]!.cpus[0]!.open())).toHaveLength(0);
  });

  test("data that end inside a page are said", async () => {
    const cpus = [{ cpu: 2, data: pages(1).subarray(0, 4000) }];
    const dat = await open(makeTraceDat({ version: 7, buffers: [{ name: "i", cpus }] }));
    expect(dat.notes).toEqual(["the data of CPU 2 of buffer i end inside a page"]);
  });

  test("statistics after a buffer's name belong to that buffer", async () => {
    const options = [
      option(2, "CPU: 0\noverrun: 1\n"),
      option(2, "Buffer: i\n\n"),
      option(2, "CPU: 0\noverrun: 2\n"),
    ];
    const dat = await open(makeTraceDat({ version: 7, options }));
    expect(dat.cpuStats.map(({ buffer, overrun }) => [buffer, overrun])).toEqual([
      ["", 1],
      ["i", 2],
    ]);
  });
});

test.each([
  ["version 6", { version: 6 } as DatSpec],
  ["version 7", { version: 7 } as DatSpec],
  ["version 7 zlib", { version: 7, compression: "zlib" } as DatSpec],
])("the text of a latency tracer is handed on: %s", async (_, spec) => {
  const dat = await open(makeTraceDat({ ...spec, latencyText: "# tracer: irqsoff\n" }));
  expect(Buffer.from(await readAll(dat.latencyText!())).toString()).toBe("# tracer: irqsoff\n");
  expect(dat.notes).toEqual(["the recording is the text of a latency tracer"]);
});

test("an instance recorded alone has the clock of TRACECLOCK, one beside the top level its own", async () => {
  // What trace-cmd 3.1.6 writes for `record -B inst -C mono` beside a top level on clock local.
  const options = [option(4, "local global [mono] boot\0")];
  const instance = { name: "inst", clock: "local", cpus: [{ cpu: 0, data: pages(2) }] };
  const clocks = async (cpus: { cpu: number; data: Uint8Array }[]) => {
    const buffers = [{ name: "", clock: "local", cpus }, instance];
    const dat = await open(makeTraceDat({ version: 7, options, buffers }));
    return dat.buffers.map(({ clock }) => clock);
  };
  expect(await clocks([])).toEqual(["local", "mono"]);
  expect(await clocks([{ cpu: 0, data: pages(1) }])).toEqual(["local", "local"]);
});

test("option TRACECLOCK of version 6 without data: the clock behind the table of CPUs, and no remark", async () => {
  const dat = await open(
    makeTraceDat({
      version: 6,
      events: EVENTS,
      options: [{ id: 4, data: new Uint8Array(0) }],
      buffers: [{ name: "", cpus: [{ cpu: 0, data: pages(1) }] }],
    }),
  );
  expect(dat.buffers.map(({ clock }) => clock)).toEqual(["mono"]);
  expect(dat.notes).toEqual([]);
});

test("a shift to a peer's clock is named and not applied", async () => {
  const options = [option(12, words(false, [8, 5n], [4, 1], [4, 2]))];
  const dat = await open(makeTraceDat({ version: 7, options }));
  expect(dat.timeShift).toEqual({ peerTraceId: 5n, cpus: 2 });
  expect(dat.notes.join()).toContain("TIME_SHIFT is not applied");
});

describe("symbols", () => {
  const kallsyms = [
    "ffffffffc0671c40 t vhost_poll_wakeup\t[vhost]",
    "ffffffffaf000000 T _text",
    "ffffffffc0671d00 d vhost_table\t[vhost]",
    "ffffffffaf001000 D alias_data",
    "ffffffffaf001000 T alias_function",
    "0000000000000000 A fixed_percpu_data",
  ].join("\n");
  const lookup = async (address: bigint) =>
    (await open(makeTraceDat({ version: 6, kallsyms }))).symbolOf(address);

  test("an address is in the function that begins at or before it", async () => {
    expect(await lookup(0xffffffffc0671c40n)).toBe("vhost_poll_wakeup");
    expect(await lookup(0xffffffffc0671c4fn)).toBe("vhost_poll_wakeup");
    expect(await lookup(0xffffffffaf000fffn)).toBe("_text");
    expect(await lookup(0xffffffffaf001000n)).toBe("alias_function");
  });

  test("an address in data, or before all symbols, is in no function", async () => {
    expect(await lookup(0xffffffffc0671d08n)).toBeNull();
    expect(await lookup(0x1000n)).toBeNull();
  });

  test("addresses that the kernel hid name nothing", async () => {
    const hidden = "0000000000000000 T _text\n0000000000000000 t f\n";
    const dat = await open(makeTraceDat({ version: 7, compression: "zstd", kallsyms: hidden }));
    expect(await dat.symbolOf(0xffffffffaf000000n)).toBeNull();
  });
});

test("an error says where in the file, what was expected and what was found", async () => {
  const bytes = makeTraceDat({ version: 6 });
  bytes[10] = 0x38;
  const error = await open(bytes).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(RecordingError);
  expect(String(error)).toContain('t.dat@0xa: expected trace.dat version 6 or 7, found "8"');
});
