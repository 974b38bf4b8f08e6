import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unwrap } from "../../src/bytes/decompress.ts";
import type { Damage } from "../../src/bytes/past-damage.ts";
import { utf16Mark } from "../../src/bytes/signatures.ts";
import type { Source } from "../../src/bytes/source.ts";
import { startZstddec } from "../../src/bytes/start-zstddec.ts";
import { asUtf8 } from "../../src/bytes/text-encoding.ts";
import { RecordingError } from "../../src/model/place.ts";
import { memorySource } from "../support/memory-source.ts";

const LINE = "      vhost-4241-4250    [001] .....    25.47914";
const EVENT = ": pop: (vhost_scsi_get_req+0x1/0x2 <- x) head=0x";
const TEXT = `# tracer: nop\n#\n${[1, 2, 3].map((i) => `${LINE}${i - 1}${EVENT}${i}\n`).join("")}`;

// TEXT through `zstd --check` 1.5.4 and `xz` 5.4.1.
const ZSTD = Buffer.from(
  "KLUv/WQ5AJ0DABJGFhtga3WDcsd3ESX/cQIAzKiqutRSEnmihx10Ha5nsKsa86BYujkgPhm+MQUaM+Bot2AvFuMxbyFXjbWrZC0QOFE2eUIzEaksJ+XlBB9rHj/oNNa4cs0sDh4FCQCBSATRBRGjZgjSqgaZa3Fr2Fy1AMDCsmh2",
  "base64",
);
const XZ = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AE4AHFdABGICweBYTlySP4E339KXpntfBoKfQu6XK9ORHOyrow/mChbCmwkktN6C0ISrNFjA8WPxB49j8rzilZ4fPaMQbvKY0cJ+Y6E9xl7HoLgsz3sP+n1eSY0Pkn3QW3F4mkU8M1iIQavXYOGBUr0/9MEDCvgAAAAAC5YXhocXlVGAAGNAbkCAAAVL+U/scRn+wIAAAAABFla",
  "base64",
);
const GZIP = gzipSync(TEXT);
const FORMATS: [string, Buffer][] = [
  ["gzip", GZIP],
  ["zstd", ZSTD],
  ["xz", XZ],
];

/** Everything a source has inside, read `piece` bytes at a time, as latin1. */
async function contentOf(source: Source, piece = 4096): Promise<string> {
  const stream = (await unwrap(source)).stream();
  const into = new Uint8Array(piece);
  let content = "";
  for (;;) {
    const count = await stream.read(into);
    if (count === 0) break;
    content += Buffer.from(into.subarray(0, count)).toString("latin1");
  }
  stream.close();
  return content;
}

/** What `lines` gives of a source with damage, zeros as one #, and the damage. */
async function linesOf(source: Source): Promise<{ text: string; damage: Damage[] }> {
  const damage: Damage[] = [];
  const stream = (await unwrap(source, (met) => damage.push(met))).lines();
  const into = new Uint8Array(1000);
  let text = "";
  for (let n = await stream.read(into); n > 0; n = await stream.read(into)) {
    text += Buffer.from(into.subarray(0, n)).toString("latin1");
  }
  return { text: text.replaceAll(/\0+/g, "#"), damage };
}

async function failureOf(bytes: Uint8Array): Promise<unknown> {
  return contentOf(memorySource("file", bytes)).then(
    () => null,
    (error) => error,
  );
}

