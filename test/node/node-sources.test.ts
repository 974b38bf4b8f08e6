import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readFully } from "../../src/bytes/source.ts";
import { RecordingError } from "../../src/model/place.ts";
import { fileSource } from "../../src/node/file-source.ts";
import { nodeSurroundings } from "../../src/node/surroundings.ts";
import { memorySource } from "../support/memory-source.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vhost-replay-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, "trace.txt");
  writeFileSync(path, content);
  return path;
}

test("a regular file has a size, streams from the beginning each time, and is read by offset", async () => {
  const source = fileSource(file("abcdef"));
  expect(source.size).toBe(6);
  for (let i = 0; i < 2; i++) {
    const into = new Uint8Array(10);
    const stream = source.stream();
    expect(await readFully(stream, into)).toBe(6);
    stream.close();
    expect(Buffer.from(into.subarray(0, 6)).toString()).toBe("abcdef");
  }
  const random = source.random?.();
  const into = new Uint8Array(3);
  expect([await random?.readAt(into, 4), into[0], into[1]]).toEqual([2, 0x65, 0x66]);
  expect(await random?.readAt(into, 6)).toBe(0);
  random?.close();
});

test("a missing file and a directory are refused in words", () => {
  const none = () => fileSource(join(folder, "none"));
  expect(none).toThrow(RecordingError);
  expect(none).toThrow(`${join(folder, "none")}: expected a readable file, found no such file`);
  expect(() => fileSource(folder)).toThrow("expected a readable file, found a directory");
});

test.runIf(process.platform === "linux")(
  "a file of size 0 that has content, as in procfs and tracefs, is read to its end, once",
  async () => {
    const source = fileSource("/proc/self/status");
    expect([source.size, source.random]).toEqual([undefined, undefined]);
    const into = new Uint8Array(5);
    const stream = source.stream();
    expect(await readFully(stream, into)).toBe(5);
    stream.close();
    expect(Buffer.from(into).toString()).toBe("Name:");
    expect(() => source.stream()).toThrow(RecordingError);
  },
);

test.skipIf(process.platform === "win32")("a named pipe is read once", async () => {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const writer = spawn("sh", ["-c", `printf abc > '${path}'`]);
  const source = fileSource(path);
  const stream = source.stream();
  const into = new Uint8Array(10);
  expect(await readFully(stream, into)).toBe(3);
  stream.close();
  expect(() => source.stream()).toThrow(RecordingError);
  await new Promise((resolve) => writer.on("close", resolve));
});

test("spooling says why, gives the bytes by offset, and leaves no file with a name", async () => {
  const previous = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    const said: string[] = [];
    const stream = memorySource("in", "0123456789", 3).stream();
    const random = await nodeSurroundings((line) => said.push(line)).spool("in", stream, "because");
    expect([said, random.size]).toEqual([["because"], 10]);
    expect(readdirSync(folder)).toEqual([]);
    const into = new Uint8Array(4);
    expect(await random.readAt(into, 5)).toBe(4);
    expect(Buffer.from(into).toString()).toBe("5678");
    random.close();
    random.close();
  } finally {
    if (previous === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = previous;
  }
});

test.runIf(process.platform === "linux")(
  "a temporary folder that cannot be written is told as such",
  async () => {
    const previous = process.env.TMPDIR;
    process.env.TMPDIR = join(folder, "none");
    try {
      const stream = memorySource("in", "0123").stream();
      const spooled = nodeSurroundings(() => {}).spool("in", stream, "because");
      await expect(spooled).rejects.toThrow(
        /expected room for a copy of it in .*none, found ENOENT/,
      );
    } finally {
      if (previous === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = previous;
    }
  },
);
