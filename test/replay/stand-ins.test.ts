/** What stands in for a device that is not told yet. */
import { expect, test } from "vitest";
import { newDevice } from "../../src/replay/device.ts";
import { StandIns } from "../../src/replay/stand-ins.ts";

test("a worker's stand-in serves its machine alone, though the PID is used again", () => {
  const standIns = new StandIns();
  const device = newDevice(0, null, null);
  standIns.add(device);
  standIns.worksFor(300, 0, device);
  expect(standIns.ofWorker(300, 0)).toBe(device);
  expect(standIns.ofWorker(300, 1)).toBeNull();
});

test("what stood in gives its number to the device that is told, once", () => {
  const standIns = new StandIns();
  const [before, told] = [newDevice(0, null, null), newDevice(1, 0x10n, null)];
  standIns.add(before);
  standIns.replace(before, told);
  expect([told.shown, before.shown]).toEqual([0, 1]);
  standIns.replace(before, told);
  expect([told.shown, before.shown]).toEqual([0, 1]);
});
