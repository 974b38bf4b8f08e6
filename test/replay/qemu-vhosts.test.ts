/** Devices that QEMU hands to a vhost: which are a back end's, and when its log goes on and off. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as affected from "../../src/answers/affected.ts";
import { parseClockPairs } from "../../src/join/clock-pair.ts";
import type { DeviceSummary } from "../../src/model/result.ts";
import { memorySource, type OneMachine, recordingOf, replayAll } from "../support/memory-source.ts";

/** A log of QEMU with these events, a millisecond apart. */
async function replayed(events: readonly string[]): Promise<OneMachine> {
  const lines = events.map((event, i) => `7@1795396508.${100 + i}000:${event}\n`);
  return replayAll([memorySource("qemu.log", lines.join(""))]);
}
const write = (request: number): string => `vhost_user_write req:${request} flags:0x1`;
/** What vhost_dev_start() of a back end in user space makes QEMU trace. */
const started = (dev: string, name: string): string[] => [
  // vhost_dev_prepare_inflight(), before the start.
  ...[write(2), write(13), `vhost_dev_start ${dev}:${name} vrings:1`],
  ...[2, 5, 8, 10, 9, 12, 18].map(write),
];
const switched = [6, 2, 9].map(write);
const changes = (device: DeviceSummary | undefined): string[] =>
  (device?.logging ?? []).map(({ what, place }) => `${what} ${place.at}`);
const unseen = (result: Pick<OneMachine, "limits">): string =>
  result.limits.find(({ code }) => code === "devices-unseen")?.text ?? "";

describe("a back end in user space", () => {
  test("is a device of QEMU's machine, with what its log did, and its writes are unseen", async () => {
    const result = await replayed([
      ...started("0x5000", "virtio-blk"),
      ...["global_dirty_changed bitmask 0x1", ...switched],
      ...["global_dirty_changed bitmask 0x0", write(2), write(9)],
      ...["vhost_dev_stop 0x5000:virtio-blk vrings:1", write(18), write(11)],
    ]);
    expect(result.devices).toMatchObject([{ driver: "vhost-user-blk", dev: "0x5000", queues: [] }]);
    expect(changes(result.devices[0])).toEqual([
      ...["started :5", "SET_LOG_BASE :12", "LOG_ALL on :13", "LOG_ALL off :16", "stopped :18"],
    ]);
    expect(unseen(result)).toMatch(
      /^The recording shows 1 device that a vhost-user back end serves \(virtio-blk\)/,
    );
    expect(result.sufficiency.find(({ question }) => /logging switched/.test(question))).toEqual({
      question: "When was logging switched on and off?",
      ...{ answer: "yes", why: "the messages that QEMU sends to a back end" },
    });
  });

  test("of QEMU 11 is read the same", async () => {
    const named = (request: number): string => `vhost_user_write req:${request} (X) flags:0x1`;
    const result = await replayed([
      "vhost_dev_start_in 0x5000:virtio-net vrings:1",
      ...[2, 37, 8, 9, 18].map(named),
      "global_dirty_changed bitmask 0x1",
      ...[6, 2, 9].map(named),
      "vhost_dev_stop_out 0x5000:virtio-net",
    ]);
    expect(result.devices.map(({ driver }) => driver)).toEqual(["vhost-user-net"]);
    expect(changes(result.devices[0])).toEqual([
      ...["started :3", "SET_LOG_BASE :8", "LOG_ALL on :9", "stopped :11"],
    ]);
  });

  test("two of them are switched in the order of their start; one may be stopped", async () => {
    const result = await replayed([
      ...started("0x5000", "virtio-blk"),
      ...started("0x6000", "vhost-user-scsi"),
      ...["global_dirty_changed bitmask 0x1", ...switched, ...switched],
      "vhost_dev_stop 0x5000:virtio-blk vrings:1",
      ...["global_dirty_changed bitmask 0x0", write(2), write(9)],
    ]);
    expect(result.devices.map(({ driver }) => driver)).toEqual([
      ...["vhost-user-blk", "vhost-user-scsi"],
    ]);
    expect(changes(result.devices[0])).toEqual([
      ...["started :5", "SET_LOG_BASE :22", "LOG_ALL on :23", "stopped :28"],
    ]);
    expect(changes(result.devices[1])).toEqual([
      ...["started :15", "SET_LOG_BASE :25", "LOG_ALL on :26", "LOG_ALL off :30"],
    ]);
    expect(unseen(result)).toContain(
      "2 devices that a vhost-user back end serves (virtio-blk, vhost-user-scsi)",
    );
  });

  test("one that starts while the log is on has it from its start", async () => {
    const result = await replayed([
      ...["global_dirty_changed bitmask 0x1", "vhost_dev_start 0x5000:virtio-blk vrings:1"],
      ...[2, 5, 8, 9, 6, 18].map(write),
    ]);
    expect(changes(result.devices[0])).toEqual(["started :4", "SET_LOG_BASE :7", "LOG_ALL on :7"]);
  });

  test("without QEMU's own switch the handing over of a log tells", async () => {
    const result = await replayed([
      ...started("0x5000", "virtio-blk"),
      ...switched,
      ...[write(2), write(9)],
    ]);
    expect(changes(result.devices[0])).toEqual([
      ...["started :5", "SET_LOG_BASE :11", "LOG_ALL on :12", "LOG_ALL off :14"],
    ]);
  });
});