describe.each(FORMATS)("%s", (format, bytes) => {
  test.each([1, 7, 4096])("gives the content whatever the size of the reads (%d)", async (size) => {
    expect(await contentOf(memorySource("file", bytes, size), size)).toBe(TEXT);
  });

  test("is named, and what is inside is found from its bytes", async () => {
    const { compression, head, random } = await unwrap(memorySource("file", bytes));
    expect(compression).toEqual([format]);
    expect(head.lines).toEqual(TEXT.split("\n").filter((line) => line !== ""));
    expect(random()).toBeNull();
  });

  test("is one stream when files were put after each other", async () => {
    const both = Buffer.concat([bytes, bytes]);
    expect(await contentOf(memorySource("file", both))).toBe(TEXT + TEXT);
    expect(await contentOf(memorySource("file", both, 1))).toBe(TEXT + TEXT);
  });

  test("that is cut off anywhere is refused with a place", async () => {
    for (let length = 6; length < bytes.length; length++) {
      const error = await failureOf(bytes.subarray(0, length));
      expect(error, `cut at ${length}`).toBeInstanceOf(RecordingError);
      expect((error as RecordingError).place.at).toMatch(/^@0x/);
    }
  });

  test("with any byte damaged is refused, or gives the same content", async () => {
    for (let at = 6; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      const content = await contentOf(memorySource("file", damaged)).catch((error) => error);
      // Of gzip's header, the time and the operating system say nothing about the content.
      if (typeof content === "string") expect(content, `damaged at ${at}`).toBe(TEXT);
      else expect(content, `damaged at ${at}`).toBeInstanceOf(RecordingError);
    }
  });

  test("with damage in one of several goes on behind it, where it is lines", async () => {
    // Its last lines are damaged, or all of it; where it is read, the next member is read from a new line on.
    for (let at = Math.floor(bytes.length / 2); at < bytes.length; at += 5) {
      const middle = Buffer.from(bytes);
      middle[at]! ^= 0x55;
      const source = memorySource("file", Buffer.concat([bytes, middle, bytes]));
      const stdin: Source = { name: "pipe", size: undefined, stream: source.stream };
      for (const { text, damage } of [await linesOf(source), await linesOf(stdin)]) {
        expect(text.startsWith(TEXT), `${at}`).toBe(true);
        if (damage.length === 0) expect(text, `${at}`).toBe(TEXT + TEXT + TEXT);
        else {
          expect(
            damage.map(({ passed }) => passed),
            `${at}`,
          ).toEqual(damage.map(() => true));
          expect(text.endsWith(TEXT.slice(TEXT.indexOf("\n"))), `${at}`).toBe(true);
          expect(text.match(/#/g)?.length, `${at}`).toBeGreaterThan(0);
        }
        expect(damage.length, `${at}`).toBeLessThan(4);
      }
    }
  });

  test("of which only the beginning is there, also twice, comes to an end", async () => {
    for (let length = 6; length < Math.min(40, bytes.length); length++) {
      const cut = bytes.subarray(0, length);
      for (const file of [cut, Buffer.concat([cut, cut])]) {
        const outcome = await linesOf(memorySource("file", file)).catch((error) => error);
        if (outcome instanceof Error) expect(outcome, `${length}`).toBeInstanceOf(RecordingError);
        else expect(outcome.damage, `${length}`).not.toEqual([]);
      }
    }
  });

  test("with damage in the first of several is read from the next one on", async () => {
    const first = Buffer.from(bytes);
    first.fill(0xff, 30, 40);
    const { text, damage } = await linesOf(
      memorySource("file", Buffer.concat([first, bytes, bytes])),
    );
    expect(damage).toHaveLength(1);
    expect(damage[0]).toMatchObject({ passed: true });
    expect(text.endsWith(TEXT.slice(TEXT.indexOf("\n") + 1) + TEXT)).toBe(true);
  });

  test("with other bytes behind it is refused", async () => {
    const error = await failureOf(Buffer.concat([bytes, Buffer.from("and more")]));
    expect(error).toBeInstanceOf(RecordingError);
  });
});

test("a gzip file that is cut off does not go on at one that is inside of it", async () => {
  const outer = gzipSync(Buffer.concat([Buffer.from(TEXT), GZIP]), { level: 0 });
  const cut = outer.subarray(0, outer.length - 4);
  for (const chunk of [Number.POSITIVE_INFINITY, 100]) {
    const { text, damage } = await linesOf(memorySource("file", cut, chunk));
    expect(text.split("# tracer: nop")).toHaveLength(2);
    expect(damage).toMatchObject([{ passed: false }]);
  }
});

test("compressions are taken off up to four deep", async () => {
  let bytes = GZIP;
  for (let i = 0; i < 3; i++) bytes = gzipSync(bytes);
  expect(await contentOf(memorySource("file", bytes))).toBe(TEXT);
  expect(await failureOf(gzipSync(bytes))).toMatchObject({
    expected: "at most 4 layers of compression",
  });
});

test("two xz inputs can be read in turn", async () => {
  const streams = [
    (await unwrap(memorySource("a", XZ))).stream(),
    (await unwrap(memorySource("b", XZ))).stream(),
  ];
  const into = new Uint8Array(10);
  for (const stream of streams) expect(await stream.read(into)).toBe(10);
  for (const stream of streams) stream.close();
});

test("a skippable zstd frame is left out", async () => {
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  expect(await contentOf(memorySource("file", Buffer.concat([skippable, ZSTD, skippable])))).toBe(
    TEXT,
  );
});

test("a zstd window above 128 MiB is refused before anything is allocated for it", async () => {
  // Window descriptor 0x90: exponent 18, 2^28 bytes (RFC 8878 3.1.1.1.2); then an empty last block.
  const bytes = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 1, 0, 0]);
  expect(await failureOf(bytes)).toMatchObject({
    expected: "a zstd window of at most 128 MiB",
    found: `${2 ** 28} bytes`,
  });
});

