/**
 * How migrations go: what tells it in recordings of each kind, and what QEMU was told. Folders `qemu-…` are of
 * QEMU 10.0 on its own virtio-scsi, whose memories were equal at both sides.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseClockPairs } from "../../../src/join/clock-pair.ts";
import { MIGRATION_KINDS, type MigrationKindName } from "../../../src/model/migration-kind.ts";
import { fileSource, nodeSurroundings } from "../../../src/node/index.ts";
import { MigrationSettings, settingsOfTranscript } from "../../../src/qemu/migration-settings.ts";
import { findPolicy } from "../../../src/vhost/policy.ts";
import { coreModule, memorySource, recordingOf, replayOne } from "../../support/memory-source.ts";
import { MigrationGuest, replayMigration, verdictOf } from "../../support/migration-guest.ts";

const TRACES = join(import.meta.dirname, "../../../traces/migration");

async function migrationsOf(folder: string, policy: string) {
  const at = (name: string): string => join(TRACES, folder, name);
  const files = ["trace.txt.xz", "src.log.xz", "dst.log.xz"].map(at).filter(existsSync);
  const pairs = existsSync(at("clock.txt"))
    ? { clockPairs: parseClockPairs(readFileSync(at("clock.txt"), "utf8"), "clock.txt") }
    : {};
  const sources = files.map((file) => fileSource(file));
  const { migrations } = await replayOne(
    { sources, surroundings: nodeSurroundings(() => {}), module: await coreModule(), ...pairs },
    { policies: [{ policy: findPolicy(policy), alias: null }], window: "auto" },
  );
  return migrations;
}

describe.each<[folder: string, policy: string, kinds: MigrationKindName[], told: string[]]>([
  ["autoconverge", "linux-6.1", [], []],
  [
    "hotplug",
    "linux-6.1",
    ["hotplugged-memory", "hotplugged-device"],
    ["vhost_region_add_section", "SET_OWNER"],
  ],
  ["mapped-ram", "linux-6.1", ["mapped-ram"], ["ram_load_complete"]],
  ["multifd", "linux-6.1", ["multifd"], ["multifd_send_fill"]],
  ["multifd-legacy", "linux-6.1", ["multifd"], ["multifd_send_fill"]],
  ["postcopy", "linux-7.3", ["postcopy"], ["postcopy_start"]],
  ["qemu-11.1", "linux-6.1", [], []],
  ["slow-disk", "linux-6.1", [], []],
  ["qemu-xbzrle", "qemu-device", ["xbzrle"], ["migrate-set-capabilities"]],
  [
    "qemu-postcopy-preempt",
    "qemu-device",
    ["postcopy", "postcopy-preempt"],
    ["postcopy_start", "migrate-set-capabilities"],
  ],
  ["qemu-cancel-restart", "qemu-device", ["restarted"], ["migrate_set_state"]],
  ["qemu-auto-converge", "qemu-device", ["auto-converge"], ["migrate-set-capabilities"]],
  [
    "qemu-mapped-ram",
    "qemu-device",
    ["mapped-ram", "file"],
    ["migrate-set-capabilities", "migration_file_outgoing"],
  ],
  ["qemu-snapshot-file", "qemu-device", ["file"], ["migration_file_outgoing"]],
  [
    "qemu-savevm-like",
    "qemu-device",
    ["file", "guest-stopped"],
    ["migration_file_outgoing", "runstate_set"],
  ],
  [
    "qemu-cpr-reboot",
    "qemu-device",
    ["file", "guest-stopped", "cpr-reboot"],
    ["migration_file_outgoing", "runstate_set", "cpr_state_save"],
  ],
  // The guest of these two is firmware: its disk writes nothing in the migration.
  ["qemu-dirty-ring", "linux-6.1", ["dirty-ring"], ["kvm_dirty_ring_page"]],
  [
    "qemu-dirty-limit",
    "linux-6.1",
    ["dirty-limit", "dirty-ring"],
    ["migrate-set-capabilities", "kvm_dirty_ring_page"],
  ],
])("%s", (folder, policy, kinds, told) => {
  test(`${kinds.join(", ") || "plain pre-copy"}; of QEMU's own devices no page is stale`, async () => {
    const migration = (await migrationsOf(folder, policy)).at(-1)!;
    expect(migration.outcome).toBe("completed");
    expect(migration.kinds.map(({ kind }) => kind)).toEqual(kinds);
    expect(migration.kinds.map((one) => one.told)).toEqual(told);
    if (policy === "qemu-device") expect(migration.verdicts[0]!.worst).toBe(0);
  });
});

test("cancelled, then started again: two migrations, and only the second has a verdict", async () => {
  const [first, second] = await migrationsOf("qemu-cancel-restart", "qemu-device");
  expect([first!.outcome, first!.verdicts.length]).toEqual(["cancelled", 0]);
  expect([second!.outcome, second!.verdicts.length]).toEqual(["completed", 1]);
});

test("a background snapshot takes no dirty log: it is named, and has no verdict", async () => {
  const [snapshot] = await migrationsOf("qemu-background-snapshot", "qemu-device");
  expect(snapshot).toMatchObject({ outcome: "completed", syncs: 0, verdicts: [] });
  expect(snapshot!.kinds.map(({ kind }) => kind)).toEqual(["file", "background-snapshot"]);
});

describe("events alone", () => {
  const PAGE = 0x202;
  const kindsOf = async (
    act: (guest: MigrationGuest) => unknown,
  ): Promise<Record<string, string>> => {
    const guest = new MigrationGuest().slot().start().bitmapSync().save(PAGE).flush();
    act(guest);
    const { migrations } = await replayMigration(guest.switchover().end() as MigrationGuest);
    return Object.fromEntries(migrations[0]!.kinds.map(({ kind, told }) => [kind, told]));
  };

  test.each([
    ["migration_throttle", {}, "auto-converge"],
    ["migration_dirty_limit_guest", { dirtyrate: 5 }, "dirty-limit"],
    ["save_xbzrle_page_skipping", {}, "xbzrle"],
    ["save_xbzrle_page_overflow", {}, "xbzrle"],
    ["postcopy_preempt_enabled", { value: 1 }, "postcopy-preempt"],
    ["migration_set_outgoing_channel", { ioc: "0x1", ioctype: "qio-channel-file" }, "file"],
    ["cpr_state_save", { mode: "cpr-exec" }, "cpr-exec"],
    ["cpr_state_save", { mode: "cpr-transfer" }, "cpr-transfer"],
  ])("%s %j", async (name, args, kind) => {
    const kinds = await kindsOf((g) => g.qemu(name, args as Record<string, string>));
    expect(Object.keys(kinds)).toEqual([kind]);
  });

  test.each([
    ["postcopy_preempt_enabled", { value: 0 }],
    ["migration_set_outgoing_channel", { ioc: "0x1", ioctype: "qio-channel-socket" }],
    ["cpr_state_save", { mode: "normal" }],
    ["qmp_enter_migrate_set_capabilities", { json: '{"capabilities": [{"capab' }],
  ])("%s %j says nothing", async (name, args) => {
    expect(await kindsOf((g) => g.qemu(name, args as Record<string, string>))).toEqual({});
  });
});

describe("a guest that is stopped before the log goes on", () => {
  test("what its devices wrote before is in the first pass: nothing is stale", async () => {
    const PAGE = 0x202;
    const state = (g: MigrationGuest, from: string, to: string): MigrationGuest =>
      g.qemu("runstate_set", {
        ...{ current_state: 0, current_state_str: from, new_state: 1, new_state_str: to },
      });
    const guest = state(new MigrationGuest().slot(), "prelaunch", "running").writePages(PAGE);
    state(guest, "running", "finish-migrate").qemu("cpr_state_save", { mode: "cpr-transfer" });
    guest.start().bitmapSync().save(PAGE).flush().switchover().end();
    const { migrations } = await replayMigration(guest);
    const [migration] = migrations;
    expect(migration!.kinds.map(({ kind }) => kind)).toEqual(["guest-stopped", "cpr-transfer"]);
    expect(BigInt(migration!.stoppedNs!)).toBeLessThan(BigInt(migration!.logOn.ns));
    expect(verdictOf(migration!, "linux-6.1").verdict.worst).toBe(0);
  });
});

describe("what QEMU was told", () => {
  const capability = (name: string, state = true): string =>
    `{"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "${name}", "state": ${state}}]}}`;

  test("capabilities, mode and where to, as the commands of a transcript", () => {
    const text = [
      '{"QMP": {"version": {}}}',
      capability("auto-converge"),
      capability("mapped-ram"),
      `{"t": 1.5, "dir": ">", "msg": ${capability("mapped-ram", false)}}`,
      '{"execute": "migrate-set-parameters", "arguments": {"mode": "cpr-reboot"}}',
      '{"execute": "migrate", "arguments": {"uri": "file:/srv/guest"}}',
      '{"execute": "migrate", "arguments": {"uri"',
    ].join("\n");
    expect(settingsOfTranscript(text).kinds()).toEqual([
      { kind: "auto-converge", told: "migrate-set-capabilities" },
      { kind: "cpr-reboot", told: "migrate-set-parameters" },
      { kind: "file", told: "migrate" },
    ]);
  });

  test("arguments of another shape say nothing", () => {
    const settings = new MigrationSettings();
    for (const args of [null, 7, [], { capabilities: [null, 1, { capability: 2 }] }, { mode: 1 }]) {
      settings.command("migrate-set-capabilities", args);
      settings.command("migrate_set_parameters", args);
    }
    expect(settings.kinds()).toEqual([]);
  });

  test("is in force for the migration that begins next; post-copy only when it began", async () => {
    const guest = new MigrationGuest().slot().start().bitmapSync().switchover().end();
    const settings = settingsOfTranscript(
      [capability("x-colo"), capability("postcopy-preempt")].join("\n"),
    );
    const { migrations } = await replayOne(
      { ...(await recordingOf(memorySource("case", guest.ndjson()))), migrationSettings: settings },
      { policies: [{ policy: findPolicy("linux-6.1"), alias: null }], window: "auto" },
    );
    expect(migrations[0]!.kinds).toEqual([
      { kind: "colo", ns: null, told: "migrate-set-capabilities" },
    ]);
  });
});

test("docs/qemu.md has a rule for every kind", () => {
  const docs = readFileSync(join(import.meta.dirname, "../../../docs/qemu.md"), "utf8");
  for (const kind of Object.keys(MIGRATION_KINDS)) {
    expect(docs, kind).toMatch(new RegExp(`^\\| \`${kind}\` \\|`, "m"));
  }
});
