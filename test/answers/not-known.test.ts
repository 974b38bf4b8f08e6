/**
 * "Not known" is never said as 0: recordings that do not tell which pages a device wrote, or show
 * devices whose writes they cannot tell. Their first line, their numbers and their status say so.
 */
import { describe, expect, test } from "vitest";
import { affected, attribute, choosePolicies, life, lost, stale } from "../../src/index.ts";
import { reportJson } from "../../src/report/json/report-json.ts";
import { staleJson } from "../../src/report/json/stale-json.ts";
import { affectedSentences } from "../../src/report/text/affected-text.ts";
import { attributeText } from "../../src/report/text/attribute-text.ts";
import { explainText } from "../../src/report/text/explain-text.ts";
import { reportText } from "../../src/report/text/report-text.ts";
import { staleText } from "../../src/report/text/stale-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { Guest } from "../support/guest.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { errorsOf } from "../support/schemas.ts";

const PLAIN = textStyle(false);
const TOOL = { name: "vhost-replay", version: "0", wasmSha256: "0".repeat(64) };

/** QEMU's log of a migration in which `events` happen before and `during` it; seconds, event. */
function migrationLog(before: readonly string[], during: readonly string[] = []): string {
  const lines = [
    "runstate_set current_run_state 6 (prelaunch) new_state 9 (running)",
    ...before,
    "migrate_set_state new state setup",
    "global_dirty_changed bitmask 0x1",
    "migration_bitmap_sync_start ",
    "migration_bitmap_sync_end dirty_pages 0",
    "migrate_set_state new state active",
    ...[0, 1, 2].map(
      (page) => `ram_save_page pc.ram: offset: 0x${page}000 host: 0x7f00000${page}000`,
    ),
    ...during,
    "migration_bitmap_sync_start ",
    "migration_bitmap_sync_end dirty_pages 0",
    "vm_state_notify running 0 reason 7 (finish-migrate)",
    "migration_bitmap_sync_start ",
    "migration_bitmap_sync_end dirty_pages 0",
    "migrate_set_state new state completed",
  ];
  return lines
    .map((event, i) => `77@17000001${String(i).padStart(2, "0")}.000000:${event}\n`)
    .join("");
}

/** An element of QEMU's own device, with and without the mappings that tell its addresses. */
const element = (mapped: boolean, elem: string): string[] => [
  ...(mapped
    ? [
        "address_space_map as:0x9000 addr 0x5000:10 write:0 attrs:0x0",
        "address_space_map as:0x9000 addr 0x100000:1000 write:1 attrs:0x0",
      ]
    : []),
  `virtqueue_pop vq 0x6000 elem ${elem} in_num 1 out_num 1`,
  `virtqueue_fill vq 0x6000 elem ${elem} len 4096 idx 0`,
  "virtqueue_flush vq 0x6000 count 1",
];

const reportOf = (answer: affected.Answer) =>
  reportText(answer, PLAIN, 8, { asksAffected: false, qemu: null, files: [] });

async function answersOf(log: string) {
  const recording = await recordingOf(memorySource("qemu.log", log));
  const [one, other] = [await lost.ask(recording), await stale.ask(recording)];
  const report = await affected.ask(recording, { policies: choosePolicies() });
  return {
    stale: other,
    machine: one.result.machines[0]!,
    affected: report,
    report: reportOf(report),
    staleText: staleText(other, PLAIN, 100),
    statuses: [lost.statusOf(one), stale.statusOf(other)],
  };
}

const codes = (limits: readonly { code: string }[]) => limits.map(({ code }) => code);

