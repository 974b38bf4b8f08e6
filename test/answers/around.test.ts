/** Every place that an answer prints opens: the event that stands there, and what is around it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ask as report } from "../../src/answers/affected.ts";
import { ask } from "../../src/answers/around.ts";
import type { Source } from "../../src/bytes/source.ts";
import { formatPlace } from "../../src/model/place.ts";
import { aroundText } from "../../src/report/text/around-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
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
        expect([events[at!]!.place, events[at!]!.ts, alone]).toEqual([text, ns, false]);
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
  expect(events[at!]).toMatchObject({ event: "qemu", name: "vhost_region_add_section" });
});

test("a place of a header, of a line that cannot be read, and of its column open where they stand", async () => {
  const path = join(TRACES, "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz");
  const lines = gunzipSync(readFileSync(path)).toString("latin1").split("\n");
  const bad = lines.findIndex((line, i) => i > 200 && line.includes(" pop: "));
  lines[bad] = lines[bad]!.replace(/(gpa|head|vq)=\S+/, "$1=zz");
  const recording = await recordingOf(memorySource("in/trace.txt", lines.join("\n")));
  const loss = await ask(recording, { place: `trace.txt:${bad + 1}`, count: 1 });
  expect(loss.events[loss.at!]).toMatchObject({ event: "gap", place: `in/trace.txt:${bad + 1}` });
  const column = await ask(recording, { place: `in/trace.txt:${bad + 1}:60`, count: 1 });
  expect(column).toEqual(loss);
  const header = await ask(recording, { place: "in/trace.txt:3", count: 2 });
  expect([header.at, header.before, header.events.length]).toEqual([null, 0, 3]);
  const text = aroundText(header, "in/trace.txt:3", textStyle(false));
  expect(text).toMatch(/^> no event stands at in\/trace\.txt:3\n.* in\/trace\.txt:13\n/);
});

test("a place behind the end, and one of no recording, are said", async () => {
  const recording = await recordingOf(trace("vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"));
  await expect(ask(recording, { place: "trace.txt.gz:999999", count: 1 })).rejects.toThrow(
    "trace.txt.gz:999999: no event stands there, and none after it",
  );
  await expect(ask(recording, { place: "other.txt:1", count: 1 })).rejects.toThrow(
    "none of the recordings has that name (in/trace.txt.gz)",
  );
});

test("what a recorder counted for a CPU opens at the CPU's first event", async () => {
  const recording = await recordingOf(trace("vhost-scsi/6.16.12+deb13-amd64/18-lost/trace.dat"));
  const { inputs } = (await report(recording)).result;
  const places = inputs.flatMap(({ gaps }) => gaps.map(({ place }) => formatPlace(place)));
  const counted = places.filter((place) => place.endsWith(" stats"));
  expect(counted.length).toBeGreaterThan(0);
  for (const place of counted) {
    const { events, at, before } = await ask(recording, { place, count: 0 });
    expect(at).toBeNull();
    expect(events[before]!.place).toContain(place.replace(" stats", "+"));
  }
});
