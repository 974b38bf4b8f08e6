/**
 * Damaged containers: what comes out is a recording, RecordingError or NeedsRandomAccess, in
 * bounded time and memory.
 */
import { describe, expect, test } from "vitest";
import { portableCodecs } from "../../src/bytes/codecs.ts";
import type { RandomAccess } from "../../src/bytes/source.ts";
import { NeedsRandomAccess } from "../../src/formats/trace-dat/needs-random-access.ts";
import { openTraceDat } from "../../src/formats/trace-dat/open.ts";
import type { CpuData } from "../../src/formats/trace-dat/trace-dat.ts";
import { RecordingError } from "../../src/model/place.ts";
import { ringPage } from "../support/make-ring-page.ts";
import { ByteWriter, type DatSpec, formatText, makeTraceDat } from "../support/make-trace-dat.ts";
import { memorySource } from "../support/memory-source.ts";

const PAGE = ringPage({
  timestamp: 1n,
  items: [{ kind: "event", payload: Uint8Array.of(1, 2, 3, 4) }],
  subBufferSize: 1024,
});
const SMALL: DatSpec = {
  version: 7,
  pageSize: 1024,
  events: [{ system: "vhx", format: formatText("used", 1350, [["u64 vq", 8, 8, 0]]) }],
  kallsyms: "0000000000002000 t f\n",
  comms: "1 a\n",
  options: [{ id: 4, data: Buffer.from("[mono]") }],
  buffers: [
    { name: "", cpus: [{ cpu: 0, data: PAGE }] },
    { name: "i", cpus: [{ cpu: 0, data: PAGE }] },
  ],
};
const VARIANTS: [string, DatSpec][] = [
  ["version 6", { ...SMALL, version: 6 }],
  ["version 7", SMALL],
  ["version 7 zlib", { ...SMALL, compression: "zlib" }],
  ["version 7 zstd", { ...SMALL, compression: "zstd" }],
];

/** Opens and reads everything; the number of bytes of pages, or the error that may be. */
async function outcome(
  bytes: Uint8Array,
  streamed = false,
): Promise<number | RecordingError | NeedsRandomAccess> {
  const source = memorySource("t.dat", bytes);
  const stream = streamed ? source.stream() : null;
  const random = streamed ? null : source.random!();
  try {
    const dat = await openTraceDat({ name: "t.dat", stream, random }, portableCodecs);
    let total = 0;
    for (const cpu of dat.buffers.flatMap(({ cpus }) => cpus)) {
      const pages = cpu.open();
      const into = new Uint8Array(4096);
      for (let got = await pages.read(into); got > 0; got = await pages.read(into)) total += got;
    }
    await dat.symbolOf(0x2000n);
    return total;
  } catch (error) {
    if (error instanceof NeedsRandomAccess) return error;
    if (!(error instanceof RecordingError)) throw error;
    expect(error.message).toMatch(/^t\.dat@0x[0-9a-f]+(\+0x[0-9a-f]+)?: expected [^\n]+$/);
    return error;
  }
}

/** Why it is refused, or why its index is not read as a whole. */
async function messageOf(bytes: Uint8Array): Promise<string> {
  const found = await outcome(bytes);
  if (typeof found !== "number") return String(found);
  const random = memorySource("t.dat", bytes).random!();
  const dat = await openTraceDat({ name: "t.dat", stream: null, random }, portableCodecs);
  return `${found} bytes: ${dat.broken?.message}`;
}

describe.each(VARIANTS)("%s", (_, spec) => {
  const bytes = makeTraceDat(spec);
  const total = PAGE.length * 2;

  test("whole, gives all pages", async () => {
    expect(await outcome(bytes)).toBe(total);
  });

  test("cut off after every byte, never gives more than was there", async () => {
    for (let end = 0; end < bytes.length; end++) {
      const found = await outcome(bytes.subarray(0, end));
      if (typeof found === "number") expect(found).toBeLessThanOrEqual(total);
      const streamed = await outcome(bytes.subarray(0, end), true);
      expect(streamed).toBeInstanceOf(Error);
    }
  });

  test("with each byte set to 0, 255 and a bit away", async () => {
    for (let at = 0; at < bytes.length; at += at < 64 ? 1 : 3) {
      for (const value of [0, 255, bytes[at]! ^ 0x10]) {
        const damaged = bytes.slice();
        damaged[at] = value;
        await outcome(damaged);
      }
    }
  });
});

