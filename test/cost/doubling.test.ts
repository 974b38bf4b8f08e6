/**
 * Cost follows bytes: twice the input is about twice the steps, in each dimension that an input can make
 * long. Steps are counted (test/support/steps.ts), so nothing here depends on the machine.
 */
import { describe, expect, test } from "vitest";
import { countingCore, measured, stepsOf } from "../support/steps.ts";

const { findPolicy, memorySource, memorySurroundings, replay } = measured;
const { readTraceEvents, parseMemoryMap, readOwners, parseClockPairs } = measured;

type Make = (n: number) => string;

const HEADER = "# tracer: nop\n#\n";

function at(i: number): string {
  return `${1000 + Math.floor(i / 1e6)}.${String(i % 1e6).padStart(6, "0")}`;
}

/** TASK-PID as ftrace prints it, "%16s-%-7d". */
function task(pid: number): string {
  return `${"vhost-7".padStart(16)}-${String(pid).padEnd(7)}`;
}

/** Lines of ftrace text, a microsecond apart. */
function ftrace(n: number, event: (i: number) => string, begin: readonly string[] = []): string {
  const lines = [...begin, ...Array.from({ length: n }, (_, i) => event(i))];
  const line = (text: string, i: number) => `${task(8)} [000] .....  ${at(i)}: ${text}\n`;
  return HEADER + lines.map(line).join("");
}

function qemuLog(n: number, event: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => `5@${at(i)}:${event(i)}\n`).join("");
}

const hex = (value: number) => `0x${value.toString(16)}`;
const MIB = 0x100000;
const VQ = 0x1000;

const drain = (vq: number, dev: number, q0 = vq) =>
  `drain: (x) vq=${hex(vq)} num=256 avail=0 used=0 uflags=0x0 logused=1 logaddr=0x5000 ` +
  `feat=0x104000000 logbase=0x7000 dev=${hex(dev)} q0=${hex(q0)} q1=${hex(q0 + 0x4a60)}`;
const used = (i: number, vq = VQ, more = "") =>
  `used: (x) vq=${hex(vq)} head=${i % 256} len=0 n=1 idx=${i % 65536} num=256 logused=1 logaddr=0x5000 ` +
  `feat=0x104000000${more}`;
const desc = (gpa: number, length = 4096) =>
  `desc: (x) vq=${hex(VQ)} gpa=${hex(gpa)} len=${length} iov=0x0 acc=2`;
const ioctl = (vs: number, cmd: number, argument = 0) =>
  `ioctl: (x) file=0x1 cmd=${hex(cmd)} vs=${hex(vs)} arg=0x1 a0=${hex(argument)} a1=0x0 a2=0x0 a3=0x0 a4=0x0`;

/** Requests of three events each, to pages that `page` names. */
function requests(page: (i: number) => number): Make {
  return (n) =>
    ftrace(
      3 * n,
      (i) => {
        const number = Math.floor(i / 3);
        if (i % 3 === 0) return desc(page(number) * 4096);
        return i % 3 === 1 ? `pop: (x <- vhost_get_vq_desc) head=${number % 256}` : used(number);
      },
      [drain(VQ, 0xff00)],
    );
}

const DIMENSIONS: Record<string, Make> = {
  "empty lines": (n) => `${HEADER}${"\n".repeat(n)}`,
  "lines of comment": (n) => HEADER + "# a comment\n".repeat(n),
  "events of other kinds": (n) => ftrace(n, (i) => `other${i}: (x) a=1`),
  "one long line": (n) => `${HEADER}${"x".repeat(n)}\n${ftrace(1, used)}`,
  completions: (n) => ftrace(n, (i) => used(i)),
  "requests to one page": requests(() => 1),
  "requests to pages beside each other": requests((i) => i),
  "requests to pages far apart": requests((i) => (i * 4099 * 512) % 2 ** 32),
  "descriptors of one request": (n) => ftrace(n, (i) => desc(i * 4096), [drain(VQ, 0xff00)]),
  "descriptors of 4 GiB": requests((i) => i * 512),
  devices: (n) => ftrace(n, (i) => drain(VQ + i * MIB, 0xff00 + i * MIB)),
  "devices that only ioctls name": (n) =>
    ftrace(2 * n, (i) =>
      i % 2 === 0
        ? ioctl(VQ + Math.floor(i / 2) * MIB, 0x4008af00, 1)
        : "ioctl_ret: (x <- y) ret=0",
    ),
  "queues of a hundred machines": (n) =>
    HEADER +
    Array.from({ length: n }, (_, i) => {
      const worker = `vhost-${1000 + 2 * (i % 100)}-${1001 + 2 * (i % 100)}`.padStart(24);
      return `${worker} [000] .....  ${at(i)}: ${drain(VQ + i * MIB, 0xff00 + i * MIB)}\n`;
    }).join(""),
  "queues of one device": (n) => ftrace(n, (i) => drain(VQ + i * 0x4a60, 0xff00, VQ)),
  threads: (n) =>
    HEADER +
    Array.from(
      { length: n },
      (_, i) => `${task(i + 8)} [000] .....  ${at(i)}: ${desc(4096)}\n`,
    ).join(""),
  syncs: (n) => ftrace(n, (i) => `tracing_mark_write: dirty_sync_begin ${i} s`),
  "syncs with a write each": (n) =>
    ftrace(2 * n, (i) =>
      i % 2 === 0 ? `tracing_mark_write: dirty_sync_begin ${i >> 1} s` : used(i >> 1),
    ),
  "regions of memory": (n) =>
    ftrace(
      n,
      (i) =>
        `mem: (x) iotlb=0x1 start=${hex(i * 8192)} last=${hex(i * 8192 + 4095)} addr=0x7f0000000000 perm=3`,
    ),
  "events of which others are lost": (n) =>
    ftrace(2 * n, (i) => used(i)).replaceAll(/(.*\n)(.*\n)/g, "$1CPU:0 [LOST 5 EVENTS]\n$2"),
  "used elements beyond a ring": (n) =>
    ftrace(n, (i) =>
      used(i, VQ, " nheads=0x1 nh0=1 nh1=1")
        .replace("n=1 ", "n=4294967295 ")
        .replace("num=256", "num=32768")
        .replace("feat=0x104000000", "feat=0x904000000"),
    ),
  "slots of KVM": (n) =>
    qemuLog(
      n,
      (i) =>
        `kvm_set_user_memory AddrSpace#0 Slot#${i} flags=0x0 gpa=${hex(i * 8192)} size=0x1000 ` +
        `ua=${hex(0x7f0000000000 + i * 4096)} guest_memfd=-1 guest_memfd_offset=0x0 ret=0`,
    ),
  "events of QEMU that nobody knows": (n) => qemuLog(n, (i) => `unknown_event_${i % 500} a=1`),
};

