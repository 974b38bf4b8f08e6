/** Completions of user-space back ends, rule by rule: docs/model.md. */
import { describe, expect, test } from "vitest";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, type OneMachine, replayAll } from "../support/memory-source.ts";

const V1 = 1n << 32n;
const LOG_ALL = 1n << 26n;
const PACKED = 1n << 34n;
const MRG_RXBUF = 1n << 15n;
const VQ = 0x7f0000001000n;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

type Desc = [gpa: number, len: number, write?: boolean];
interface Event {
  event: string;
  [key: string]: unknown;
}

/** A recording of one queue of libvhost-user or of a front end, in the form of `dump`. */
class Recording {
  readonly events: Event[] = [];
  feat = V1 | LOG_ALL;
  flag = 1;
  ring = 0x10000;
  #ts = 1000n;

  add(event: string, fields: object): this {
    this.#ts += 1000n;
    this.events.push({ event, ts: `${this.#ts}`, cpu: 0, pid: 7, ...fields });
    return this;
  }
  get #state() {
    return { logused: this.flag, logaddr: hex(this.ring), feat: hex(this.feat) };
  }
  ioctl(cmd: number, vs: string, a: bigint[], driver = "vhost-user"): this {
    const words = Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`a${i}`, hex(a[i] ?? 0n)]));
    return this.add("ioctl", { cmd, vs, ...words, driver }).add("ioctl_ret", { ret: 0 });
  }
  drain(dev = 0x5000n): this {
    return this.add("drain", {
      ...{ vq: hex(VQ), num: 256, used: 0, logbase: "0x1000", dev: hex(dev) },
      ...{ q0: hex(VQ), q1: hex(VQ + 0x4a60n), ...this.#state },
    });
  }
  pop(head: number, ...descs: Desc[]): this {
    for (const [gpa, len, write = true] of descs) {
      this.add("desc", { vq: hex(VQ), gpa: hex(gpa), len, acc: write ? 2 : 1 });
    }
    return this.add("pop", { vq: hex(VQ), head });
  }
  used(head: number, len: number, idx: number, num = 256): this {
    return this.add("used", { vq: hex(VQ), head, len, n: 1, idx, num, ...this.#state });
  }
}

const POLICIES = ["linux-6.16", "spdk-split", "spdk-packed", "dpdk-net", "libvhost-user"];

/** Pages that each policy logs, over all rounds. */
async function logged(
  recording: Recording,
  logPages?: number,
): Promise<{ pages: Record<string, string>; result: OneMachine }> {
  const pages: Record<string, string> = {};
  const text = recording.events.map((event) => JSON.stringify(event)).join("\n");
  const result = await replayAll([memorySource("events", text)], {
    policies: POLICIES.map((name) => ({ policy: findPolicy(name), alias: null })),
    window: "recorded",
    ...(logPages === undefined ? {} : { logPages }),
    onSync: (view) => {
      POLICIES.forEach((name, i) => {
        const found = view.pages(i).map((page) => page.toString(16));
        pages[name] = found.join(" ");
      });
    },
  });
  return { pages, result };
}

/** A disk: header, data, status. */
const READ: Desc[] = [
  [0x20000, 16, false],
  [0x21000, 0x2000],
  [0x20010, 1],
];
const disk = (): Recording => new Recording().ioctl(0x4008af00, "0x5000", [V1 | LOG_ALL]);

describe("ring flag and LOG_ALL", () => {
  test.each([
    ["both", LOG_ALL, 1, { "linux-6.16": "10", "spdk-split": "10", "libvhost-user": "10" }],
    ["the flag alone", 0n, 1, { "linux-6.16": "10", "spdk-split": "", "libvhost-user": "" }],
    ["LOG_ALL alone", LOG_ALL, 0, { "linux-6.16": "", "spdk-split": "", "libvhost-user": "10" }],
    ["neither", 0n, 0, { "linux-6.16": "", "spdk-split": "", "libvhost-user": "" }],
  ])("%s: who logs the used ring", async (_, all, flag, expected) => {
    const recording = disk();
    recording.feat = V1 | all;
    recording.flag = flag;
    const { pages } = await logged(recording.drain().pop(0, [0x20000, 16, false]).used(0, 0, 0));
    expect(pages).toMatchObject(expected);
  });
});

describe("descriptors", () => {
  test("SPDK logs all of a chain, libvhost-user what the length tells", async () => {
    const { pages, result } = await logged(
      disk()
        .drain()
        .pop(0, ...READ)
        .used(0, 4096, 0),
    );
    expect(pages["spdk-split"]).toBe("10 20 21 22");
    expect(pages["libvhost-user"]).toBe("10 21");
    expect(result.devices[0]?.driver).toBe("vhost-user-blk");
  });

  test("a length of 0 is a length", async () => {
    const { pages } = await logged(
      disk()
        .drain()
        .pop(0, ...READ)
        .used(0, 0, 0),
    );
    expect(pages["libvhost-user"]).toBe("10");
    expect(pages["spdk-split"]).toBe("10 20 21 22");
  });

  test("popped before LOG_ALL: read again at completion by all of them", async () => {
    const recording = disk();
    recording.feat = V1;
    recording.drain().pop(0, ...READ);
    recording.feat = V1 | LOG_ALL;
    const { pages } = await logged(recording.used(0, 0x2001, 0));
    expect(pages["linux-6.16"]).toBe("10");
    expect(pages["spdk-split"]).toBe("10 20 21 22");
    expect(pages["libvhost-user"]).toBe("10 20 21 22");
  });

  test("a head that is offered again before it was returned is answered twice", async () => {
    const recording = disk()
      .drain()
      .pop(0, ...READ)
      .pop(0, ...READ);
    recording.used(0, 0x2001, 0).add("marker", { text: "dirty_sync_begin 0" }).used(0, 0, 1);
    const { pages, result } = await logged(recording);
    expect(pages["spdk-split"]).toBe("10 20 21 22");
    expect(result.devices[0]?.queues[0]).toMatchObject({ unknownHead: 0, inFlightAtEnd: 0 });
  });

  test("a range that ends behind the log is dropped whole by SPDK, not by the kernel", async () => {
    const { pages, result } = await logged(
      disk()
        .drain()
        .pop(0, ...READ)
        .used(0, 0x2001, 0),
      0x22,
    );
    expect(pages["spdk-split"]).toBe("10 20");
    expect(pages["linux-6.16"]).toBe("10 20 21 22");
    expect(result.limits.map(({ code }) => code)).toContain("log-too-short");
  });
});

describe("what no back end logs", () => {
  test.each([
    ["uflags", { uflags: 1 }],
    ["rearm", { num: 256, avail: 0, uflags: 1, feat: hex(V1 | LOG_ALL | (1n << 29n)) }],
  ])("%s: the kernel logs it, they do not", async (event, fields) => {
    const recording = disk().drain();
    // The used index and elements on one page, avail_event (behind 256 elements) on the next one.
    recording.ring = 0x10800;
    const ring = { vq: hex(VQ), logused: 1, logaddr: hex(recording.ring) };
    const { pages } = await logged(recording.add(event, { ...ring, ...fields }));
    const written = event === "uflags" ? "10" : "11";
    expect(pages).toEqual({
      ...{ "linux-6.16": written, "spdk-split": "", "spdk-packed": "" },
      ...{ "dpdk-net": "", "libvhost-user": "" },
    });
  });
});

test("an indirect table behind another descriptor: SPDK refuses the chain, and logs the ring alone", async () => {
  const inQueue = VQ + 0x100n;
  const recording = disk().drain();
  // A buffer's iov lies in the queue, that of a table elsewhere.
  recording.add("desc", { vq: hex(VQ), gpa: "0x20000", len: 16, acc: 1, iov: hex(inQueue) });
  recording.add("desc", { vq: hex(VQ), gpa: "0x30000", len: 32, acc: 1, iov: "0x9999000000" });
  for (const gpa of ["0x21000", "0x22000"]) {
    recording.add("desc", { vq: hex(VQ), gpa, len: 4096, acc: 2, iov: hex(inQueue) });
  }
  recording.add("pop", { vq: hex(VQ), head: 0 });
  const { pages, result } = await logged(recording.used(0, 0, 0));
  expect(pages["spdk-split"]).toBe("10");
  expect(pages["linux-6.16"]).toBe("10 21 22");
  expect(result.limits.map(({ code }) => code)).toContain("table-not-first");
});

test("DPDK drops header and data behind the end of the log each by itself", async () => {
  const packet = (...descs: Desc[]) =>
    logged(
      new Recording()
        .ioctl(0x4008af00, "0x5000", [V1], "vhost-user-net")
        .drain()
        .pop(0, ...descs)
        .used(0, 0x1800, 0),
      0x32,
    );
  // 12 bytes of header in the last page of the log, the data behind it go on beyond.
  const across = await packet([0x31000, 0x1800]);
  expect(across.pages["dpdk-net"]).toBe("10 31");
  expect(across.pages["spdk-split"]).toBe("10 31");
  const behind = await packet([0x32000, 0x1800]);
  expect(behind.pages["dpdk-net"]).toBe("10");
  expect(behind.result.limits.find(({ code }) => code === "log-too-short")?.text).toMatch(
    /libvhost-user aborts on an assertion \(vu_log_write\(\)\)/,
  );
});

describe("a packed ring", () => {
  const packed = (): Recording => {
    const recording = new Recording();
    recording.feat = V1 | LOG_ALL | PACKED;
    return recording.ioctl(0x4008af00, "0x5000", [recording.feat]);
  };

  test("recorded from its middle is one of user space, whatever a later ioctl names it", async () => {
    const recording = new Recording();
    recording.feat = V1 | LOG_ALL | PACKED;
    recording.drain().pop(3, ...READ);
    recording.used(3, 0x2001, 300, 1024);
    // GET_VRING_BASE, in a form that knows no other driver.
    recording.ioctl(0xc008af12, "0x5000", [2n], "vhost-scsi");
    const { result } = await logged(recording);
    expect(result.devices.map(({ driver }) => driver)).toEqual(["vhost-user-blk"]);
    expect(result.limits.map(({ code }) => code)).toContain("packed-slots");
  });

  test("whose completions tell size 0 has a limit: what they wrote to the ring counts nowhere", async () => {
    const recording = packed()
      .drain()
      .pop(0, ...READ);
    const { result } = await logged(recording.used(0, 0x2001, 0, 0));
    expect(result.limits.map(({ code }) => code)).toContain("bad-ring");
  });

  test("of packets is vhost-user-net where a later ioctl names vhost-net", async () => {
    const recording = new Recording();
    recording.feat = V1 | LOG_ALL | PACKED;
    recording.drain().pop(0, [0x30000, 2048]);
    recording.used(0, 100, 0, 1024).ioctl(0xc008af12, "0x5000", [0n], "vhost-net");
    const { result } = await logged(recording);
    expect(result.devices.map(({ driver }) => driver)).toEqual(["vhost-user-net"]);
  });

  test("the slot moves on by the descriptors of the chain; SPDK logs no data", async () => {
    const recording = packed().drain();
    // 250 chains of one, then one of three: slots 250 to 252, and the next at 253.
    for (let i = 0; i < 250; i++) recording.pop(i, [0x30000, 16]).used(i, 16, i, 1024);
    recording.pop(250, ...READ).used(250, 0x2001, 250, 1024);
    recording.add("marker", { text: "dirty_sync_begin 0" });
    recording.pop(0, ...READ).used(0, 0x2001, 251, 1024);
    for (let i = 1; i < 4; i++) recording.pop(i, [0x30000, 16]).used(i, 16, 251 + i, 1024);
    const { pages } = await logged(recording);
    // Slots 253, 256, 257, 258: bytes 0xfd0 and 0x1000 on.
    expect(pages["spdk-packed"]).toBe("10 11");
    expect(pages["dpdk-net"]).toContain("11");
  });

  test("an indirect table takes one slot", async () => {
    const recording = packed().drain();
    for (let i = 0; i < 255; i++) recording.pop(i, [0x30000, 16]).used(i, 16, i, 1024);
    recording.add("marker", { text: "dirty_sync_begin 0" });
    recording.pop(255, [0x40000, 48, false], ...READ).used(255, 0x2001, 255, 1024);
    const { pages } = await logged(recording);
    expect(pages["spdk-packed"]).toBe("10");
  });

  test("QEMU's log address: the ring is written, the event area is logged", async () => {
    const recording = packed();
    // desc 0x3000 behind the device event area, whose address is the log address.
    recording.ioctl(0x4028af11, "0x5000", [1n << 32n, 0x7f003000n, 0x7f000000n, 0n, 0x10000n]);
    recording
      .drain()
      .pop(0, ...READ)
      .used(0, 0x2001, 0);
    const { pages, result } = await logged(recording);
    expect(pages["spdk-packed"]).toBe("10");
    const lost = result.findings.filter(({ policy }) => policy === "spdk-packed");
    expect(lost.map(({ code, runs }) => [code, runs[0]?.gfn.toString(16)])).toContainEqual([
      ...["lost-packed-left-out", "13"],
    ]);
  });
});

test("DPDK logs the pieces of a split header behind the address of the first", async () => {
  const recording = new Recording().ioctl(0x4008af00, "0x5000", [V1], "vhost-user-net").drain();
  recording.pop(0, [0x20ffc, 4], [0x30000, 4], [0x31000, 2048]).used(0, 100, 0);
  const { pages, result } = await logged(recording);
  // 4 bytes at 0x20ffc, then 4 and 4 behind them: page 0x21, and never page 0x30.
  expect(pages["dpdk-net"]).toBe("10 20 21 31");
  expect(pages["libvhost-user"]).toBe("10 30 31 20".split(" ").sort().join(" "));
  expect(result.limits.map(({ code }) => code)).toContain("header-in-pieces");
});

test("a packet that goes on in a second chain has its header in the first", async () => {
  const recording = new Recording();
  recording.feat = V1 | LOG_ALL | MRG_RXBUF;
  recording.ioctl(0x4008af00, "0x5000", [recording.feat], "vhost-user-net").drain();
  recording.pop(0, [0x20000, 64]).pop(1, [0x30ffc, 4], [0x40000, 60]);
  recording.used(0, 64, 0).used(1, 30, 1);
  const { pages } = await logged(recording);
  expect(pages["dpdk-net"]).toBe("10 20 30 40");
});

describe("sessions of SPDK", () => {
  const message = (vid: number, request: number, ...w: bigint[]): Event => ({
    ...{ event: "message", vid: hex(vid), request, size: 8 },
    ...Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`w${i}`, hex(w[i] ?? 0n)])),
  });
  const session = (vs: number, feat: bigint): Event[] => {
    const state = { vs: hex(vs), vq: hex(vs + 0x100), num: 128, index: 0, feat: hex(feat) };
    return [
      { event: "spdk_get", ...state, head: 0, used: 0 },
      { event: "spdk_desc", vs: hex(vs), gpa: hex(0x20000 + vs), len: 4096, flags: 2 },
      { event: "spdk_used", ...state, head: 0, len: 4096, idx: 0 },
      // The log looks the chain up again.
      { event: "spdk_get", ...state, head: 0, used: 1 },
    ];
  };
  const setUp = (vid: number, feat: bigint, ring: bigint): Event[] => [
    ...[message(vid, 3), message(vid, 2, feat), message(vid, 6, 0x400n)],
    message(vid, 9, 1n << 32n, 0n, 0n, 0n, ring),
  ];
  const run = (events: Event[]) => {
    const recording = new Recording();
    for (const { event, ...fields } of events) recording.add(event, fields);
    return logged(recording);
  };

  test("with a packed ring and a memory table of several regions: where the ring lies is a limit", async () => {
    const ring = [1n << 32n, 0x7f0000013000n, 0x7f0000010000n, 0n, 0x10000n];
    const limits = async (regions: bigint): Promise<string[]> => {
      const { result } = await run([
        ...[message(0, 3), message(0, 2, V1 | LOG_ALL | PACKED), message(0, 6, 0x400n)],
        message(0, 5, regions, 0n, 0x100000n, 0x7f0000000000n),
        message(0, 9, ...ring),
        ...session(0x100000, V1 | LOG_ALL | PACKED),
      ]);
      return result.limits.map(({ code }) => code);
    };
    expect(await limits(1n)).not.toContain("memory-unseen");
    expect(await limits(2n)).toContain("memory-unseen");
  });

  test("two are told apart by their features, each with its ring", async () => {
    const [a, b] = [V1 | LOG_ALL, V1 | LOG_ALL | (1n << 9n)];
    const events = [...setUp(0, a, 0x10000n), ...setUp(1, b, 0x12000n)];
    const { pages, result } = await run([
      ...[...events, ...session(0x100000, b), ...session(0x200000, a)],
    ]);
    expect(pages["spdk-split"]).toBe("10 12 120 220");
    expect(result.devices.map(({ queues }) => queues[0]?.completed)).toEqual([1, 1]);
    expect(result.devices.map(({ queues }) => queues[0]?.inFlightAtEnd)).toEqual([0, 0]);
    // A number names them in messages, no address.
    expect(result.devices.map(({ dev, vs }) => [dev, vs])).toEqual([
      ...[
        [null, null],
        [null, null],
      ],
    ]);
  });

  test("where several fit, the link is a limit and no guess", async () => {
    const feat = V1 | LOG_ALL;
    const events = [...setUp(0, feat, 0x10000n), ...setUp(1, feat, 0x12000n)];
    const { pages, result } = await run([...events, ...session(0x100000, feat)]);
    expect(pages["spdk-split"]).toBe("120");
    expect(result.limits.map(({ code }) => code)).toEqual(
      expect.arrayContaining(["session-unlinked", "ring-unknown"]),
    );
  });
});
