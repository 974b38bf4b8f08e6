/** What a recording shows of events that are not in it: its own numbers, its rings, its syncs, its end. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Source } from "../../src/bytes/source.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, replayMachines } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const textOf = (name: string): string =>
  gunzipSync(readFileSync(join(TRACES, name))).toString("latin1");

const TOGGLE = textOf("vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz");
const lines = TOGGLE.trimEnd().split("\n");
const isHeader = (line: string): boolean => line.startsWith("#");
const HEADER = lines.filter(isHeader);
const STATED = "# entries-in-buffer/entries-written: 417/417   #P:2";
const UNSTATED = HEADER.filter((line) => line !== STATED);
const EVENTS = lines.filter((line) => !isHeader(line));
const recording = (head: readonly string[], events: readonly string[]): Source =>
  memorySource("trace.txt", `${[...head, ...events].join("\n")}\n`);

async function answer(...sources: Source[]) {
  const { inputs, machines } = await replayMachines(sources, {
    policies: ["linux-6.1", "linux-6.16"].map((name) => ({
      policy: findPolicy(name),
      alias: null,
    })),
    window: "auto",
  });
  const [machine] = machines;
  return {
    certainty: machine!.certainty,
    limits: machine!.limits.map(({ code }) => code),
    text: (code: string) => machine!.limits.find((limit) => limit.code === code)?.text,
    whole: inputs.map(({ whole }) => whole),
    notes: inputs.flatMap(({ notes }) => notes),
  };
}

describe("the header of tracefs", () => {
  test("that states what is there makes the recording whole", async () => {
    expect(await answer(recording(HEADER, EVENTS))).toMatchObject({
      certainty: "exact",
      whole: [true],
      notes: [],
    });
  });

  test("that states more shows what is missing, wherever that was", async () => {
    for (const at of [0, 100, EVENTS.length - 2]) {
      const fewer = EVENTS.toSpliced(at, 2);
      const found = await answer(recording(HEADER, fewer));
      expect(found).toMatchObject({ certainty: "bounds", whole: [false] });
      expect(found.limits).toContain("events-missing");
      expect(found.text("events-missing")).toContain("2 more events");
    }
  });

  test("counts entries that are no events: a stack is one, with lines that are none", async () => {
    const stack = EVENTS[50]!.replace(/: \w+: .*/, ": <stack trace>");
    const head = HEADER.map((line) => line.replace("417/417", "418/418"));
    const with_ = EVENTS.toSpliced(50, 0, stack, " => vhost_disable_notify", " => kthread");
    expect((await answer(recording(head, with_))).whole).toEqual([true]);
    const without = EVENTS.toSpliced(50, 0, " => vhost_disable_notify", " => kthread");
    expect((await answer(recording(head, without))).limits).toContain("events-missing");
  });

  test("of pieces of one recording is theirs together, in each or in the first", async () => {
    const [one, two] = [EVENTS.slice(0, 200), EVENTS.slice(200)];
    for (const head of [HEADER, UNSTATED]) {
      const both = await answer(recording(HEADER, one), recording(head, two));
      expect(both.whole).toEqual([true, true]);
      const less = await answer(recording(HEADER, one), recording(head, two.slice(1)));
      expect(less.limits).toContain("events-missing");
      expect(less.text("events-missing")).toContain("1 more event");
    }
  });

  test("is not in every text, and a note says what that means", async () => {
    const found = await answer(recording(UNSTATED, EVENTS));
    expect(found).toMatchObject({ certainty: "exact", whole: [false] });
    expect(found.notes.join()).toContain("had it been cut off behind its last line");
  });
});

