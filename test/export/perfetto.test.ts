/** A trace for Perfetto as `protoc` decodes it: nothing unknown in it, and every request once. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { machineOf, run, scratchFolder } from "../support/exported.ts";

const PROTOC = spawnSync("protoc", ["--version"]).status === 0;
const there = PROTOC ? describe : describe.skip;

const CASES: [string, string][] = [
  ["a migration", "traces/migration/6.1"],
  ["requests held to the end", "traces/vhost-scsi/6.1.0-50-amd64/33-held/trace.txt.gz"],
  ["lost events", "traces/vhost-scsi/6.1.0-50-amd64/18-lost/trace.txt.gz"],
  ["several queues", "traces/vhost-scsi-variants/6.1-long/trace.dat"],
];

interface Packet {
  timestamp: number;
  type: string;
  track: string;
  name: string;
  uuid: string;
  parent: string;
  args: Map<string, string>;
  flows: string[];
  endings: string[];
}

/** Packets of protoc's text; each field on a line of its own. */
function packetsOf(text: string): Packet[] {
  return text
    .split(/^packet \{\n/m)
    .slice(1)
    .map((packet) => {
      const one = (name: string): string =>
        new RegExp(`^ {2,4}${name}: "?(.*?)"?$`, "m").exec(packet)?.[1] ?? "";
      const all = (name: string): string[] =>
        [...packet.matchAll(new RegExp(`^ {4}${name}: (.*)$`, "gm"))].map((match) => match[1]!);
      const args = packet.matchAll(
        /debug_annotations \{\n +\w+_value: "?(.*?)"?\n +name: "(.*?)"\n/g,
      );
      return {
        ...{ timestamp: Number(one("timestamp")), type: one("type"), track: one("track_uuid") },
        ...{ name: one("name"), uuid: one("uuid"), parent: one("parent_uuid") },
        args: new Map([...args].map(([, value, name]) => [name!, value!])),
        flows: all("flow_ids"),
        endings: all("terminating_flow_ids"),
      };
    });
}

there(`decoded by protoc${PROTOC ? "" : " (which is not installed)"}`, () => {
  describe.each(CASES)("%s", (_, path) => {
    const folder = scratchFolder();
    let text = "";
    let packets: Packet[] = [];

    beforeAll(() => {
      const file = join(folder, "trace.pftrace");
      expect([0, 1, 3]).toContain(run(["export", path, "--quiet", "--perfetto", file]).status);
      const decoded = spawnSync(
        "protoc",
        ["--decode=perfetto.protos.Trace", "-I", import.meta.dirname, "perfetto.proto"],
        { input: readFileSync(file), encoding: "utf8", maxBuffer: 1 << 28 },
      );
      expect(decoded.stderr).toBe("");
      text = decoded.stdout;
      packets = packetsOf(text);
    });

    test("holds no field that the messages do not have", () => {
      expect(text.match(/^ *\d+[:{ ]/m)).toBeNull();
      expect(packets.length).toBeGreaterThan(10);
    });

    test("has every request once, with its time and head", () => {
      const lines = run(["requests", path, "--json", "--quiet"]).out.trimEnd().split("\n");
      const expected = lines
        .map((line) => JSON.parse(line))
        .map(({ serial, head, popped, used }) => {
          const at = Number((popped ?? used).ns);
          return `${serial} ${head ?? ""} ${popped ? "TYPE_SLICE_BEGIN" : "TYPE_INSTANT"} ${at}`;
        });
      const found = packets
        .filter(({ args }) => args.has("request"))
        .map(
          ({ args, type, timestamp }) =>
            `${args.get("request")} ${args.get("head") ?? ""} ${type} ${timestamp}`,
        );
      expect(found.toSorted()).toEqual(expected.toSorted());
    });

    test("slices of a track follow each other: each ends before the next begins", () => {
      const open = new Map<string, number>();
      const last = new Map<string, number>();
      for (const { type, track, timestamp } of packets) {
        if (type !== "TYPE_SLICE_BEGIN" && type !== "TYPE_SLICE_END") continue;
        expect(timestamp).toBeGreaterThanOrEqual(last.get(track) ?? 0);
        last.set(track, timestamp);
        const depth = (open.get(track) ?? 0) + (type === "TYPE_SLICE_BEGIN" ? 1 : -1);
        expect(depth === 0 || depth === 1).toBe(true);
        open.set(track, depth);
      }
    });

    test("tracks have parents, and an event has a track", () => {
      const tracks = new Set(packets.map(({ uuid }) => uuid).filter(Boolean));
      for (const { parent, track, type } of packets) {
        if (parent) expect(tracks).toContain(parent);
        if (type) expect(tracks).toContain(track);
      }
    });
  });

  test("a flow leads from each guilty request to the sync of its round", () => {
    const folder = scratchFolder();
    const path = "traces/migration/6.1";
    const file = join(folder, "trace.pftrace");
    run(["export", path, "--quiet", "--perfetto", file]);
    const decoded = spawnSync(
      "protoc",
      ["--decode=perfetto.protos.Trace", "-I", import.meta.dirname, "perfetto.proto"],
      { input: readFileSync(file), encoding: "utf8", maxBuffer: 1 << 28 },
    );
    const packets = packetsOf(decoded.stdout);
    const begins = new Map(packets.flatMap((one) => one.flows.map((flow) => [flow, one])));
    const ends = new Map(packets.flatMap((one) => one.endings.map((flow) => [flow, one])));
    expect([...ends.keys()].toSorted()).toEqual([...begins.keys()].toSorted());
    for (const [flow, { timestamp }] of begins) {
      expect(ends.get(flow)!.timestamp).toBeGreaterThan(timestamp);
    }
    // The finding counts the requests that lost pages, whichever round they were in.
    const report = machineOf(["report", path, "--policy", "unpatched"]);
    const requests = report.findings.reduce(
      (sum: number, finding: { requests: number }) => sum + finding.requests,
      0,
    );
    expect(begins.size).toBe(requests);
  });
});
