/**
 * Less of a recording never makes a surer answer. Of every text in traces/ something is hidden: each name
 * of an event, each CPU, each tenth, the end behind each tenth. No page goes from lost or stale to none
 * with a certain answer.
 *
 * All hidings of texts up to 200 KB, and less of longer ones, at even distances: 1 MB of text costs as
 * long as twenty small recordings.
 */
import { describe, expect, test } from "vitest";
import type { ReplayResult } from "../../src/model/result.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { hidings, surerThan, textRecordings } from "../support/hidings.ts";
import { memorySource, replayMachines } from "../support/memory-source.ts";

const POLICIES = ["linux-6.1", "linux-6.16"].map((name) => ({
  policy: findPolicy(name),
  alias: null,
}));

/** Bytes that a recording may cost, and hidings that it has at the least. */
const BUDGET = 6_000_000;
const LEAST = 4;

function replayed(text: string): Promise<ReplayResult> {
  return replayMachines([memorySource("trace", text)], {
    policies: POLICIES,
    window: "auto",
    runLimit: Number.POSITIVE_INFINITY,
  });
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
