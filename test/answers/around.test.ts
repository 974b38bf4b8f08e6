/** Every place that an answer prints opens: the event that stands there, and what is around it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ask as report } from "../../src/answers/affected.ts";
import { ask } from "../../src/answers/around.ts";
import type { Source } from "../../src/bytes/source.ts";
import { formatPlace } from "../../src/model/place.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const trace = (path: string): Source =>
  memorySource(`in/${path.split("/").at(-1)}`, readFileSync(join(TRACES, path)));

describe.each([
  [["vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"]],
  [["vhost-scsi/7.2.13+deb14-amd64/12-toggle/trace.dat"]],
  [["migration/6.1/trace.txt.gz", "migration/6.1/dst.simpletrace.gz"]],
])("%j", (paths) => {
  test("places of evidence open at the very event, with the folder or without", async () => {
    const recording = await recordingOf(...paths.map(trace));
    const [result] = (await report(recording)).result.machines;
    const pages = result!.migrations.flatMap(({ verdicts }) => verdicts.flatMap((v) => v.pages));
    const writes = [
      ...result!.findings.map(({ first }) => first),
      ...pages.map(({ write }) => write),
    ];
    expect(writes.length).toBeGreaterThan(0);
    const every = Math.ceil(writes.length / 6);
    for (const write of writes.filter((_, i) => i % every === 0)) {
      for (const [place, ns] of [
        [write.place, write.ns],
        [write.popPlace, write.popNs],
      ] as const) {
        if (!place || ns === null) continue;
        const text = formatPlace(place);
        const { events, at, alone } = await ask(recording, { place: text, count: 3 });
        expect([events[at]!.place, events[at]!.ts, alone]).toEqual([text, ns, false]);
        expect(events.length).toBeGreaterThan(3);
        const short = await ask(recording, { place: text.replace("in/", ""), count: 0 });
        expect(short.events.map((event) => event.place)).toEqual([text]);
      }
    }
  });
});

test("a place of a destination opens by itself", async () => {
  const recording = await recordingOf(
    trace("migration/6.1/trace.txt.gz"),
    trace("migration/6.1/dst.simpletrace.gz"),
  );
  const { events, at, alone } = await ask(recording, {
    place: "dst.simpletrace.gz@0x340c3",
    count: 1,
  });
  expect(alone).toBe(true);
  expect(events[at]).toMatchObject({ event: "qemu", name: "vhost_region_add_section" });
});

test("a place where no event stands, and one of no recording, are said", async () => {
  const recording = await recordingOf(trace("vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"));
  await expect(ask(recording, { place: "trace.txt.gz:1", count: 1 })).rejects.toThrow(
    "trace.txt.gz:1: no event stands there",
  );
  await expect(ask(recording, { place: "other.txt:1", count: 1 })).rejects.toThrow(
    "none of the recordings has that name (in/trace.txt.gz)",
  );
});
