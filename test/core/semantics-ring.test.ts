/** Conformance cases C18 to C29: the used ring and its logging. */
import { describe, expect, test } from "vitest";
import type { GuestOptions } from "../support/guest.ts";
import { replayCase } from "../support/oracle/case.ts";

/** `n` used elements, nothing else; the ring is logged alike on every kernel. */
async function publish(options: GuestOptions, n = 1): Promise<string> {
  const c = await replayCase((g) => g.used(2, 0, n), options);
  expect(c.unpatched).toBe(c.patched);
  expect(c.linux616).toBe(c.patched);
  expect(c.written).toBe(c.patched);
  return c.patched;
}

describe("used ring", () => {
  test("C18 element and idx lie in the first page", async () => {
    expect(await publish({ num: 256 })).toBe("15");
  });
  test("C19 element 511 of 1024 crosses into the second page", async () => {
    expect(await publish({ num: 1024, lastUsed: 511 })).toBe("15 16");
  });
  test("C20 element 512 of 1024 lies in the second page, idx in the first", async () => {
    expect(await publish({ num: 1024, lastUsed: 512 })).toBe("15 16");
  });
  test("C21 four elements from 1022 of 1024 are two at the end and two at the start", async () => {
    expect(await publish({ num: 1024, lastUsed: 1022 }, 4)).toBe("15 16 17");
  });
  test("C22 avail_event of a ring of 1024 lies in the third page", async () => {
    const c = await replayCase((g) => g.rearm(2), { num: 1024 });
    expect([c.unpatched, c.linux616, c.patched, c.written]).toEqual(["17", "17", "17", "17"]);
  });
  test("C23 idx lies in the page before element 0", async () => {
    expect(await publish({ used: 0x15ffc })).toBe("15 16");
  });
  test("C25 the used index wraps at 65536 without a gap", async () => {
    const c = await replayCase((g) => g.used(2, 0).used(2, 1), { lastUsed: 65535 });
    expect([c.patched, c.counters.lostCompletions]).toEqual(["15", 0]);
    // Slot 255 of a ring at 0x15804 is at 0x16000: only idx is in page 15.
    expect(await publish({ lastUsed: 65535, used: 0x15804 })).toBe("15 16");
    // And the element after it is in slot 0 again.
    expect(await publish({ lastUsed: 0, used: 0x15804 })).toBe("15");
  });
  test("C26 without VRING_F_LOG the data is logged and the ring is not", async () => {
    const c = await replayCase((g) => g.request({ writes: [[0x202000, 4096]] }), {
      logused: false,
    });
    expect([c.patched, c.linux616, c.unpatched, c.written]).toEqual(["202", "202", "", "202"]);
  });
  test("C27 without LOG_ALL the ring is logged and the data is not", async () => {
    const c = await replayCase((g) => g.request({ writes: [[0x202000, 4096]] }), {
      logAll: false,
    });
    expect([c.patched, c.linux616, c.unpatched]).toEqual(["15", "15", "15"]);
  });
  test("C28 without EVENT_IDX a kick for nothing writes the flags", async () => {
    const c = await replayCase((g) => g.kick(), { eventIdx: false, used: 0x15ffc });
    expect([c.patched, c.unpatched, c.written]).toEqual(["15", "15", "15"]);
  });
  test("C28 without EVENT_IDX rearming writes no avail_event", async () => {
    const c = await replayCase((g) => g.rearm(2), { eventIdx: false });
    expect([c.patched, c.written]).toEqual(["", ""]);
  });
  test("C29 a refused VHOST_SET_VRING_ADDR changes nothing", async () => {
    const c = await replayCase((g) => g.drain().setVringAddr(2, true, 0x19002n).used(2, 0));
    expect([c.patched, c.unpatched]).toEqual(["15", "15"]);
  });
});
