/** Conformance cases C30 to C38: vhost_get_vq_desc(), and the recordings which it leaves. */
import { describe, expect, test } from "vitest";
import { type CaseResult, replayCase } from "../support/oracle/case.ts";
import {
  VRING_DESC_F_INDIRECT as INDIRECT,
  VRING_DESC_F_NEXT as NEXT,
  type Popped,
  type Ring,
  type VringDesc,
  vhostGetVqDesc,
  VRING_DESC_F_WRITE as WRITE,
} from "../support/oracle/chain.ts";

const MAP = [
  { start: 0n, last: 0x9ffffn },
  { start: 0x100000n, last: 0x3fffffffn },
];
const TABLE = 0x300000;
const EINVAL = 22;
const EFAULT = 14;
type Entry = [addr: number, len: number, flags: number, next?: number];

const vring = ([addr, len, flags, next = 0]: Entry): VringDesc => ({
  addr: BigInt(addr),
  len,
  flags,
  next,
});
function ring(desc: Entry[], table: Entry[] = [], head = 0, regions = MAP): Ring {
  return {
    num: 256,
    desc: new Map(desc.map((entry, i) => [i, vring(entry)])),
    tables: new Map([[BigInt(TABLE), table.map(vring)]]),
    avail: [head],
    regions,
    iovLimit: 1024,
  };
}
/** Entries, one after the other, without the first flag NEXT of the last. */
const chain = (...entries: [number, number, number][]): Entry[] =>
  entries.map(([addr, len, flags], i) =>
    i + 1 < entries.length ? [addr, len, flags | NEXT, i + 1] : [addr, len, flags],
  );
const REQ: [number, number, number] = [0x200000, 51, 0];
const RESP: [number, number, number] = [0x201100, 108, WRITE];
const DATA: [number, number, number] = [0x202000, 4096, WRITE];

const replayed = (popped: Popped): Promise<CaseResult> =>
  replayCase((g) => {
    g.drain().takeChain(2, popped).popEmpty().rearm();
    if (popped.head >= 0) g.used(2, popped.head);
  });
async function refused(r: Ring, errno: number): Promise<void> {
  const popped = vhostGetVqDesc(r, 0);
  expect(popped.head).toBe(-errno);
  const c = await replayed(popped);
  expect([c.patched, c.unpatched, c.written]).toEqual(["15", "15", "15"]);
  expect(c.counters).toMatchObject({ popped: 0, rejected: 1, inFlightAtEnd: 0 });
}

describe("descriptor walk", () => {
  test("C30 an empty descriptor makes no entry", async () => {
    const popped = vhostGetVqDesc(ring(chain(REQ, RESP, [0x900000, 0, WRITE], DATA)), 0);
    expect(popped.log.length).toBe(2);
    expect((await replayed(popped)).patched).toBe("15 201 202");
  });
  test("C31 an indirect table is read in sequence, whatever `next` says", async () => {
    const table: Entry[] = [
      [0x200000, 51, NEXT, 9],
      [0x201100, 108, WRITE | NEXT, 7],
      [0x202000, 4096, WRITE, 0],
    ];
    const popped = vhostGetVqDesc(ring([[TABLE, 48, INDIRECT]], table), 0);
    const c = await replayed(popped);
    expect([c.patched, c.unpatched]).toEqual(["15 201 202", "15"]);
    expect(c.lostUnpatched).toBe("201 202");
  });
  test("C32 a table may be followed by a direct descriptor", async () => {
    const table = chain(REQ, RESP, DATA);
    const head: Entry[] = [
      [TABLE, 48, INDIRECT | NEXT, 1],
      [0x400000, 4096, WRITE],
    ];
    const popped = vhostGetVqDesc(ring(head, table), 0);
    expect((await replayed(popped)).patched).toBe("15 201 202 400");
  });
  test("C33 a readable descriptor behind a writable one is refused", async () => {
    await refused(ring(chain(REQ, RESP, [0x500000, 16, 0])), EINVAL);
  });
  test("C33 a refused chain that is met again at the next kick is logged once it is good", async () => {
    const bad = vhostGetVqDesc(ring(chain(REQ, DATA, [0x500000, 16, 0])), 0);
    const good = vhostGetVqDesc(ring(chain(REQ, RESP)), 0);
    const c = await replayCase((g) =>
      g.drain().takeChain(2, bad).rearm().drain().takeChain(2, good).rearm().used(2, 0),
    );
    expect(c.patched).toBe("15 201");
    expect(c.counters).toMatchObject({ popped: 1, rejected: 1, completed: 1, dropped: 0 });
  });
  test("C34 a descriptor over a region border is two iovs and one entry", async () => {
    const regions = [
      { start: 0x100000n, last: 0x2027ffn },
      { start: 0x202800n, last: 0x3fffffffn },
    ];
    const popped = vhostGetVqDesc(ring(chain([0x202000, 4096, WRITE]), [], 0, regions), 0);
    expect([popped.iovs, popped.log.length]).toEqual([2, 1]);
    const both = vhostGetVqDesc(ring(chain(REQ, RESP, DATA), [], 0, regions), 0);
    expect((await replayed(both)).patched).toBe("15 201 202");
  });
  test("C35 a chain with a buffer past the end of memory, or into a hole, is refused", async () => {
    await refused(ring(chain(REQ, RESP, [0x3ffff800, 4096, WRITE])), EFAULT);
    await refused(ring(chain(REQ, RESP, [0x9f800, 4096, WRITE])), EFAULT);
  });
  test("C36 a malformed indirect table is refused", async () => {
    await refused(ring([[TABLE, 40, INDIRECT]], chain(REQ, RESP)), EINVAL);
    await refused(ring([[TABLE, 16, INDIRECT]], [[TABLE, 16, INDIRECT]]), EINVAL);
    await refused(ring([[TABLE, 16, INDIRECT]], [[0x201100, 108, WRITE | NEXT]]), EINVAL);
  });
  test("C37 a head beyond the ring, or a loop, is refused", async () => {
    await refused(ring(chain(REQ, RESP), [], 256), EINVAL);
    const loop: Entry[] = [
      [0x201100, 108, WRITE | NEXT, 1],
      [0x202000, 4096, WRITE | NEXT, 0],
    ];
    await refused(ring(loop), EINVAL);
  });
  test("C38 two descriptors in one page are one page", async () => {
    const popped = vhostGetVqDesc(
      ring(chain(REQ, [0x201000, 108, WRITE], [0x201800, 512, WRITE])),
      0,
    );
    expect(popped.log.length).toBe(2);
    expect((await replayed(popped)).patched).toBe("15 201");
  });
});