describe("the last line of an NDJSON recording", () => {
  const events = textOf("vhost-user/spdk-blk/13-toggle/trace.ndjson.gz").trimEnd().split("\n");
  const body = events.slice(1);
  const ndjson = (...all: unknown[]): Source =>
    memorySource(
      "r.ndjson",
      all.map((one) => `${typeof one === "string" ? one : JSON.stringify(one)}\n`).join(""),
    );
  const head = { event: "recording", ends: true };
  const end = { event: "end", events: body.length, whole: true };

  test("says how many events there are", async () => {
    expect((await answer(ndjson(head, ...body, end))).whole).toEqual([true]);
    const fewer = await answer(ndjson(head, ...body.slice(0, -3), end));
    expect(fewer.text("events-missing")).toContain("3 more events");
  });

  test("that is promised and not there shows that it was cut off", async () => {
    const cut = await answer(ndjson(head, ...body));
    expect(cut.limits).toContain("events-missing");
    expect(cut.certainty).toBe("bounds");
  });

  test("keeps that the original did not say that it was whole, and what was missing", async () => {
    const part = await answer(ndjson(head, ...body, { ...end, whole: false }));
    expect(part).toMatchObject({ whole: [false], certainty: "exact" });
    const gaps = [{ cpu: null, lost: 7, missing: true }];
    const less = await answer(ndjson(head, ...body, { ...end, whole: false, gaps }));
    expect(less.text("events-missing")).toContain("7 more events");
  });
});

describe("events show others that are missing", () => {
  test("last_avail_idx goes on by chains without a pop", async () => {
    // A chain that was popped and not answered, so that no completion shows it.
    const held = textOf("vhost-scsi/6.1.0-50-amd64/33-held/trace.txt.gz").trimEnd().split("\n");
    const at = held.findIndex((line) => /: pop: .*head=\d+$/.test(line) && !/ head=256/.test(line));
    const one = held.filter((_, i) => i !== at);
    expect((await answer(recording([], held))).limits).not.toContain("pops-lost");
    const found = await answer(recording([], one));
    expect(found.limits).toContain("pops-lost");
    expect(found.certainty).toBe("bounds");
  });

  test("numbers of syncs leave one out", async () => {
    const fewer = EVENTS.filter((line) => !line.includes("dirty_sync_begin 4"));
    const found = await answer(recording(UNSTATED, fewer));
    expect(found.text("syncs-missing")).toContain("1 sync");
    expect(found.certainty).toBe("bounds");
  });

  test("pages that were left out and logged, and no sync is recorded", async () => {
    const unmarked = EVENTS.filter((line) => !line.includes("dirty_sync_"));
    const found = await answer(recording(UNSTATED, unmarked));
    expect(found.limits).toContain("syncs-unseen");
    expect(found.certainty).toBe("lower");
    expect((await answer(recording(UNSTATED, EVENTS))).limits).not.toContain("syncs-unseen");
  });

  test("queues with requests have no drain", async () => {
    const found = await answer(
      recording(
        UNSTATED,
        EVENTS.filter((line) => !line.includes(": drain: ")),
      ),
    );
    expect(found.limits).toContain("drains-unseen");
  });

  test("a packed ring lies in no region that is recorded", async () => {
    const whole = textOf("vhost-user/dpdk-net-packed/06-switches/trace.ndjson.gz");
    const less = whole.replace(/^\{"event": "mem".*\n/gm, "");
    expect(less).not.toBe(whole);
    expect((await answer(memorySource("r", whole))).limits).not.toContain("memory-unseen");
    expect((await answer(memorySource("r", less))).limits).toContain("memory-unseen");
  });
});

describe("a recording that does not say that it is whole and ends", () => {
  const upTo = (event: RegExp): string[] =>
    EVENTS.slice(
      0,
      EVENTS.findIndex((l) => event.test(l)),
    );

  test("with a request in flight goes on elsewhere", async () => {
    const cut = upTo(/: used: .*logused=1/);
    const found = await answer(recording(UNSTATED, cut));
    expect(found.limits).toContain("end-open");
    expect(found.certainty).toBe("lower");
  });

  test("in the middle of a line lacks what came then", async () => {
    const text = `${[...UNSTATED, ...EVENTS].join("\n")}`.slice(0, -40);
    const found = await answer(memorySource("trace.txt", text));
    expect(found.limits).toContain("cut-short");
    expect(found.certainty).not.toBe("exact");
  });
});