describe("a set of pages that is not known", () => {
  const cases: [string, string, RegExp][] = [
    [
      "no write has an address",
      migrationLog(element(false, "0x7000"), element(false, "0x7100")),
      /Without address_space_map events/,
    ],
    [
      "no data path is recorded",
      migrationLog(["vhost_dev_start 0x5000:vhost-scsi vrings:3"]),
      /No request completes in the recording/,
    ],
    ["no event of a device is recorded", migrationLog([]), /No request completes/],
  ];

  test.each(cases)(
    "%s: the first line says so, every number is null, status 3",
    async (_, log, why) => {
      const { stale: other, ...said } = await answersOf(log);
      expect(said.statuses).toEqual([3, 3]);
      for (const text of [said.report, said.staleText]) {
        expect(text.replace(/\s+/g, " ")).toMatch(
          /^It is not known which pages are stale at the destination\. /,
        );
        expect(text.replace(/\s+/g, " ")).toMatch(why);
        expect(text).not.toMatch(/: no page/);
      }
      expect(said.machine.written).toBeNull();
      const document = reportJson(TOOL, said.affected);
      expect(errorsOf("report", document)).toEqual([]);
      for (const { logged, lost: pages, stillLost: left } of document.machines[0]!.policies) {
        expect([logged, pages, left]).toEqual([null, null, null]);
      }
      const verdicts = staleJson(TOOL, other);
      expect(errorsOf("stale", verdicts)).toEqual([]);
      for (const { counts } of verdicts.machines[0]!.policies) {
        expect(new Set(Object.values(counts))).toEqual(new Set([null]));
      }
      expect(verdicts.machines[0]!.policies.length).toBeGreaterThan(0);
    },
  );

  test("every completion without its pop: what was written is in no event", async () => {
    const guest = new Guest();
    // One request that is popped and never completes; two that complete and were never popped.
    guest
      .submit(7, [[0x300000, 64]])
      .used(2, 5)
      .used(2, 6)
      .sync(0);
    const text = guest.events.map((event) => JSON.stringify(event)).join("\n");
    const one = await lost.ask(await recordingOf(memorySource("late", text)));
    expect(lost.statusOf(one)).toBe(3);
    expect(one.result.machines[0]!.policies.map(({ lost: pages }) => pages)).toEqual([null, null]);
    const report = await affected.ask(await recordingOf(memorySource("late", text)));
    expect(reportOf(report)).toMatch(/^No verdict: /);
  });
});

test("the life of a page without a verdict does not say that nothing wrote it", async () => {
  const lived = async (mapped: boolean) => {
    const log = migrationLog(element(mapped, "0x7000"));
    const range = { gpa: 0x400000, len: 4096 };
    return explainText(
      await life.ask(await recordingOf(memorySource("qemu.log", log)), { range }),
      PLAIN,
    );
  };
  expect(await lived(false)).toMatch(/^0x400000-0x400fff \(1 page\): it is not known who wrote it/);
  expect(await lived(true)).toMatch(/^0x400000-0x400fff \(1 page\): no write in this recording\./);
});

