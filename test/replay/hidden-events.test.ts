/**
 * Less of a recording never makes a surer answer. Of every text in traces/ something is hidden: each name
 * of an event, each CPU, each tenth, the end behind each tenth; of files of trace-cmd each page is zeros. No
 * page goes from lost or stale to none with a certain answer.
 *
 * All hidings of texts up to 200 KB, and less of longer ones, at even distances: 1 MB of text costs as
 * long as twenty small recordings.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseClockPairs } from "../../src/join/clock-pair.ts";
import type { ReplayResult } from "../../src/model/result.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { hidings, surerThan, textRecordings } from "../support/hidings.ts";
import { memorySource, replayMachines } from "../support/memory-source.ts";
import { zeroedPages } from "../support/zero-pages.ts";

const POLICIES = ["linux-6.1", "linux-6.16"].map((name) => ({
  policy: findPolicy(name),
  alias: null,
}));

const OPTIONS = {
  policies: POLICIES,
  window: "auto",
  runLimit: Number.POSITIVE_INFINITY,
} as const;

/** Bytes that a recording may cost, and hidings that it has at the least. */
const BUDGET = 6_000_000;
const LEAST = 4;

function replayedFile(file: Uint8Array): Promise<ReplayResult> {
  return replayMachines([memorySource("trace.dat", file)], OPTIONS);
}

function replayed(text: string): Promise<ReplayResult> {
  return replayMachines([memorySource("trace", text)], OPTIONS);
}

const FOLDERS = ["vhost-scsi", "vhost-scsi-variants", "vhost-net", "vhost-vsock", "vhost-user"];

describe.each(FOLDERS)("%s", (folder) => {
  const recordings = textRecordings(folder);

  test("nothing that is hidden of a recording makes the answer surer", async () => {
    expect(recordings.length).toBeGreaterThan(3);
    const surer: string[] = [];
    let compared = 0;
    for (const { name, read } of recordings) {
      const text = read();
      const all = await replayed(text);
      const most = Math.max(LEAST, Math.floor(BUDGET / text.length));
      for (const hiding of hidings(text, most)) {
        let less: ReplayResult;
        try {
          less = await replayed(hiding.text);
        } catch {
          // No recording any more: an error is no answer.
          continue;
        }
        compared++;
        const { whole, notes } = less.inputs[0]!;
        // A text that states nothing, of which the rest is a whole one: its note says so.
        if (hiding.byPlace && !whole && notes.some((note) => note.includes("as far as it goes"))) {
          continue;
        }
        surer.push(
          ...surerThan(all, less).map((text) => `${name} without ${hiding.what}: ${text}`),
        );
      }
    }
    expect(surer).toEqual([]);
    expect(compared).toBeGreaterThan(recordings.length * 3);
  });
});

/** A migration: the kernel's probes, and QEMU's log beside them or in the same file. */
const MIGRATIONS = [
  ["6.1", ["trace.txt.gz"]],
  ["6.1-inflight", ["trace.txt.gz", "src.log.gz"]],
  ["6.16-inflight", ["trace.txt.gz", "src.log.gz"]],
] as const;
/** Hidings of each of its files, at even distances: all are 20 times as many. */
const OF_MIGRATIONS = 9;

describe("a migration", () => {
  test.each(MIGRATIONS)("on %s: nothing hidden makes the verdict surer", async (run, files) => {
    const folder = join(import.meta.dirname, "../../traces/migration", run);
    const texts = files.map((file) =>
      gunzipSync(readFileSync(join(folder, file))).toString("latin1"),
    );
    const pairs = files.length > 1 ? readFileSync(join(folder, "clock.txt"), "utf8") : "";
    const verdicts = (all: readonly string[]): Promise<ReplayResult> =>
      replayMachines(
        all.map((text, i) => memorySource(files[i]!, text)),
        { ...OPTIONS, stalePages: true },
        { clockPairs: pairs === "" ? [] : parseClockPairs(pairs, "clock.txt") },
      );
    const whole = await verdicts(texts);
    expect(whole.machines[0]!.migrations[0]!.verdicts[0]!.worst).toBeGreaterThan(0);
    const surer: string[] = [];
    for (const [i, text] of texts.entries()) {
      for (const hiding of hidings(text, OF_MIGRATIONS)) {
        const less = await verdicts(texts.with(i, hiding.text));
        surer.push(
          ...surerThan(whole, less).map((one) => `${files[i]} without ${hiding.what}: ${one}`),
        );
      }
    }
    expect(surer).toEqual([]);
  });
});

describe("trace.dat", () => {
  test.each([
    "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat",
    "vhost-scsi/7.2.13+deb14-amd64/12-toggle/trace.dat",
    "vhost-scsi-variants/6.1-record/09-events/record.dat",
  ])("no page of %s that is zeros makes the answer surer", async (name) => {
    const file = readFileSync(join(import.meta.dirname, "../../traces", name));
    const all = await replayedFile(file);
    const pages = await zeroedPages(file);
    expect(pages.length).toBeGreaterThan(3);
    const surer: string[] = [];
    for (const { cpu, page, file } of pages) {
      const less = await replayedFile(file());
      const [machine] = less.machines;
      expect(machine?.limits.map(({ code }) => code)).toContain("events-unread");
      surer.push(...surerThan(all, less).map((text) => `CPU ${cpu}, page ${page}: ${text}`));
    }
    expect(surer).toEqual([]);
  });
});
