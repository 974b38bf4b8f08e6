/** Conformance cases C1 to C17: log_write() and vhost_log_write(). */
import { describe, expect, test } from "vitest";
import { pageList, replayCase } from "../support/oracle/case.ts";
import {
  emptyLog,
  type LogEntry,
  logWrite,
  U64_MAX,
  vhostLogWriteNew,
  vhostLogWriteOld,
} from "../support/oracle/log.ts";
import { pagesOfImage } from "../support/oracle.ts";
import { markRange } from "../support/product.ts";

const marked = async (gpa: bigint, len: bigint): Promise<string> =>
  pageList(pagesOfImage(await markRange(gpa, len)));

describe("bitmap", () => {
  test("C1 one byte sets the bit of its page", async () => {
    expect([...(await markRange(0x1000n, 1n))]).toEqual([0x02]);
  });
  test("C2 two bytes across a page border set two bits", async () => {
    expect([...(await markRange(0x1fffn, 2n))]).toEqual([0x06]);
  });
  test("C3 a whole page is one bit, one byte more is two", async () => {
    expect(await marked(0x1000n, 0x1000n)).toBe("1");
    expect(await marked(0x1000n, 0x1001n)).toBe("1 2");
  });
  test("C4 no bytes set no bit", async () => {
    expect(await marked(0x5000n, 0n)).toBe("");
  });
  test("C5 page 7 is the last bit of byte 0 and page 8 the first of byte 1", async () => {
    expect([...(await markRange(0x7fffn, 1n))]).toEqual([0x80]);
    expect([...(await markRange(0x8000n, 1n))]).toEqual([0x00, 0x01]);
  });
  test("C6 8 KiB that start inside a page set three bits", async () => {
    expect(await marked(0x123456789n, 0x2000n)).toBe("123456 123457 123458");
  });
  test("C7 page 40 is bit 0 of byte 8, the first of chunk 1", async () => {
    const image = await markRange(0x40000n, 1n);
    expect([...image]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0x01]);
  });
  test("C8 a log of 32 pages takes the pages it has room for, then fails", () => {
    const log = emptyLog(32);
    expect(logWrite(log, 0x1e000n, 0x4000n)).toBe(false);
    expect(pageList(log.pages)).toBe("1e 1f");
  });
  test("C9 the same entry twice is the same as once", async () => {
    const once = await replayCase((g) => g.request({ writes: [[0x202000, 4096]] }));
    const twice = await replayCase((g) =>
      g.request({ writes: [[0x202000, 4096]] }).request({ writes: [[0x202000, 4096]] }),
    );
    expect(once.patched).toBe("15 202");
    expect(twice.patched).toBe(once.patched);
  });
});

const run = (
  write: typeof vhostLogWriteNew,
  entries: [bigint, bigint][],
  len: bigint,
): { pages: string; bug: boolean } => {
  const log = emptyLog();
  const list: LogEntry[] = entries.map(([addr, size]) => ({ addr, len: size }));
  try {
    write(log, list, len);
    return { pages: pageList(log.pages), bug: false };
  } catch {
    return { pages: pageList(log.pages), bug: true };
  }
};
const TWO: [bigint, bigint][] = [
  [0x10000n, 0x1000n],
  [0x20000n, 0x1000n],
];

describe("vhost_log_write", () => {
  test.each([
    ["C10 the length ends with the first entry", TWO, 0x1000n, "10", "10", false],
    ["C11 one byte more reaches the second entry", TWO, 0x1001n, "10 20", "10 20", false],
    ["C12 a length beyond the entries was a BUG", TWO, 0x2001n, "10 20", "10 20", true],
    ["C13 the length that means everything was a BUG", TWO, U64_MAX, "10 20", "10 20", true],
    ["C16 no entries were a BUG", [], 1n, "", "", true],
    ["C17 no length logs nothing", [[0x10000n, 0x1000n]], 0n, "", "", false],
  ] as [string, [bigint, bigint][], bigint, string, string, boolean][])(
    "%s",
    (_name, entries, len, before, since, bug) => {
      expect(run(vhostLogWriteOld, entries, len)).toEqual({ pages: before, bug });
      expect(run(vhostLogWriteNew, entries, len)).toEqual({ pages: since, bug: false });
    },
  );
  test("C14 ten bytes over three entries of four", () => {
    const entries: [bigint, bigint][] = [
      [0xffen, 4n],
      [0x3000n, 4n],
      [0x5000n, 4n],
    ];
    expect(run(vhostLogWriteNew, entries, 10n).pages).toBe("0 1 3 5");
    expect(run(vhostLogWriteOld, entries, 10n).pages).toBe("0 1 3 5");
  });
  test("C15 the first 16 bytes of an entry, and all of it", () => {
    const entries: [bigint, bigint][] = [[0x10ff0n, 0x20n]];
    expect(run(vhostLogWriteNew, entries, 0x10n).pages).toBe("10");
    expect(run(vhostLogWriteNew, entries, U64_MAX).pages).toBe("10 11");
  });
  test("C13 a vhost-scsi request is logged with every entry completely", async () => {
    const writes: [number, number][] = [
      [0x10000, 0x1000],
      [0x20000, 0x1000],
    ];
    const c = await replayCase((g) => g.request({ writes }));
    expect([c.patched, c.linux616, c.unpatched]).toEqual(["10 15 20", "10 15 20", "15"]);
  });
  test("C15 a request's entry is logged to its last byte", async () => {
    const c = await replayCase((g) => g.request({ writes: [[0x10ff0, 0x20]] }));
    expect(c.patched).toBe("10 11 15");
  });
  test("C16 a request without write descriptors logs the used ring only", async () => {
    const c = await replayCase((g) => g.request({ writes: [] }));
    expect([c.patched, c.written]).toEqual(["15", "15"]);
  });
});