describe("a device that the recording shows, and its writes it cannot", () => {
  const seen = element(true, "0x7000");

  test.each([
    [
      "vhost-user",
      [
        "vhost_user_write req:1 flags:0x1",
        "vhost_dev_start 0x5000:virtio-blk vrings:1",
        "vhost_user_write req:11 flags:0x1",
      ],
      "qemu.log:3",
    ],
    [
      "vhost of the kernel, not probed",
      ["vhost_dev_start 0x5000:virtio-net vrings:2"],
      "qemu.log:2",
    ],
    ["vDPA", ["vhost_vdpa_dev_start dev: 0x5000 started: 1"], "qemu.log"],
    ["VFIO", ["vfio_get_device Device 0000:01:00.0 flags: 2, regions: 9, irqs: 5"], "qemu.log"],
  ])("%s: a limit with its place, as far as recorded, no status 0", async (_, events, place) => {
    const { machine, ...said } = await answersOf(migrationLog([...events, ...seen]));
    const limit = machine.limits.find(({ code }) => code === "devices-unseen");
    expect(limit?.effect).toBe("more");
    expect(limit?.places.map(({ file, at }) => `${file}${at}`)).toContain(place);
    expect(said.statuses).toEqual([3, 3]);
    expect(said.staleText.replace(/\s+/g, " ")).toMatch(
      /^Stale at the destination under [^:]*: no page as far as recorded/,
    );
    expect(said.report.replace(/\s+/g, " ")).toContain(
      "Nothing was lost as far as this recording shows",
    );
    expect(machine.certainty).toBe("lower");
  });

  test("QEMU's own devices do not acquit it: the first line of a report is no all-clear", async () => {
    const first = async (...unseen: string[]) => {
      const log = migrationLog([...unseen, ...seen]);
      const answer = await affected.ask(await recordingOf(memorySource("qemu.log", log)));
      return { answer: answer.affected[0]!.answer, text: affectedSentences(answer).join() };
    };
    expect(await first("vhost_dev_start 0x5000:virtio-net vrings:2")).toEqual({
      answer: "unknown",
      text: "Unknown: the devices are QEMU's own, and no page is stale at the destination (qemu-device) as far as this recording shows.",
    });
    expect(await first()).toEqual({
      answer: "not-affected",
      text: expect.stringMatching(/^Not affected: the devices are QEMU's own/),
    });
  });

  test("the patches are no all-clear either", async () => {
    const log = migrationLog(["vhost_dev_start 0x5000:virtio-net vrings:2", ...seen]);
    const answer = await attribute.ask(await recordingOf(memorySource("qemu.log", log)));
    expect(attribute.statusOf(answer)).toBe(3);
  });

  test("without such a device the same recording is clear: no limit, status 0", async () => {
    const { machine, ...said } = await answersOf(migrationLog(seen));
    expect(codes(machine.limits)).not.toContain("devices-unseen");
    expect(said.statuses).toEqual([0, 0]);
    expect(said.staleText.replace(/\s+/g, " ")).toMatch(
      /^Stale at the destination under [^:]*: no page;/,
    );
  });

  test("pages that are lost stay lost, whatever is not seen", async () => {
    const log = migrationLog(
      ["vhost_dev_start 0x5000:virtio-net vrings:2", ...seen],
      element(true, "0x7100"),
    );
    const { statuses } = await answersOf(log);
    expect(statuses[0]).toBe(1);
  });
});

describe("events that are missing from the middle", () => {
  const seen = element(true, "0x7000");
  // Two writers of one log in one line: what the first one told is not read.
  const damaged = [...seen, "virtqueue_pop vq 0x60"];

  test("no page is as far as recorded, the status is not 0, the host is not cleared", async () => {
    const { machine, ...said } = await answersOf(migrationLog(damaged));
    expect(codes(machine.limits)).toContain("events-unread");
    expect(said.statuses).toEqual([3, 3]);
    expect(affected.statusOf(said.affected)).toBe(3);
    expect(said.staleText.replace(/\s+/g, " ")).toMatch(
      /^Stale at the destination under [^:]*: no page as far as recorded/,
    );
    const own = await affected.ask(await recordingOf(memorySource("q", migrationLog(damaged))));
    expect(own.affected[0]!.answer).toBe("unknown");
    const text = reportText(own, PLAIN, 8, { asksAffected: true, qemu: null, files: [] });
    expect(text.replace(/\s+/g, " ")).toMatch(
      /^Unknown: the devices are QEMU's own, and no page is stale at the destination \(qemu-device\) as far as/,
    );
  });

  test("attribute says it, too", async () => {
    const log = migrationLog(damaged);
    const answer = await attribute.ask(await recordingOf(memorySource("qemu.log", log)));
    expect(attribute.statusOf(answer)).toBe(3);
    expect(attributeText(answer, PLAIN)).toMatch(
      /^Without the series no page is lost as far as this recording shows\./,
    );
  });

  test("ioctls that return and were never entered: what they changed is not known", async () => {
    const guest = new Guest();
    guest
      .submit(7, [[0x300000, 64]])
      .used(2, 7)
      .sync(0);
    const events = guest.events.map((event) => JSON.stringify(event));
    const after = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        JSON.stringify({ event: "ioctl_ret", ts: `${10 ** 15 + i}`, cpu: 0, pid: 77, ret: 0 }),
      );
    const ask = async (count: number) =>
      (
        await lost.ask(
          await recordingOf(memorySource("t", [...events, ...after(count)].join("\n"))),
        )
      ).result.machines[0]!;
    // One may have been entered before the recording began.
    expect(codes((await ask(1)).limits)).not.toContain("ioctls-unseen");
    const machine = await ask(3);
    expect(machine.limits.find(({ code }) => code === "ioctls-unseen")?.text).toMatch(/^2 ioctls/);
    expect(machine.certainty).toBe("bounds");
  });
});