describe("is refused with its reason, or read without its index:", () => {
  const withCpu = (cpu: { offset?: bigint; size?: bigint }, version: 6 | 7 = 7) =>
    makeTraceDat({
      ...SMALL,
      version,
      buffers: [{ name: "", cpus: [{ cpu: 0, data: PAGE, ...cpu }] }],
    });

  test.each([6, 7] as const)("the offset of CPU data above 2^53 (version %i)", async (version) => {
    expect(await messageOf(withCpu({ offset: (1n << 64n) - 1n }, version))).toContain("below 2^53");
  });

  test.each([6, 7] as const)(
    "no CPU data, but what of them is there is read (version %i)",
    async (version) => {
      const cpuOf = async (bytes: Uint8Array): Promise<object> => {
        const random = memorySource("t.dat", bytes).random!();
        const dat = await openTraceDat({ name: "t.dat", stream: null, random }, portableCodecs);
        return dat.buffers[0]!.cpus[0]!;
      };
      expect(await cpuOf(withCpu({ offset: 1n << 40n }, version))).toMatchObject({
        bytes: 0,
        missing: 1024,
      });
      const { bytes, missing } = (await cpuOf(withCpu({ size: 1n << 40n }, version))) as CpuData;
      expect(bytes).toBeGreaterThanOrEqual(1024);
      expect(bytes + missing).toBe(2 ** 40);
    },
  );

  test("options sections in a circle", async () => {
    const end = makeTraceDat(SMALL);
    const first = new DataView(end.buffer).getBigUint64(18 + 5 + 6, true);
    const circle = makeTraceDat({ ...SMALL, nextOptions: first });
    expect(await messageOf(circle)).toContain("expected options sections in a chain");
  });

  test("a CPU that stands twice in a buffer", async () => {
    const cpus = [0, 0].map((cpu) => ({ cpu, data: PAGE }));
    const twice = makeTraceDat({ ...SMALL, buffers: [{ name: "", cpus }] });
    expect(await messageOf(twice)).toContain("each CPU once");
  });

  test("a page size that cannot be", async () => {
    for (const [size, words] of [
      [8, "a ring-buffer page of"],
      [1 << 30, "a ring-buffer page of"],
    ] as const) {
      const cpus = [{ cpu: 0, data: PAGE }];
      const bytes = makeTraceDat({ ...SMALL, buffers: [{ name: "", subBufferSize: size, cpus }] });
      expect(await messageOf(bytes)).toContain(words);
    }
    const bytes = makeTraceDat(SMALL);
    bytes.set([0, 0, 0, 0], 14);
    expect(await messageOf(bytes)).toContain("t.dat@0xe: expected a page size");
  });

  test("a compression nobody knows", async () => {
    const bytes = makeTraceDat({ ...SMALL, compression: "zstd" });
    bytes.set(Buffer.from("lzma"), 18);
    expect(await messageOf(bytes)).toContain('compression zstd or zlib, found "lzma"');
  });

  test.each(["zlib", "zstd"] as const)(
    "%s data that are not as long as stated",
    async (compression) => {
      const bytes = makeTraceDat({ ...SMALL, compression });
      const sizeAt = chunkAt(bytes) + 8;
      for (const size of [1023, 1025, 0]) {
        const lied = bytes.slice();
        new DataView(lied.buffer).setUint32(sizeAt, size, true);
        expect(await outcome(lied), `${size}`).not.toBe(PAGE.length * 2);
      }
      const huge = bytes.slice();
      new DataView(huge.buffer).setUint32(sizeAt, 0xffffffff, true);
      expect(await messageOf(huge)).toContain("expected at most 67108864 bytes uncompressed");
    },
  );

  test("more CPUs than can be, before any is made room for", async () => {
    const option = new ByteWriter(false)
      .int(8, 18)
      .text("\0mono\0")
      .int(4, 4096)
      .int(4, 0xffffffff);
    const bytes = makeTraceDat({ ...SMALL, options: [{ id: 3, data: option.done() }] });
    expect(await messageOf(bytes)).toContain("at most 65536 CPUs");
  });
});

test("a damaged chunk is an error after the good chunks, and again when reading goes on", async () => {
  const data = new Uint8Array(Buffer.concat([PAGE, PAGE, PAGE]));
  const cpus = [{ cpu: 0, data }];
  const spec: DatSpec = { ...SMALL, compression: "zstd", chunkBytes: 1024 };
  const bytes = makeTraceDat({ ...spec, buffers: [{ name: "", cpus }] });
  const first = chunkAt(bytes);
  const second = first + 4 + 8 + new DataView(bytes.buffer).getUint32(first + 4, true);
  bytes.fill(0xff, second + 8, second + 16);
  const random = memorySource("t.dat", bytes).random!();
  const dat = await openTraceDat({ name: "t.dat", stream: null, random }, portableCodecs);
  const pages = dat.buffers[0]!.cpus[0]!.open();
  expect(await pages.read(new Uint8Array(5000))).toBe(1024);
  await expect((async () => pages.read(new Uint8Array(5000)))()).rejects.toBeInstanceOf(
    RecordingError,
  );
  await expect((async () => pages.read(new Uint8Array(5000)))()).rejects.toBeInstanceOf(
    RecordingError,
  );
});

test("a file that shrinks while it is read is an error, not an early end", async () => {
  const bytes = makeTraceDat(SMALL);
  let size = bytes.length;
  const whole = memorySource("t.dat", bytes).random!();
  const random: RandomAccess = {
    size,
    readAt: (into, offset) =>
      whole.readAt(into.subarray(0, Math.max(0, Math.min(into.length, size - offset))), offset),
    close() {},
  };
  const dat = await openTraceDat({ name: "t.dat", stream: null, random }, portableCodecs);
  size = 100;
  const pages = dat.buffers[0]!.cpus[0]!.open();
  await expect((async () => pages.read(new Uint8Array(1024)))()).rejects.toThrow("1024 more bytes");
});

/** Where the number of chunks of the first CPU stands: the data are on a 1024-byte boundary. */
function chunkAt(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 1024; at < bytes.length; at += 1024) {
    const uncompressed = view.getUint32(at + 8, true);
    if (uncompressed === 1024 && view.getUint32(at, true) <= 3) return at;
  }
  throw new Error("no chunk");
}