/** Files that go with a recording, and what reads them. */
const COMPANIONS: Record<string, [make: Make, read: (text: string) => unknown]> = {
  "one long word in a list of QEMU's events": [
    (n) => `ok(void) "x"\n${"a".repeat(n)}\n`,
    (text) => readTraceEvents(text, "list"),
  ],
  "QEMU's events in a list": [
    (n) => Array.from({ length: n }, (_, i) => `event_${i}(int a, char *b) "x"\n`).join(""),
    (text) => readTraceEvents(text, "list"),
  ],
  "words in a declaration of a list": [
    (n) => `ok(${"unsigned ".repeat(n)}int a) "x"\n`,
    (text) => readTraceEvents(text, "list"),
  ],
  "ranges of a memory map": [
    (n) =>
      `FlatView #0\n AS "memory", root: system\n Root memory region: system\n${Array.from(
        { length: n },
        (_, i) => {
          const [from, to] = [i * 8192, i * 8192 + 4095].map((at) =>
            at.toString(16).padStart(16, "0"),
          );
          return `  ${from}-${to} (prio 0, ram): pc.ram @${from}\n`;
        },
      ).join("")}`,
    (text) => parseMemoryMap([{ name: "map", text }]),
  ],
  "owners of pages": [
    (n) =>
      `gfn,owner,kind\n${Array.from({ length: n }, (_, i) => `${i * 3},o${i},file\n`).join("")}`,
    (text) => readOwners(memorySource("owners", text)),
  ],
  "readings of both clocks": [
    (n) => "realtime=1795516465.099744010 monotonic=26.216615550 spread_ns=12220\n".repeat(n),
    (text) => parseClockPairs(text, "clock"),
  ],
  "one long line that begins like a reading": [
    (n) => `realtime=1.5 ${"x".repeat(n)}\nrealtime=1.0 monotonic=2.0\n`,
    (text) => parseClockPairs(text, "clock"),
  ],
};

const BASE = 1000;

async function cost(text: string): Promise<{ host: number; core: number }> {
  return stepsOf(() =>
    replay(
      {
        sources: [memorySource("input", text)],
        surroundings: memorySurroundings,
        module: countingCore,
      },
      {
        policies: ["unpatched", "patched"].map((alias) => ({ policy: findPolicy(alias), alias })),
        window: "auto",
      },
    ),
  );
}

describe("twice as many cost about twice as much:", () => {
  test.each(Object.entries(DIMENSIONS))("%s", async (_name, make) => {
    // What is done once is done before.
    await cost(make(1));
    const [one, two, four] = [
      await cost(make(BASE)),
      await cost(make(2 * BASE)),
      await cost(make(4 * BASE)),
    ];
    for (const side of ["host", "core"] as const) {
      const first = two[side] - one[side];
      const second = four[side] - two[side];
      const growth = `${side}: ${one[side]}, ${two[side]}, ${four[side]} steps`;
      // Twice as much for twice the step; four times as much where cost is quadratic. V8 counts some of a first
      // run that it does not count again: then the whole tells it.
      const linear = second <= 2.5 * Math.max(first, BASE) || four[side] <= 2.2 * two[side];
      expect(linear, growth).toBe(true);
    }
  });
});

describe("twice as many of what goes with a recording cost about twice as much:", () => {
  test.each(Object.entries(COMPANIONS))("%s", async (_name, [make, read]) => {
    const cost = async (n: number): Promise<number> => {
      const text = make(n);
      // A refusal costs what it takes to find it.
      const work = async () => read(text);
      return (await stepsOf(() => work().catch(() => null))).host;
    };
    await cost(1);
    const [two, four] = [await cost(2 * BASE), await cost(4 * BASE)];
    // Twice as much, and four times as much where cost is quadratic.
    expect(four, `${two}, ${four} steps`).toBeLessThanOrEqual(2.5 * Math.max(two, BASE));
  });
});
