/**
 * What is not read is a loss in its place, and what is not ours changes nothing: lines of ftrace text,
 * one event at a time.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { dump } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { qemuLog } from "../support/make-qemu-log.ts";
import { memorySource, type OneMachine, recordingOf, replayAll } from "../support/memory-source.ts";
import { rawZstd } from "../support/raw-zstd.ts";

const TRACE = join(
  import.meta.dirname,
  "../../traces/vhost-scsi/6.16.12+deb13-amd64/12-toggle/trace.txt.gz",
);
const LINES = gunzipSync(readFileSync(TRACE)).toString("latin1").trimEnd().split("\n");
const policies = ["linux-6.16"].map((name) => ({ policy: findPolicy(name), alias: null }));

const read = (lines: readonly string[]): Promise<OneMachine> =>
  replayAll([memorySource("trace.txt", `${lines.join("\n")}\n`)], { policies });

/** Everything that a line of another's event must not change. */
const verdictOf = ({
  policies: rows,
  findings,
  certainty,
  limits,
  rounds,
}: OneMachine): unknown => ({
  rows,
  findings: findings.map(({ first, ...finding }) => ({ ...finding, gpa: first.gpa })),
  certainty,
  limits: limits.map(({ code, text }) => [code, text]),
  rounds: rounds.map(({ sync, ...round }) => round),
});

const plain = await read(LINES);
const at = (event: string): number => LINES.findIndex((line) => line.includes(` ${event}: `));
const other = (name: string, rest: string): string =>
  `            bash-900     [000] .....    30.000001: ${name}: ${rest}`;
const inserted = (line: string, index: number): string[] => LINES.toSpliced(index, 0, line);

const FOREIGN: [string, string][] = [
  ["ioctl", "(do_vfs_ioctl+0x0/0x10) fd=3 cmd=0x5401"],
  ["ioctl", "(ffffffff81363f10) fd=3 cmd=0x5401"],
  ["ioctl", "fd=3 cmd=0x5401"],
  ["ioctl", "(do_vfs_ioctl+0x0/0x10) cmd=TCGETS"],
  ["used", "(blk_mq_end_request+0x0/0x100) rq=0xff sectors=8"],
  ["pop", "(stack_trace+0x1/0x2 <- list_pop) entry=0x5"],
  ["desc", '(gpiod_get+0x0/0x90) name="reset" len=5'],
  ["mem", "(kmem_cache_alloc+0x0/0x10) size=64"],
];

describe.each(FOREIGN)("another's event: %s: %s", (name, rest) => {
  test.each([
    ["before the first of ours", 2],
    ["after it", at(name) + 1],
    ["at the end", LINES.length],
  ])("%s is not understood, counted, and changes nothing else", async (_, index) => {
    const result = await read(inserted(other(name, rest), index));
    expect(verdictOf(result)).toEqual(verdictOf(plain));
    const named = result.inputs[0]!.events.filter((event) => event.name === name);
    const ours = plain.inputs[0]!.events.find((event) => event.name === name);
    expect(named.map(({ kind, count }) => [kind, count]).sort()).toEqual(
      ours && ours.count > 0
        ? [
            [null, 1],
            [ours.kind, ours.count],
          ].sort()
        : expect.anything(),
    );
  });
});

test("a thousand of another's lines of one name are judged once a shape, and counted", async () => {
  const many = Array.from({ length: 1000 }, (_, i) =>
    other("ioctl", `(do_vfs_ioctl+0x${i.toString(16)}/0x10) fd=${i}`),
  );
  const result = await read([...LINES.slice(0, 100), ...many, ...LINES.slice(100)]);
  expect(verdictOf(result)).toEqual(verdictOf(plain));
  expect(result.inputs[0]!.events).toContainEqual({ name: "ioctl", kind: null, count: 1000 });
});

test("more shapes than are kept for a name are judged one by one", async () => {
  const many = Array.from({ length: 200 }, (_, i) =>
    other("ioctl", `(do_vfs_ioctl+0x0/0x10) f${i}=1`),
  );
  const result = await read([...LINES.slice(0, 100), ...many, ...LINES.slice(100)]);
  expect(verdictOf(result)).toEqual(verdictOf(plain));
  expect(result.inputs[0]!.events).toContainEqual({ name: "ioctl", kind: null, count: 200 });
});

