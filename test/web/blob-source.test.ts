import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readFully } from "../../src/bytes/source.ts";
import { findPolicy } from "../../src/index.ts";
import { blobRandom, blobSource, webSurroundings } from "../../src/web/blob-source.ts";
import { coreModule, memorySource, replayOne } from "../support/memory-source.ts";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);

test("a Blob streams from its beginning each time", async () => {
  const source = blobSource("a", new Blob([BYTES.subarray(0, 300), BYTES.subarray(300)]));
  for (let i = 0; i < 2; i++) {
    const into = new Uint8Array(1001);
    const stream = source.stream();
    expect(await readFully(stream, into)).toBe(1000);
    stream.close();
    expect(into.subarray(0, 1000)).toEqual(BYTES);
  }
});

test("access by offset gives the bytes of the Blob, whatever the order and the blocks", async () => {
  const reads = fc.array(fc.tuple(fc.nat(1100), fc.nat(400)), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(reads, fc.integer({ min: 1, max: 300 }), async (asked, block) => {
      const random = blobRandom("a", new Blob([BYTES]), block, 3);
      for (const [offset, length] of asked) {
        const into = new Uint8Array(length);
        const n = await random.readAt(into, offset);
        expect(n).toBe(Math.max(0, Math.min(length, 1000 - offset)));
        expect(into.subarray(0, n)).toEqual(BYTES.subarray(offset, offset + n));
      }
    }),
    { numRuns: 50 },
  );
});

test("a block is read once while it is in use, and the one that was used least goes first", async () => {
  const blob = new Blob([BYTES]);
  const read: number[] = [];
  const slice = blob.slice.bind(blob);
  blob.slice = (from, to) => {
    read.push(from! / 100);
    return slice(from, to);
  };
  const random = blobRandom("a", blob, 100, 2);
  const into = new Uint8Array(10);
  for (const block of [0, 1, 0, 2, 0, 1]) await random.readAt(into, block * 100);
  expect(read).toEqual([0, 1, 2, 1]);
});

test("a file that went away is named", async () => {
  const blob = new Blob([BYTES]);
  const gone = () => Promise.reject(new Error("The file could not be read"));
  blob.slice = () => ({ arrayBuffer: gone }) as unknown as Blob;
  await expect(blobRandom("a.dat", blob).readAt(new Uint8Array(1), 0)).rejects.toThrow(
    "a.dat: expected a readable file, found The file could not be read",
  );
});

test("what is spooled is read by offset", async () => {
  const stream = memorySource("a", BYTES, 13).stream();
  const random = await webSurroundings().spool("a", stream, "");
  const into = new Uint8Array(20);
  expect([random.size, await random.readAt(into, 990)]).toEqual([1000, 10]);
  expect(into.subarray(0, 10)).toEqual(BYTES.subarray(990));
});

test("a recording as a File gives the result that it gives as a file", async () => {
  const path = join(
    import.meta.dirname,
    "../../traces/vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz",
  );
  const source = blobSource("trace.txt.gz", new Blob([readFileSync(path)]));
  const result = await replayOne(
    { sources: [source], surroundings: webSurroundings(), module: await coreModule() },
    { policies: [{ policy: findPolicy("unpatched"), alias: null }], window: "auto" },
  );
  expect(result.policies[0]!.lost).toBe(10);
});
