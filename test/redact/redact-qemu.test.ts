/** What `redact` does with QEMU's own devices: rings that drivers set up, and every event that counts. */
import { describe, expect, test } from "vitest";
import { keyedFunction } from "../../src/commands/redact.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { QEMU_EVENTS } from "../../src/qemu/events.ts";
import { firstDifference, ReplayDigest, renamingOf, SAME } from "../../src/redact/digest.ts";
import { Mapping } from "../../src/redact/mapping.ts";
import { EventRedactor } from "../../src/redact/redact-event.ts";
import { Survey } from "../../src/redact/survey.ts";
import { dump } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, recordingOf, replayAll } from "../support/memory-source.ts";

const USED = 0x1_4000_3000;
let time = 0;
const line = (text: string): string => `7@100.${String(time++).padStart(6, "0")}:${text}\n`;
const config = (register: number, value: number, name = "virtio-pci-common-virtio-scsi"): string =>
  line(
    `memory_region_ops_write cpu 0 mr 0x55550000a000 addr 0x${(0xfebf4000 + register).toString(16)} ` +
      `value 0x${value.toString(16)} size 4 name '${name}'`,
  );

/** A driver that sets up one queue above 4 GiB, and two requests on it while the log is on. */
function recording(): string {
  time = 0;
  const request = (i: number): string =>
    line(`address_space_map as:0x5555000000aa addr 0x1000${i}000:1000 write:1 attrs:0x0`) +
    line("virtqueue_pop vq 0x55550000b000 elem 0x55550000c000 in_num 1 out_num 0") +
    line("virtqueue_fill vq 0x55550000b000 elem 0x55550000c000 len 4096 idx 0") +
    line("virtqueue_flush vq 0x55550000b000 count 1");
  return [
    config(0x14, 1),
    line("virtio_set_status vdev 0x55550000d000 val 1"),
    config(0x00, 7),
    config(0x40, 0xdead, "vga"),
    config(0x16, 0),
    config(0x18, 256),
    config(0x20, 0x40001000),
    config(0x30, USED % 2 ** 32),
    config(0x34, Math.floor(USED / 2 ** 32)),
    config(0x1c, 1),
    line("virtio_queue_notify vdev 0x55550000d000 n 0 vq 0x55550000b000"),
    line("global_dirty_changed bitmask 0x1"),
    request(1),
    request(2),
    line("runstate_set current_run_state 9 (running) new_state 4 (finish-migrate)"),
    line("migrate_set_state new state completed"),
  ].join("");
}

const prf = keyedFunction(Buffer.from("a key of this test"));

async function redacted(log: string): Promise<{ events: NormalisedEvent[]; map: Mapping }> {
  const given: NormalisedEvent[] = [];
  await dump(await recordingOf(memorySource("src.log", log)), (event) => void given.push(event));
  const survey = new Survey();
  for (const event of given) survey.event(event, 0, 0, 0n);
  const map = new Mapping(survey, prf, { keepRuns: false, keepTimes: true });
  const redactor = new EventRedactor(map, 0, 0n, () => null);
  return { events: given.flatMap((event) => redactor.redact(event)), map };
}

describe("a recording of QEMU's own devices", () => {
  test("keeps where the used rings lie, page by page, and what is written to them", async () => {
    const { events, map } = await redacted(recording());
    const halves = events.flatMap((event) =>
      event.event === "qemu" && ["0x30", "0x34"].includes(String(event.args.addr))
        ? [BigInt(event.args.value!)]
        : [],
    );
    expect(halves).toHaveLength(2);
    const moved = (halves[1]! << 32n) | halves[0]!;
    expect(moved).toBe(map.gpa(BigInt(USED)));
    expect(moved).not.toBe(BigInt(USED));

    const policies = [{ policy: findPolicy("qemu-device"), alias: null }];
    const facts = async (name: string, text: string, renaming: typeof SAME) => {
      const digest = new ReplayDigest(renaming, ["qemu-device"]);
      const result = await replayAll([memorySource(name, text)], {
        policies,
        stalePages: true,
        onSync: (view) => digest.round(view),
        onRequest: (request) => digest.request(request),
      });
      digest.result(result);
      return { digest, result };
    };
    const original = await facts("src.log", recording(), renamingOf(map));
    const text = events.map((event) => JSON.stringify(event)).join("\n");
    const again = await facts("redacted.ndjson", text, SAME);
    // Two data pages and the ring's.
    expect(again.result.written).toBe(3);
    expect(firstDifference(original.digest, again.digest)).toBeNull();
  });

  test("tells nothing of other registers, other devices and other words", async () => {
    const { events } = await redacted(recording());
    const text = JSON.stringify(events);
    expect(text).toContain("virtio-pci-common");
    for (const secret of ["dead", "vga", "virtio-scsi", "febf4", "40001000", "55550000"]) {
      expect(text, secret).not.toContain(secret);
    }
  });
});

const POSTCOPY = ["ram_load_loop", "ram_load_postcopy_loop", "postcopy_place_page"];

/** Pages of post-copy are held until it is known which block they are of: all three, then what is asked for. */
function first(redactor: EventRedactor, event: NormalisedEvent): NormalisedEvent[] {
  const own = event.event === "qemu" ? event.name : "";
  if (!/^(ram_load_postcopy|postcopy_place)/.test(own)) return redactor.redact(event);
  const args = { rbname: "pc.ram", addr: "0x1000", flags: "0x8", host: "0x5000", channel: "0x0" };
  const names = own.endsWith("_zero") ? [...POSTCOPY.slice(0, 2), own] : POSTCOPY;
  const all = names.map((name) => ({ ...event, name, args: { ...args, host_addr: "0x5000" } }));
  return all
    .flatMap((one) => redactor.redact(one as NormalisedEvent))
    .filter((one) => one.event === "qemu" && one.name === own);
}

test("every event that the replay reads is kept, or is said to be left out", async () => {
  for (const { name, slots, redact } of QEMU_EVENTS) {
    const args = Object.fromEntries(
      slots.map((slot) => [slot, redact[slot] === "region" ? "virtio-pci-common-x" : "0x14"]),
    );
    const map = new Mapping(new Survey(), prf, { keepRuns: false, keepTimes: true });
    const redactor = new EventRedactor(map, 0, 0n, () => null);
    const event = { event: "qemu", ts: "1", cpu: 0, pid: 1, name, args } as NormalisedEvent;
    const [kept] = first(redactor, event);
    expect(kept?.event, name).toBe("qemu");
    if (kept?.event === "qemu") expect(Object.keys(kept.args), name).toEqual([...slots]);
  }
});