test("a name that is another's at first may be ours by a later line's fields", async () => {
  const renamed = LINES.map((line) => line.replace(/: (desc|used|ioctl_ret|pop): /, ": my_$1: "));
  const before = ["desc", "used", "ioctl_ret", "pop"].map((name) =>
    other(`my_${name}`, "(some_function+0x0/0x10) a=1 b=2"),
  );
  const result = await read([...renamed.slice(0, 2), ...before, ...renamed.slice(2)]);
  expect(verdictOf(result)).toEqual(verdictOf(plain));
});

test("the fields of a name may stand in several orders in one file", async () => {
  let turn = 0;
  const turned = LINES.map((line) => {
    const match = /^(.*: (?:desc|used|drain|rearm|ioctl): \([^)]*\)) (.*)$/.exec(line);
    if (!match) return line;
    const fields = match[2]!.split(" ");
    const by = turn++ % fields.length;
    return `${match[1]} ${[...fields.slice(by), ...fields.slice(0, by)].join(" ")}`;
  });
  expect(verdictOf(await read(turned))).toEqual(verdictOf(plain));
});

test.each(["desc", "pop", "used", "ioctl"])(
  "a line that is refused and holds %s is a loss at its place, never a remark alone",
  async (name) => {
    const index = at(name);
    for (const damaged of [
      LINES[index]!.replace(/\d+\.\d{6}:/, "xx:"),
      LINES[index]!.replace(/\[\d{3}\]/, "[?]"),
      LINES[index]!.slice(LINES[index]!.indexOf(` ${name}: `)),
      LINES[index]!.replace(/=.*$/, "=0xzz"),
    ]) {
      const { limits, certainty, inputs } = await read(LINES.with(index, damaged));
      const unread = limits.find(({ code }) => code === "events-unread");
      expect(unread?.places, damaged).toEqual([{ file: "trace.txt", at: `:${index + 1}` }]);
      expect(unread?.effect).toBe("more");
      expect(certainty).toMatch(/lower|bounds/);
      expect(inputs[0]!.notes.join(" ")).toContain(`trace.txt:${index + 1}`);
    }
  },
);

test("a loss in front of everything makes no time of its own", async () => {
  const events = LINES.filter((line) => !line.startsWith("#"));
  const { inputs, limits } = await read(["CPU:0 [LOST 7 EVENTS]", ...events]);
  expect(inputs[0]).toMatchObject({
    firstNs: plain.inputs[0]!.firstNs,
    lastNs: plain.inputs[0]!.lastNs,
  });
  expect(limits[0]).toMatchObject({ code: "events-lost", places: [{ at: ":1" }] });
});

test("the span is that of all events, also of those that are not understood", async () => {
  const first =
    "            bash-900     [001] .....    10.000000: sched_switch: prev_comm=bash prev_pid=900";
  const { inputs } = await read([first, ...LINES, first.replace("10.000000", "500.000000")]);
  expect(inputs[0]).toMatchObject({ firstNs: "10000000000", lastNs: "500000000000" });
  const alone = await read([first, first.replace("10.000000", "11.000000")]);
  expect(alone.inputs[0]).toMatchObject({ firstNs: "10000000000", lastNs: "11000000000" });
});

test("a compressed file that is cut off is read up to there, as one that is not compressed", async () => {
  const text = Buffer.from(`${LINES.join("\n")}\n`, "latin1");
  const cut = gzipSync(text).subarray(0, 3000);
  const { inputs, limits, eventsReplayed } = await replayAll([memorySource("t.gz", cut)], {
    policies,
  });
  expect(eventsReplayed).toBeGreaterThan(20);
  expect(limits.map(({ code }) => code)).toContain("cut-short");
  expect(limits.map(({ code }) => code)).not.toContain("events-lost");
  expect(inputs[0]!.notes.join(" ")).toContain("its end: the file is cut off");
});

test("a compressed file that is damaged is read up to there, and what follows is a loss", async () => {
  const text = Buffer.from(`${LINES.join("\n")}\n`, "latin1");
  const damaged = gzipSync(text);
  damaged.fill(0xff, 3000, 3020);
  const { limits, eventsReplayed } = await replayAll([memorySource("t.gz", damaged)], { policies });
  expect(eventsReplayed).toBeGreaterThan(20);
  expect(limits.map(({ code }) => code)).toContain("events-lost");
});

