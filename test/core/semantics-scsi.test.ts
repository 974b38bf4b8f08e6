/**
 * Conformance cases C39 to C59 and C66 to C73: I/O, control and event requests. P = what 7.2 logs,
 * N = what 6.1 logs (the used ring, page 15, 11 or 13), O = what is really written: a recording
 * bounds it from above, because it shows buffers and not bytes.
 */
import { describe, expect, test } from "vitest";
import type { Buffer } from "../support/guest.ts";
import { isWithin, replayCase } from "../support/oracle/case.ts";

const RESP: Buffer = [0x201100, 108];
/** The used-ring pages of control, event and I/O queue. */
const RING = ["11", "13", "15"];
/** The ring's page comes first because every buffer lies above it. */
const withRing = (index: number, pages: string): string => `${RING[index]} ${pages}`.trim();

interface Completed {
  name: string;
  writes: Buffer[];
  p: string;
  /** Exactly P when not given. */
  o?: string;
}
const IO: Completed[] = [
  { name: "C39 READ 4096", writes: [RESP, [0x202000, 4096]], p: "201 202" },
  { name: "C40 READ 4096 across a page", writes: [RESP, [0x202800, 4096]], p: "201 202 203" },
  {
    name: "C41 READ 4096 into 8192 (underflow)",
    writes: [RESP, [0x202000, 8192]],
    p: "201 202 203",
    o: "201 202",
  },
  {
    name: "C42 READ ending in CHECK CONDITION",
    writes: [RESP, [0x202000, 8192]],
    p: "201 202 203",
    o: "201",
  },
  { name: "C43 WRITE 4096", writes: [RESP], p: "201" },
  {
    name: "C44 WRITE with a spare write descriptor",
    writes: [RESP, [0x203000, 4096]],
    p: "201 203",
    o: "201",
  },
  {
    name: "C45 split response",
    writes: [
      [0x201fc4, 60],
      [0x210000, 48],
      [0x220000, 4096],
    ],
    p: "201 210 220",
  },
  {
    name: "C46 bad target, split response",
    writes: [
      [0x203fc4, 60],
      [0x210000, 48],
    ],
    p: "203 210",
  },
  {
    name: "C49 response and data in one descriptor",
    writes: [[0x201ff0, 620]],
    p: "201 202",
  },
  {
    name: "C50 INQUIRY of 36 bytes into 8192",
    writes: [RESP, [0x202800, 8192]],
    p: "201 202 203 204",
    o: "201 202",
  },
  {
    name: "C51 INQUIRY of 96 bytes across a page",
    writes: [RESP, [0x202fe0, 4096]],
    p: "201 202 203",
  },
  {
    name: "C52 TEST UNIT READY with a data buffer",
    writes: [RESP, [0x202800, 4096]],
    p: "201 202 203",
    o: "201 202",
  },
  {
    name: "C53 protection information before the data",
    writes: [RESP, [0x230000, 64], [0x240000, 4096]],
    p: "201 230 240",
  },
  {
    name: "C54 bad target with a data buffer",
    writes: [RESP, [0x202000, 4096]],
    p: "201 202",
    o: "201",
  },
  { name: "C56 header too short", writes: [RESP], p: "201" },
  {
    name: "C57 TASK SET FULL, split response",
    writes: [
      [0x203fc4, 60],
      [0x210000, 48],
    ],
    p: "203 210",
  },
];
const CONTROL: Completed[] = [
  { name: "C47 TMF to a missing target", writes: [[0x205fff, 1]], p: "205" },
  { name: "C48 AN with a bad LUN", writes: [[0x207ffb, 5]], p: "207" },
  {
    name: "C66 LUN RESET, oversized response buffer",
    writes: [[0x208ff8, 16]],
    p: "208 209",
    o: "208",
  },
  { name: "C67 rejected TMF", writes: [[0x208ff8, 1]], p: "208" },
  { name: "C68 AN subscribe", writes: [[0x208000, 5]], p: "208" },
];
const EVENTS: Completed[] = [
  { name: "C70 event across a page", writes: [[0x209ff8, 16]], p: "209 20a" },
];

