/** Conformance cases C74 to C80: LOG_ALL and the log base changing around requests in flight. */
import { describe, expect, test } from "vitest";
import type { Buffer, Guest } from "../support/guest.ts";
import { replayCase } from "../support/oracle/case.ts";

const READ: Buffer[] = [[0x202000, 4096]];
const OFF = { logAll: false };
const pop = (g: Guest): Guest => g.submit(0, READ);

describe("LOG_ALL and requests in flight", () => {
  test("C74 popped before LOG_ALL and completed after: not logged, and lost", async () => {
    const c = await replayCase((g) => pop(g).setLogAll(true).used(2, 0), OFF);
    expect([c.patched, c.linux616, c.unpatched]).toEqual(["15", "15", "15"]);
    expect([c.lostPatched, c.lostUnpatched]).toEqual(["202", "202"]);
  });
  test("C74 a drain after the pop does not make up for the capture", async () => {
    const c = await replayCase((g) => pop(g).setLogAll(true).kick().used(2, 0), OFF);
    expect([c.patched, c.lostPatched]).toEqual(["15", "202"]);
  });
  test("C75 popped and completed with LOG_ALL: logged", async () => {
    const c = await replayCase((g) => pop(g.setLogAll(true)).used(2, 0), OFF);
    expect([c.patched, c.linux616, c.lostPatched]).toEqual(["15 202", "15 202", ""]);
    expect([c.unpatched, c.lostUnpatched]).toEqual(["15", "202"]);
  });
  test("C76 LOG_ALL off at completion: not logged, and outside the window", async () => {
    const c = await replayCase((g) => pop(g).setLogAll(false).used(2, 0));
    expect([c.patched, c.linux616, c.written]).toEqual(["15", "15", "15"]);
  });
  test("C77 LOG_ALL off and on again in flight: not logged, and lost", async () => {
    const c = await replayCase((g) => pop(g).setLogAll(false).setLogAll(true).used(2, 0));
    expect([c.patched, c.linux616, c.lostPatched]).toEqual(["15", "15", "202"]);
  });
  test("C77 a request popped after the toggle is logged again", async () => {
    const c = await replayCase((g) => pop(g.drain().setLogAll(false).setLogAll(true)).used(2, 0));
    expect([c.patched, c.lostPatched]).toEqual(["15 202", ""]);
  });
  test("C77 switching LOG_ALL off without success frees nothing", async () => {
    const c = await replayCase((g) => pop(g).setLogAll(false, -16).used(2, 0));
    expect([c.patched, c.lostPatched]).toEqual(["15 202", ""]);
  });
  test("C78 a LUN RESET keeps its entries over off and on", async () => {
    const c = await replayCase((g) =>
      g.submit(0, READ, 0, 24).setLogAll(false).setLogAll(true).used(0, 0),
    );
    expect([c.patched, c.linux616, c.lostPatched]).toEqual(["11 202", "11 202", ""]);
  });
  test("C79 a request that SET_LOG_BASE waits for completes before the window", async () => {
    const c = await replayCase(
      (g) => {
        pop(g).used(2, 0);
        g.setLogBase(0x7f0000000000n).setLogAll(true);
      },
      { ...OFF, logused: false },
    );
    expect([c.patched, c.written]).toEqual(["", ""]);
  });
  test("C79 a request that SET_LOG_BASE does not wait for is lost", async () => {
    const c = await replayCase(
      (g) => pop(g).setLogBase(0x7f0000000000n).setLogAll(true).used(2, 0),
      { ...OFF, logused: false },
    );
    expect([c.patched, c.lostPatched]).toEqual(["", "202"]);
  });
  test("C80 between SET_FEATURES and SET_VRING_ADDR the data is logged and the ring is not", async () => {
    const c = await replayCase(
      (g) => {
        pop(g.setLogAll(true)).used(2, 0);
        g.setVringAddr(2, true);
      },
      { ...OFF, logused: false },
    );
    expect([c.patched, c.linux616, c.unpatched]).toEqual(["202", "202", ""]);
  });
});
