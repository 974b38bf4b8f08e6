/**
 * Recordings of real QEMUs: the three forms of one run, the naive twin, what `info migrate` said,
 * and the pages that a device wrote against the pages that were sent.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Source } from "../../src/bytes/source.ts";
import type { MigrationResult } from "../../src/model/migration-result.ts";
import type { RequestRecord } from "../../src/model/told.ts";
import type { Recording } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import type { TraceLine } from "../support/make-qemu-log.ts";
import { memorySource, type OneMachine, recordingOf, replayOne } from "../support/memory-source.ts";
import { verdictOf } from "../support/migration-guest.ts";
import { oracleElements, pagesOfBuffers } from "../support/qemu-oracle.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/qemu");
const FORMS = "10.0-forms";
/** Elements that were popped, and lines `ram_save_page`, of its log. */
const POPPED = 105;
const SENT = 5698;
const bytesOf = (path: string): Buffer => gunzipSync(readFileSync(join(FOLDER, path)));
const source = (path: string): Source => memorySource(path, readFileSync(join(FOLDER, path)));

/** Lines of a log that the naive twin needs; arguments by their own small patterns. */
const PATTERNS: readonly [string, RegExp][] = [
  ["address_space_map", /^as:(\S+) addr (0x[0-9a-f]+):([0-9a-f]+) write:(\d) attrs:(\S+)/],
  ["virtqueue_pop", /^vq (\S+) elem (\S+) in_num (\d+) out_num (\d+)/],
  ["virtqueue_fill", /^vq (\S+) elem (\S+) len (\d+) idx (\d+)/],
  ["virtio_scsi_cmd_req", /^virtio_scsi_cmd_req lun=(\d+) tag=(0x[0-9a-f]+) cmd=(0x[0-9a-f]+)/],
  [
    "virtio_scsi_cmd_resp",
    /^virtio_scsi_cmd_resp lun=(\d+) tag=(0x[0-9a-f]+) response=(-?\d+) status=(0x[0-9a-f]+)/,
  ],
  ["virtio_scsi_tmf_req", /^virtio_scsi_tmf_req lun=(\d+) tag=(0x[0-9a-f]+) subtype=(\d+)/],
  ["global_dirty_changed", /^bitmask (0x[0-9a-f]+)/],
  ["ram_save_page", /^(\S+): offset: (0x[0-9a-f]+) host: (\S+)/],
  ["migration_bitmap_sync_start", /^()/],
];
const WANTED = new Map(PATTERNS);

function linesOf(text: string): TraceLine[] {
  const lines: TraceLine[] = [];
  for (const line of text.split("\n")) {
    const match = /^(?:(\d+)@(\d+)\.(\d{6}):|(\S+Z) )(\w+) ?(.*)$/.exec(line);
    const pattern = match && WANTED.get(match[5]!);
    if (!match || !pattern) continue;
    const args = pattern.exec(match[6]!);
    if (!args) throw new Error(`no arguments: ${line}`);
    const ns = match[2] ? BigInt(match[2] + match[3]!) * 1000n : 0n;
    const values = args.slice(1).map((value, i) => {
      if (match[5] === "ram_save_page" && i === 0) return value;
      if (match[5] === "address_space_map" && i === 2) return BigInt(`0x${value}`);
      return value === "" ? 0n : value === "(nil)" ? 0n : BigInt(value);
    });
    lines.push({ ns, tid: Number(match[1] ?? 0), name: match[5]!, args: values });
  }
  return lines;
}

interface Seen {
  requests: string[];
  result: OneMachine;
  migration: MigrationResult | undefined;
  /** Pages that each policy logged, over all rounds; the first one logs all that is written. */
  logged: Set<number>[];
}

const POLICIES = ["spdk-split", "qemu-device", "linux-6.1", "linux-6.16"];

async function replayOf(...sources: Source[]): Promise<Seen> {
  const recording: Recording = await recordingOf(...sources);
  const requests: string[] = [];
  const logged = POLICIES.map(() => new Set<number>());
  const result = await replayOne(recording, {
    policies: POLICIES.map((name) => ({ policy: findPolicy(name), alias: null })),
    window: "recorded",
    ran: findPolicy("qemu-device"),
    onRequest: (request) => {
      requests.push(essence(request));
    },
    onSync: (view) => {
      for (const [i, pages] of logged.entries()) for (const page of view.pages(i)) pages.add(page);
    },
  });
  return { requests, result, migration: result.migrations[0], logged };
}