test("an event of ours whose time and name are glued together is a loss, whether or not it reads well", async () => {
  const glued = (line: string) =>
    line.replace(/(\d: )(\w+: )/, (_, time, name) => time.trim() + name);
  for (const broken of ["idx=x", "iotlb="]) {
    const line = glued(LINES[at("used")]!).replace(/idx=\d+/, broken);
    const { limits } = await read(inserted(line, at("used") + 1));
    expect(limits.map(({ code }) => code)).toContain("events-unread");
  }
});

describe("damage in one of several members or frames of a compressed file", () => {
  const text = (lines: readonly string[]) => Buffer.from(`${lines.join("\n")}\n`, "latin1");
  const third = Math.floor(LINES.length / 3);
  const parts = [LINES.slice(0, third), LINES.slice(third, 2 * third), LINES.slice(2 * third)];
  const [one, two, three] = parts.map(text) as [Buffer, Buffer, Buffer];
  const gzip = (bytes: Uint8Array) => gzipSync(bytes, { level: 1 });

  test.each([
    ["gzip", gzip],
    ["zstd", rawZstd],
  ])("of %s costs what is in it, and is said with its place", async (_name, pack) => {
    const damaged = Buffer.from(pack(two));
    damaged.fill(0xff, 6, 40);
    const file = Buffer.concat([pack(one), damaged, pack(three)]);
    const { inputs, limits, eventsReplayed, certainty } = await replayAll(
      [memorySource("t", file, 5000)],
      { policies },
    );
    const around = await replayAll([memorySource("t", Buffer.concat([one, three]))], { policies });
    // The line in which reading goes on is lost, too: nothing says where the damage ends in it.
    expect(around.eventsReplayed - eventsReplayed).toBeLessThanOrEqual(2);
    expect(limits.map(({ code }) => code)).toContain("events-unread");
    expect(limits.map(({ code }) => code)).not.toContain("cut-short");
    expect(certainty).not.toBe("exact");
    // The heading of the text counts its events; so how many are lost in all is known beside the place.
    const gap = inputs[0]!.gaps.find(({ place }) => place?.at === `:${third + 1}`);
    expect(gap).toMatchObject({ lost: null });
    const notes = inputs[0]!.notes.join(" ");
    expect(notes).toContain("damage of the compressed file");
    expect(notes).toMatch(/Read on behind damage: t@0x[0-9a-f]+: expected an intact/);
  });

  test("in the first one loses that one", async () => {
    const damaged = gzip(one);
    damaged.fill(0xff, 12, 40);
    const file = Buffer.concat([damaged, gzip(two), gzip(three)]);
    const { limits, eventsReplayed } = await replayAll([memorySource("t", file)], { policies });
    const rest = await replayAll([memorySource("t", Buffer.concat([two, three]))], { policies });
    expect(rest.eventsReplayed - eventsReplayed).toBeLessThanOrEqual(1);
    expect(limits.map(({ code }) => code)).toContain("events-lost");
  });

  test("of QEMU's log and of a dump is a loss as well", async () => {
    const log = qemuLog(
      new QemuGuest().read(0x7000n, [0x100000, 8192]).read(0x7100n, [0x200000, 4096]).lines,
      "tid@time",
    );
    const dumped: string[] = [];
    await dump(await recordingOf(memorySource("t", text(LINES))), (event) => {
      dumped.push(JSON.stringify(event));
    });
    for (const whole of [Buffer.from(log), text(dumped)]) {
      const [first, last] = [
        whole.subarray(0, whole.length >> 1),
        whole.subarray(whole.length >> 1),
      ];
      const damaged = gzip(Buffer.concat([whole, whole]));
      damaged.fill(0xff, 12, 40);
      const file = Buffer.concat([gzip(first), damaged, gzip(last)]);
      const { limits, eventsReplayed } = await replayAll([memorySource("t", file)], { policies });
      expect(eventsReplayed).toBeGreaterThan(2);
      expect(limits.map(({ code }) => code)).toContain("events-unread");
    }
  });
});
