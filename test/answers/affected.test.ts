/** Is this host affected: the kernel that ran, what would have saved the pages, and what nothing does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  type Answer,
  ask,
  judge,
  type Options,
  reportPolicies,
  statusOf,
} from "../../src/answers/affected.ts";
import { mainMigration } from "../../src/answers/stale.ts";
import type { Source } from "../../src/bytes/source.ts";
import { kernelOf } from "../../src/commands/shared/migration-options.ts";
import { affectedText } from "../../src/report/text/affected-text.ts";
import { migrationsText } from "../../src/report/text/migration-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { qemuLog } from "../support/make-qemu-log.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { machineOf, resultOf } from "../support/report-fixture.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const trace = (...path: string[]): Source =>
  memorySource(path.at(-1)!, readFileSync(join(TRACES, ...path)));
const migration = [
  trace("migration", "6.1", "trace.txt.gz"),
  trace("migration", "6.1", "dst.simpletrace.gz"),
];
const DEBIAN = "Linux h 6.1.0-50-amd64 #1 SMP Debian 6.1.176-1 (2026-07-02) x86_64 GNU/Linux";

async function asked(sources: Source[], uname?: string, more: Options = {}): Promise<Answer> {
  const kernel = uname === undefined ? undefined : kernelOf(uname, "uname.txt");
  return ask(await recordingOf(...sources), { ...(kernel ? { kernel } : {}), ...more });
}
const textOf = (answer: Answer): string =>
  affectedText(answer.affected[0]!, answer.result.machines[0]!, "10.0.13", textStyle(false))
    .join("\n")
    .replaceAll(/\s+/g, " ");

describe("a real migration", () => {
  test("of the kernel that ran: affected, by these pages, saved by these patches", async () => {
    const answer = await asked(migration, DEBIAN);
    expect(answer.affected[0]).toMatchObject({
      ...{ answer: "affected", policy: "linux-6.1.146", measure: "stale" },
      ...{ pages: 1929, possibly: 12, unsaved: [], unattributed: 0 },
      saved: [{ patches: [4, 5, 6, 7], pages: 1941 }],
    });
    expect(answer.result.machines[0]!.policies.map(({ name }) => name)).toEqual([
      "linux-6.1.146",
      "linux-7.3",
    ]);
    expect(statusOf(answer)).toBe(1);
    const text = textOf(answer);
    expect(text).toContain("Affected: under Linux 6.1.0-50-amd64 (6.1.176) 1929 pages are stale");
    expect(text).toContain(
      "told by uname.txt; it counts as linux-6.1.146: the 6.1 tree is so since 6.1.146",
    );
    expect(text).toContain("QEMU 10.0.13.");
    expect(text).toContain("7 I/O queue is logged c2c5c259aad6 v6.16");
  });

  test("of a patched kernel, had it run: not affected, status 0", async () => {
    const answer = await asked(migration, "6.16.12+deb13-amd64");
    expect(answer.affected[0]).toMatchObject({ answer: "not-affected", pages: 0, saved: [] });
    expect(statusOf(answer)).toBe(0);
    expect(textOf(answer)).toMatch(
      /^Not affected: under Linux 6\.16\.12\+deb13-amd64 no page is stale/,
    );
  });

  test("that was cancelled did no damage yet, and says what one that completes would leave", async () => {
    const path = join(TRACES, "migration", "6.1", "trace.txt.gz");
    const text = gunzipSync(readFileSync(path)).toString("latin1");
    const cancelled = text.replace("new state completed", "new state cancelled");
    expect(cancelled).not.toBe(text);
    const answer = await asked([memorySource("trace.txt", cancelled)], DEBIAN);
    const [affected] = answer.affected;
    expect(affected).toMatchObject({ answer: "affected", measure: "lost", givenUp: "cancelled" });
    expect([affected!.pages, affected!.possibly]).toEqual([2453, 0]);
    expect(textOf(answer)).toMatch(
      /2453 guest pages would be left out of the dirty log\. No damage so far: the migration was cancelled, so no destination has old pages\./,
    );
    expect(textOf(answer)).not.toContain("restart it");
    expect(statusOf(answer)).toBe(1);
  });

  test("by LOG_ALL alone, several given up: each is listed, and one can be asked about", async () => {
    const toggles = [trace("vhost-scsi", "6.1.0-50-amd64", "12-toggle", "trace.txt.gz")];
    const answer = await asked(toggles, DEBIAN);
    expect(textOf(answer)).toContain(
      "No damage so far: all 6 migrations were cancelled (the dirty log went off)",
    );
    const [machine] = answer.result.machines;
    const list = migrationsText(machine!, textStyle(false), 4).join("\n");
    expect(list.match(/^ +>?\d .*cancelled/gm)).toHaveLength(4);
    expect(list).toContain("and 2 more");
    const one = await asked(toggles, DEBIAN, { migration: 2 });
    const second = mainMigration(one.result.machines[0]!);
    expect(second).toEqual(machine!.migrations[1]);
    await expect(asked(toggles, DEBIAN, { migration: 7 })).rejects.toThrow(
      "no migration 7: the recording has 6 migrations",
    );
  });

  test("without a kernel: affected if it is older than the patches", async () => {
    const answer = await asked(migration);
    expect(answer.affected[0]).toMatchObject({ answer: "unknown", kernel: null, policy: null });
    expect(answer.result.machines[0]!.policies.map(({ alias }) => alias)).toEqual([
      "unpatched",
      "patched",
    ]);
    expect(textOf(answer)).toContain("Affected if the host's kernel is older than Linux 6.16");
    expect(statusOf(answer)).toBe(1);
  });

  test("a vendor's kernel is the nearest row, and that is said", async () => {
    const text = textOf(await asked(migration, "5.14.0-427.13.1.el9_4.x86_64"));
    expect(text).toContain(
      "it counts as linux-6.1 (the nearest row): Red Hat takes changes into 5.14",
    );
  });
});

test("what no patch saves is said, by why", async () => {
  const answer = await asked(
    [trace("vhost-scsi/7.2.13+deb14-amd64/12-toggle/trace.txt.gz")],
    "7.2.13",
  );
  expect(answer.affected[0]).toMatchObject({ answer: "affected", measure: "lost", saved: [] });
  expect(answer.affected[0]!.unsaved.map(({ cause }) => cause)).toContain("io-late");
  expect(textOf(answer)).toMatch(/No patch saves .*popped before LOG_ALL was set/);
  expect(textOf(answer)).not.toContain("Linux 6.16 or later");
});

test("devices that are QEMU's own are answered under qemu-device", async () => {
  const guest = new QemuGuest().read(0x7f0000001000n, [0x379e000, 0x8000]);
  const source = memorySource("qemu.log", qemuLog(guest.lines, "tid@time"));
  const answer = await asked([source]);
  expect(answer.result.machines[0]!.policies.map(({ name }) => name)).toEqual(["qemu-device"]);
  expect(answer.affected[0]).toMatchObject({ ownDevices: true, policy: "qemu-device" });
  expect(statusOf(answer)).toBe(0);
  expect(textOf(answer)).toMatch(/^Not affected: the devices are QEMU's own/);
});

test("for a vhost-user back end no kernel is judged, nor any patch praised; --ran names its policy", () => {
  const [device] = machineOf().devices;
  const result = resultOf({ devices: [{ ...device!, driver: "vhost-user-blk" }] });
  const [machine] = result.machines;
  const asked = {
    ...{ policies: [], window: "auto" as const, syncMarker: null, ran: null, machine: null },
  };
  const told = (kernel: Parameters<typeof judge>[1]): string =>
    textOf({ asked, result, affected: [judge(machine!, kernel)] });
  for (const kernel of [null, kernelOf("6.16.3", "uname.txt")!]) {
    const affected = judge(machine!, kernel);
    expect(affected).toMatchObject({ answer: "unknown", backEnd: true, policy: null, saved: [] });
    expect(told(kernel)).toMatch(/^Unknown: the devices are of a vhost-user back end/);
    expect(told(kernel)).not.toMatch(/Patches|Linux/);
  }
});

test("policies of a report: the one that ran, the last unpatched, the newest, where they differ", () => {
  const names = (uname: string): string[] =>
    reportPolicies(kernelOf(uname, "")).map(({ policy }) => policy.name);
  expect(names("6.12.40")).toEqual(["linux-6.12.31", "linux-7.3"]);
  expect(names("6.16.3")).toEqual(["linux-6.16", "linux-6.15", "linux-7.3"]);
  expect(names("7.3.1")).toEqual(["linux-7.3", "linux-6.15"]);
});

describe("a back end that the probes of the recording name", () => {
  const recorded = (folder: string, file: string): Source[] => [
    trace("vhost-user", ...folder.split("/"), file),
  ];
  test.each([
    ["record-libvhost-user-blk/plain", "trace.txt.gz", "libvhost-user"],
    ["uprobe-spdk-blk/09-switches", "uprobe.txt.gz", "spdk-split"],
  ])("%s is judged by its own row, whatever kernel the host has", async (folder, file, policy) => {
    const answer = await asked(recorded(folder, file), DEBIAN);
    expect(answer.affected[0]).toMatchObject({ backEnd: true, policy });
    expect(answer.result.machines[0]!.policies.map(({ name }) => name)).toEqual([policy]);
    expect(answer.result.machines[0]!.devices[0]!.backEnd).toBe(policy);
    expect(textOf(answer)).toContain(`Ran: ${policy}, told by the probes of the recording.`);
  });

  test("--ran with the row of another back end stands", async () => {
    const kernel = { policy: findPolicy("spdk-packed"), toldBy: "--ran", release: "spdk-packed" };
    const answer = await ask(
      await recordingOf(...recorded("uprobe-spdk-blk/09-switches", "uprobe.txt.gz")),
      { kernel: { ...kernel, reason: null, sure: true } },
    );
    expect(answer.affected[0]).toMatchObject({ policy: "spdk-packed", answer: "affected" });
  });

  test("what a front end saw names no back end", async () => {
    const answer = await asked(recorded("libvhost-user-blk/09-switches", "trace.ndjson.gz"));
    expect(answer.affected[0]).toMatchObject({ answer: "unknown", policy: null });
  });
});