function essence(r: RequestRecord): string {
  const buffers = (list: RequestRecord["reads"]) =>
    list.map(({ gpa, len }) => `${gpa.toString(16)}+${len}`).join(",");
  const named = r.opcode === null ? "-" : `${r.lun} ${r.tag} ${r.opcode} ${r.response} ${r.status}`;
  return `${r.element} ${r.state} ${buffers(r.reads)} ${buffers(r.writes)} ${named} ${r.used?.len ?? "-"}`;
}

describe("10.0, one run in three forms", () => {
  let log: Seen;
  let lines: TraceLine[];

  test("log: 105 elements, none left over, those of the naive twin", async () => {
    log = await replayOf(source(`${FORMS}/src.log.gz`));
    lines = linesOf(bytesOf(`${FORMS}/src.log.gz`).toString("latin1"));
    const queues = log.result.devices.flatMap(({ queues: own }) => own);
    const sum = (key: "popped" | "unknownHead" | "dropped"): number =>
      queues.reduce((total, queue) => total + queue[key], 0);
    expect([sum("popped"), sum("unknownHead")]).toEqual([POPPED, 0]);
    expect(log.requests).toHaveLength(POPPED);
    const oracle = oracleElements(lines);
    expect(oracle.unknown).toBe(0);
    const twin = oracle.elements.map((e) => {
      expect(e.addressed).toBe(true);
      const buffers = (list: { gpa: number; len: number }[]) =>
        list.map(({ gpa, len }) => `${gpa.toString(16)}+${len}`).join(",");
      const named =
        e.opcode === null
          ? "-"
          : `${e.lun} 0x${e.tag!.toString(16)} 0x${e.opcode.toString(16).padStart(2, "0")} ${e.response} ${e.status}`;
      return `${e.element} ${e.state} ${buffers(e.reads)} ${buffers(e.writes)} ${named} ${e.usedLen ?? "-"}`;
    });
    expect(log.requests.toSorted()).toEqual(twin.toSorted());
  });

  test("the migration: 5 syncs, 5,698 pages with data", () => {
    expect(log.migration).toMatchObject({
      outcome: "completed",
      syncs: 5,
      sends: { data: SENT },
      sendTimes: "source",
    });
  });

  test("unpatched vhost-scsi would have left out exactly what the devices wrote", () => {
    const { elements } = oracleElements(lines);
    const written = pagesOfBuffers(
      elements.filter((e) => e.state === "completed" && e.logging).flatMap(({ writes }) => writes),
    );
    const sorted = (set: Set<number>): number[] => [...set].sort((a, b) => a - b);
    expect(sorted(log.logged[0]!)).toEqual(sorted(written));
    expect(log.logged[2]!.size).toBe(0);
    expect(log.result.policies.find(({ name }) => name === "linux-6.1")!.lost).toBe(written.size);
    expect(log.result.written).toBe(written.size);
  });

  test("every page written after the first sync is sent at or after its fill: none is stale", () => {
    expect(verdictOf(log.migration!, "qemu-device")).toMatchObject({ stale: [], possible: [] });
    // The same, from the lines of the log alone.
    const first = lines.findIndex(({ name }) => name === "migration_bitmap_sync_start");
    const lastSend = new Map<number, number>();
    const lastWrite = new Map<number, number>();
    const elements = oracleElements(lines).elements.filter((e) => e.state === "completed");
    let next = 0;
    lines.forEach(({ name, args }, i) => {
      if (name === "ram_save_page" && args[0] === "pc.ram") {
        lastSend.set(Number(BigInt(args[1]!) / 4096n), i);
      }
      if (name !== "virtqueue_fill") return;
      const { writes } = elements[next++]!;
      if (i > first) for (const page of pagesOfBuffers(writes)) lastWrite.set(page, i);
    });
    expect(lastWrite.size).toBeGreaterThan(1000);
    const early = [...lastWrite].filter(([page, at]) => (lastSend.get(page) ?? -1) < at);
    expect(early).toEqual([]);
  });

  test.each([
    ["src.simpletrace.gz", false],
    // The ring buffer holds what the destination's QEMU wrote, too.
    ["ftrace.txt.gz", true],
  ])("%s is the same", async (name, both) => {
    const other = await replayOf(source(`${FORMS}/${name}`));
    const expected = [...log.requests];
    if (both) expected.push(...(await replayOf(source(`${FORMS}/dst.log.gz`))).requests);
    expect(other.requests.length).toBe(expected.length);
    expect(other.requests.toSorted()).toEqual(expected.toSorted());
    expect(other.logged.map((set) => [...set].sort((a, b) => a - b))).toEqual(
      log.logged.map((set) => [...set].sort((a, b) => a - b)),
    );
    expect(other.migration).toMatchObject({ syncs: 5, sends: { data: SENT } });
    for (const policy of ["qemu-device", "linux-6.16"]) {
      const a = verdictOf(other.migration!, policy);
      const b = verdictOf(log.migration!, policy);
      expect([a.stale, a.possible]).toEqual([b.stale, b.possible]);
    }
  });

  test("source and destination: what arrived as zeros was sent as such", async () => {
    const flags = /ram_load_loop pc\.ram: addr: \S+ flags: 0x([0-9a-f]+)/g;
    const text = bytesOf(`${FORMS}/dst.log.gz`).toString("latin1");
    const zero = [...text.matchAll(flags)].filter(([, bits]) => Number(`0x${bits}`) & 2).length;
    expect(zero).toBe(8);
    for (const form of ["log", "simpletrace"]) {
      const both = await replayOf(
        source(`${FORMS}/src.${form}.gz`),
        source(`${FORMS}/dst.${form}.gz`),
      );
      expect(both.migration).toMatchObject({
        sendTimes: "source-and-destination",
        sends: { data: SENT, zero },
      });
      expect(verdictOf(both.migration!, "qemu-device")).toMatchObject({ stale: [], possible: [] });
    }
  });
});