async function check(queue: number, c: Completed): Promise<void> {
  const result = await replayCase((g) => g.request({ queue, writes: c.writes }));
  expect(result.patched).toBe(withRing(queue, c.p));
  expect(result.linux616).toBe(withRing(queue, c.p));
  expect(result.unpatched).toBe(RING[queue]);
  expect(result.lostPatched).toBe("");
  expect(result.lostUnpatched).toBe(c.p);
  expect(isWithin(c.o ?? c.p, result.written)).toBe(true);
}

describe("I/O requests", () => {
  test.each(IO)("$name: 7.2 logs {$p}, 6.1 the used ring", (c) => check(2, c));

  test("C55 a response buffer too small is consumed and never returned", async () => {
    const c = await replayCase((g) => g.submit(0, [[0x201100, 107]]));
    expect([c.patched, c.unpatched, c.written]).toEqual(["15", "15", "15"]);
    expect(c.counters).toMatchObject({ popped: 1, completed: 0, inFlightAtEnd: 1 });
  });
  test("C58 a mapping that fails loses the request on 7.2 and returns it on 6.1", async () => {
    const on72 = await replayCase((g) => g.submit(0, [RESP, [0x202000, 4096]]));
    expect([on72.patched, on72.written]).toEqual(["15", "15"]);
    const on61 = await replayCase((g) => g.submit(0, [RESP, [0x202000, 4096]]).used(2, 0));
    expect(on61.unpatched).toBe("15");
    expect(isWithin("201", on61.lostUnpatched)).toBe(true);
  });
  test("C59 requests returned newest first make the same pages", async () => {
    const submitted = (order: number[]) =>
      replayCase((g) => {
        g.submit(1, [RESP, [0x202000, 4096]]).submit(2, [[0x210000, 108]]);
        for (const head of order) g.used(2, head);
      });
    const lifo = await submitted([2, 1]);
    expect(lifo).toEqual(await submitted([1, 2]));
    expect([lifo.patched, lifo.lostUnpatched]).toEqual(["15 201 202 210", "201 202 210"]);
  });
  test("C59 each of two requests returned out of order keeps its own buffers", async () => {
    const c = await replayCase((g) =>
      g
        .submit(1, [[0x202000, 4096]])
        .submit(2, [[0x210000, 108]])
        .used(2, 2),
    );
    expect(c.patched).toBe("15 210");
  });
});

describe("control queue", () => {
  test.each(CONTROL)("$name: 7.2 logs {$p}, 6.1 the used ring", (c) => check(0, c));

  test("C69 an unknown control type is consumed and never returned", async () => {
    const c = await replayCase((g) => g.submit(0, [[0x208000, 5]], 0));
    expect([c.patched, c.unpatched, c.written]).toEqual(["11", "11", "11"]);
    expect(c.counters).toMatchObject({ popped: 1, completed: 0, inFlightAtEnd: 1 });
  });
});

describe("event queue", () => {
  test.each(EVENTS)("$name: 7.2 logs {$p}, 6.1 the used ring", (c) => check(1, c));

  test("C71 an event buffer of 32 bytes is consumed and never returned", async () => {
    const c = await replayCase((g) => g.drain(1).take(1, 0, [], [[0x209ff8, 32]]));
    expect([c.patched, c.unpatched, c.written]).toEqual(["", "", ""]);
    expect(c.counters).toMatchObject({ popped: 1, completed: 0, inFlightAtEnd: 1 });
  });
  test("C72 an event chain without a write descriptor logs the used ring only", async () => {
    const c = await replayCase((g) =>
      g
        .drain(1)
        .take(1, 0, [[0x209ff8, 16]], [])
        .used(1, 0),
    );
    expect([c.patched, c.written]).toEqual(["13", "13"]);
  });
  test("C73 with LOG_ALL off no event is logged", async () => {
    const c = await replayCase((g) => g.request({ queue: 1, writes: [[0x209ff8, 16]] }), {
      logAll: false,
    });
    expect([c.patched, c.linux616, c.unpatched]).toEqual(["13", "13", "13"]);
  });
});