test("a real log of QEMU 10.0 tells the disk of a back end beside QEMU's own devices", async () => {
  const file = join(import.meta.dirname, "../fixtures/qemu/10.0-vhost-user.log.gz");
  const result = await replayAll([memorySource("src.log.gz", readFileSync(file))]);
  expect(result.devices.map(({ driver }) => driver)).toEqual([
    ...["vhost-user-blk", "virtio-scsi (QEMU)"],
  ]);
  expect(changes(result.devices[0])).toEqual([
    ...["started :1070", "SET_LOG_BASE :1080", "LOG_ALL on :1082", "stopped :3978"],
  ]);
  expect(unseen(result)).toContain("1 device that a vhost-user back end serves (virtio-blk)");
});

test("a vhost of the kernel is none, whatever another device is sent behind its start", async () => {
  const result = await replayed([
    "vhost_dev_start 0x4000:vhost-scsi vrings:3",
    ...started("0x5000", "virtio-blk"),
  ]);
  expect(result.devices.map(({ driver, dev }) => [driver, dev])).toEqual([
    ["vhost-user-blk", "0x5000"],
  ]);
  expect(unseen(result)).toContain(
    "1 device that QEMU hands to a vhost (vhost-scsi) and 1 device that a vhost-user back end serves",
  );
});

test("with the back end's own recording its writes are seen: as the two memories, no page is stale", async () => {
  const folder = join(
    import.meta.dirname,
    "../../traces/vhost-user/migration-libvhost-user/bios-reads",
  );
  const source = (name: string) => memorySource(name, readFileSync(join(folder, name)));
  const recording = {
    ...(await recordingOf(source("trace.txt.gz"), source("src.log.gz"))),
    clockPairs: parseClockPairs(readFileSync(join(folder, "clock.txt"), "utf8"), "clock.txt"),
  };
  const answer = await affected.ask(recording);
  const [machine] = answer.result.machines;
  expect(answer.result.machines).toHaveLength(1);
  expect(unseen(machine!)).toBe("");
  // Once, as its own recording has it: with its queue.
  expect(machine!.devices.map(({ driver, queues }) => [driver, queues.length])).toEqual([
    ["vhost-user-blk", 1],
  ]);
  expect(answer.affected[0]).toMatchObject({ policy: "libvhost-user", pages: 0, possibly: 0 });
  expect(machine!.migrations[0]!.verdicts[0]).toMatchObject({ best: 0, worst: 0 });
  const alone = await affected.ask(await recordingOf(source("src.log.gz")));
  expect(affected.statusOf(alone)).toBe(3);
  expect(changes(alone.result.machines[0]!.devices[0])).toEqual([
    ...["started :81", "SET_LOG_BASE :101", "LOG_ALL on :103", "stopped :342"],
  ]);
});