test("an xz dictionary above 128 MiB is refused before anything is allocated for it", async () => {
  const bytes = Buffer.from(XZ);
  // Block header behind the 12 bytes of the stream header: size, flags, filter 0x21, 1 byte: 4 GiB - 1.
  const at = bytes.indexOf(Buffer.from([0x21, 0x01]), 12) + 2;
  bytes[at] = 38;
  expect(await failureOf(bytes)).toMatchObject({
    expected: "an xz dictionary of at most 128 MiB",
    found: `${2 ** 31} bytes`,
  });
});

test("a small file that grows a thousandfold is read piece by piece", async () => {
  const bytes = gzipSync(Buffer.alloc(8 << 20));
  const stream = (await unwrap(memorySource("file", bytes))).stream();
  const into = new Uint8Array(1000);
  expect(await stream.read(into)).toBe(1000);
  stream.close();
});

test("a source that is not compressed can be read by offset, and from its first byte", async () => {
  const source = memorySource("file", TEXT);
  expect(await contentOf(source)).toBe(TEXT);
  const into = new Uint8Array(6);
  const random = (await unwrap(source)).random();
  expect(await random?.readAt(into, 2)).toBe(6);
  expect(Buffer.from(into).toString()).toBe("tracer");
});

describe("UTF-16", () => {
  const little = Buffer.from(`\ufeff${TEXT}é`, "utf16le");
  test.each([
    ["utf16le", little],
    ["utf16be", Buffer.from(little).swap16()],
  ] as const)("%s becomes UTF-8 without its mark, in reads of any size", async (format, bytes) => {
    for (const size of [1, 7, 4096]) {
      const unwrapped = await unwrap(memorySource("file", bytes, size));
      expect(utf16Mark(unwrapped.head)).toBe(format);
      const stream = asUtf8(unwrapped.stream(), format);
      const into = new Uint8Array(size);
      const parts: Buffer[] = [];
      for (let n = await stream.read(into); n > 0; n = await stream.read(into)) {
        parts.push(Buffer.from(into.subarray(0, n)));
      }
      expect(Buffer.concat(parts).toString()).toBe(`${TEXT}é`);
    }
  });
});

describe("a decoder that would fetch its own code", () => {
  test("starts without fetch where it can, and leaves fetch as it was", async () => {
    const before = globalThis.fetch;
    let seen: unknown = before;
    const decoder = {
      async init(): Promise<void> {
        seen = globalThis.fetch;
      },
    };
    await startZstddec(decoder);
    expect(seen).toBeUndefined();
    expect(globalThis.fetch).toBe(before);
  });

  test("leaves fetch as it was when it fails", () => {
    const before = globalThis.fetch;
    const decoder = {
      init(): Promise<void> {
        throw new Error("no memory");
      },
    };
    expect(() => startZstddec(decoder)).toThrow("no memory");
    expect(globalThis.fetch).toBe(before);
  });
  test("decodes base64 itself where there is no Buffer, as in a browser", async () => {
    const surroundings = globalThis as { Buffer?: unknown };
    const before = surroundings.Buffer;
    let bytes: Uint8Array | undefined;
    try {
      surroundings.Buffer = undefined;
      await startZstddec({
        async init() {
          bytes = (globalThis as { Buffer: typeof Buffer }).Buffer.from("AGFzbf8=", "base64");
        },
      });
      expect(surroundings.Buffer).toBeUndefined();
    } finally {
      surroundings.Buffer = before;
    }
    expect([...bytes!]).toEqual([0, 0x61, 0x73, 0x6d, 0xff]);
  });
});