describe("other versions", () => {
  test("11.1, without thread numbers", async () => {
    const seen = await replayOf(source("11.1.log.gz"));
    const lines = linesOf(bytesOf("11.1.log.gz").toString("latin1"));
    const oracle = oracleElements(lines);
    const queues = seen.result.devices.flatMap(({ queues: own }) => own);
    const popped = lines.filter(({ name }) => name === "virtqueue_pop").length;
    expect(popped).toBeGreaterThan(400);
    expect(queues.reduce((sum, queue) => sum + queue.popped, 0)).toBe(popped);
    expect(queues.reduce((sum, queue) => sum + queue.unknownHead, 0)).toBe(oracle.unknown);
    expect(seen.requests.filter((r) => !r.includes("unknown-head"))).toHaveLength(popped);
    expect(seen.result.inputs[0]!.notes.join(" ")).toContain("no thread numbers");
  });

  test("7.2: counts, no addresses, and which event is missing", async () => {
    const seen = await replayOf(source("7.2.log.gz"));
    const lines = linesOf(bytesOf("7.2.log.gz").toString("latin1"));
    const popped = lines.filter(({ name }) => name === "virtqueue_pop").length;
    expect(popped).toBeGreaterThan(100);
    const queues = seen.result.devices.flatMap(({ queues: own }) => own);
    expect(queues.reduce((sum, queue) => sum + queue.popped, 0)).toBe(popped);
    // Two pages of used rings are known, but not what requests wrote: there is no number to give.
    expect(seen.result.written).toBeNull();
    expect(seen.result.policies.map(({ lost }) => lost)).toEqual(
      seen.result.policies.map(() => null),
    );
    expect(seen.result.limits.map(({ text }) => text).join(" ")).toContain("address_space_map");
    expect(seen.migration).toMatchObject({ outcome: "completed", syncs: 4 });
  });

  test("vhost-user: the syncs of the vhost log", async () => {
    const seen = await replayOf(source("10.0-vhost-user.log.gz"));
    expect(seen.migration).toMatchObject({ outcome: "completed", syncs: 4 });
  });
});
