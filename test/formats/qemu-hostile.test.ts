/**
 * Hostile input of QEMU's forms: whatever happens to the bytes, the outcome is a result or a
 * RecordingError in one line. Never another exception, never a hang, never memory without bound.
 */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { writeEvent } from "../../src/core/event-record.ts";
import { parseClockPairs } from "../../src/join/clock-pair.ts";
import { parseMemoryMap } from "../../src/memory/read-memory-map.ts";
import { RecordingError } from "../../src/model/place.ts";
import { readTraceEvents } from "../../src/qemu/trace-events.ts";
import type { Recording } from "../../src/replay/replay.ts";
import { replay } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { markerText, qemuLog, TRACE_EVENTS_ALL, type TraceLine } from "../support/make-qemu-log.ts";
import { simpletrace } from "../support/make-simpletrace.ts";
import { coreModule, memorySource, recordingOf } from "../support/memory-source.ts";
import { MigrationGuest } from "../support/migration-guest.ts";

const RUNS = Number(process.env.HOSTILE_RUNS ?? 25);

/** A short migration with elements of QEMU's own device in it. */
function story(): TraceLine[] {
  const guest = new QemuGuest();
  guest.event("kvm_set_user_memory", 0, 0, 1, 0, 0x4000000, 0x7f0000000000n, -1, 0, 0);
  guest.read(0x10n, [0x200000, 0x3000]);
  guest.event("migrate_set_state", "active").event("global_dirty_changed", 1);
  for (let i = 0; i < 3; i++) {
    guest.event("migration_bitmap_sync_start");
    guest.event("memory_region_sync_dirty", "(all)", "vhost", 0);
    guest.event("migration_bitmap_sync_end", 7);
    for (let page = 0x200; page < 0x204; page++) {
      const offset = BigInt(page) << 12n;
      guest.event("ram_save_page", "pc.ram", offset, 0x7f0000000000n + offset);
    }
    guest.event("savevm_section_end", "ram", 2, 0);
    guest.read(0x20n, [0x201000, 0x2000]);
    guest.event("kvm_dirty_ring_page", 0, 0, 0x202);
  }
  guest.event("runstate_set", 9, "running", 3, "finish-migrate");
  guest.event("migrate_set_state", "completed");
  return guest.lines;
}

const LINES = story();
const guest = new MigrationGuest().slot().start().bitmapSync().save(0x202).flush();
guest.writePages(0x202).bitmapSync().save(0x203).flush().switchover().end();

const FORMS: [string, Buffer][] = [
  ["log", Buffer.from(qemuLog(LINES, "tid@time"))],
  ["ISO log", Buffer.from(qemuLog(LINES, "ISO"))],
  ["bare log", Buffer.from(qemuLog(LINES, "bare"))],
  ["simpletrace", simpletrace(LINES)],
  ["big-endian simpletrace", simpletrace(LINES, { bigEndian: true })],
  ["ftrace text", Buffer.from(`# tracer: nop\n${markerText(LINES)}`)],
  ["NDJSON", Buffer.from(guest.ndjson())],
];

/** Most memory that a case may take beyond what the tests before it had. */
const MEMORY = 512 * 1024 * 1024;

async function outcome(bytes: Uint8Array, options: Partial<Recording> = {}): Promise<string> {
  try {
    await replay(
      { ...(await recordingOf(memorySource("input", bytes))), ...options },
      {
        policies: ["unpatched", "patched", "qemu-device"].map((alias) => ({
          policy: findPolicy(alias),
          alias,
        })),
        window: "auto",
        stalePages: true,
        onRequest: () => {},
      },
    );
    return "result";
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    expect(error.message).not.toContain("\n");
    expect(error.message).toMatch(/^(?:input|list)\S*: expected /);
    return error.message;
  }
}

const before = process.memoryUsage().rss;
afterAll(() => {
  expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY);
});

test("undamaged, each form is replayed", async () => {
  for (const [name, bytes] of FORMS) expect(await outcome(bytes), name).toBe("result");
});

describe.each(FORMS)("%s", (_, bytes) => {
  test("cut off anywhere", async () => {
    for (let end = 0; end < bytes.length; end += end < 200 ? 7 : 211) {
      await outcome(bytes.subarray(0, end));
    }
    for (let end = bytes.length - 40; end < bytes.length; end++)
      await outcome(bytes.subarray(0, end));
  });

  test("with any bit flipped", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 1 << bit;
        await outcome(damaged);
      }),
      { numRuns: RUNS },
    );
  });

  test("with any bytes written over, left out or put in", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ maxLength: 24 }),
        fc.nat(24),
        async (at, junk, removed) => {
          await outcome(Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at + removed)]));
        },
      ),
      { numRuns: RUNS },
    );
  });
});

describe("simpletrace", () => {
  const header = simpletrace([]);
  const u64 = (...values: bigint[]): Buffer => {
    const bytes = Buffer.alloc(values.length * 8);
    for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(value, i * 8);
    return bytes;
  };
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };

  test("random bytes behind the header", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (junk) => {
        await outcome(Buffer.concat([header, junk]));
      }),
      { numRuns: RUNS },
    );
  });

  test.each([
    [
      "a record of an unknown type",
      Buffer.concat([u64(2n, 0n), Buffer.alloc(40)]),
      /type 0 .* or 1/,
    ],
    ["a name of 4 GiB", Buffer.concat([u64(0n, 1n), u32(0xffffffff)]), /name of 1 to 1024/],
    ["a name of no bytes", Buffer.concat([u64(0n, 1n), u32(0), Buffer.alloc(40)]), /name of 1 to/],
    [
      "a number of 2^63",
      Buffer.concat([u64(0n, 1n << 63n), u32(1), Buffer.alloc(40)]),
      /below 65536/,
    ],
    [
      "a record of 4 GiB",
      Buffer.concat([u64(1n, 0n, 5n), u32(0xfffffff0), u32(1), Buffer.alloc(40)]),
      /24 to 65536/,
    ],
    [
      "a record shorter than its head",
      Buffer.concat([u64(1n, 0n, 5n), u32(8), u32(1), Buffer.alloc(40)]),
      /24 to 65536/,
    ],
  ])("%s", async (_, bytes, words) => {
    const message = await outcome(Buffer.concat([header, bytes]));
    expect(message).toMatch(words);
    expect(message).toMatch(/^input@0x18: /);
  });

  test("a string that is longer than its record", async () => {
    const bytes = simpletrace([{ ns: 1n, tid: 1, name: "migrate_set_state", args: ["completed"] }]);
    const at = bytes.lastIndexOf("completed") - 4;
    for (const length of [10, 1000, 0x7fffffff, 0xffffffff]) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt32LE(length, at);
      expect(await outcome(damaged)).toMatch(/arguments of migrate_set_state/);
    }
  });

  test("65536 names, each mapped many times", async () => {
    const parts = [header];
    for (let i = 0; i < 200_000; i++) {
      const name = Buffer.from(`event_${i % 65536}`);
      parts.push(u64(0n, BigInt(i % 65536)), u32(name.length), name);
    }
    expect(await outcome(Buffer.concat(parts))).toBe("result");
  });
});

describe("text", () => {
  const line = (text: string): string => `7@1.000000:${text}\n`;

  test("RAM blocks, states and threads without number", async () => {
    const lines: string[] = [line("global_dirty_changed bitmask 0x1")];
    for (let i = 0; i < 30_000; i++) {
      lines.push(`${i}@1.000001:ram_save_page block${i}: offset: 0x${i}000 host: 0x7${i}000\n`);
      lines.push(`${i}@1.000001:migrate_set_state new state s${i}\n`);
      lines.push(`${i}@1.000001:virtqueue_pop vq 0x${i} elem 0x${i} in_num 1 out_num 1\n`);
    }
    expect(await outcome(Buffer.from(lines.join("")))).toBe("result");
  });

  test("mappings without a pop, pops without a fill", async () => {
    const lines: string[] = [];
    for (let i = 0; i < 60_000; i++) {
      lines.push(line(`address_space_map as:0x1 addr 0x${i}:ffffffffffffffff write:1 attrs:0x0`));
      lines.push(line(`virtqueue_pop vq 0x1 elem 0x${i} in_num 1 out_num 0`));
    }
    expect(await outcome(Buffer.from(lines.join("")))).toBe("result");
  });

  test("numbers beyond all bounds", async () => {
    const big = "f".repeat(16);
    const lines = [
      line("global_dirty_changed bitmask 0x1"),
      line(
        `kvm_set_user_memory AddrSpace#0 Slot#0 flags=0x0 gpa=0x${big} size=0x${big} ua=0x${big} guest_memfd=-1 guest_memfd_offset=0x0 ret=0`,
      ),
      line(`vhost_region_add_section pc.ram: 0x0+0x${big} @ 0x${big}`),
      line(`ram_save_page pc.ram: offset: 0x${big} host: 0x${big}`),
      line(`kvm_dirty_ring_page vcpu 0 fetch 0 offset 0x${big}`),
      line(`address_space_map as:0x1 addr 0x${big}:${big} write:1 attrs:0x0`),
      line("virtqueue_pop vq 0x1 elem 0x1 in_num 4294967295 out_num 4294967295"),
      line("virtqueue_pop vq 0x1 elem 0x2 in_num 1 out_num 0"),
      line("virtqueue_fill vq 0x1 elem 0x2 len 4294967295 idx 4294967295"),
      line("virtqueue_fill vq 0x1 elem 0x1 len 4294967295 idx 0"),
      "4294967295@999999999999.999999:migrate_set_state new state completed\n",
    ];
    expect(await outcome(Buffer.from(lines.join("")))).toBe("result");
  });

  test("a line without end", async () => {
    for (const junk of [Buffer.alloc(3_000_000, 0x61), Buffer.alloc(3_000_000)]) {
      await outcome(Buffer.concat([Buffer.from(line("virtqueue_flush vq 0x1 count 1")), junk]));
    }
  });

  test("strings of NDJSON are kept once, however often they come", async () => {
    const core = await Core.create(await coreModule(), 0);
    const stream = core.exports.addStream(3, 0, 0, 4096, 64);
    const at = core.exports.appendRecord(stream);
    const event = (rbname: string) => ({
      event: "qemu",
      name: "ram_save_page",
      ts: "1",
      cpu: 0,
      pid: 1,
      args: { rbname, offset: "0x1000", host: "0x7f0000001000" },
    });
    const write = (name: string): void =>
      writeEvent(core, at, event(name), 1, { file: "input", at: "" });
    const name = "\u20ac".repeat(256);
    write(name);
    const before = core.bytes.length;
    for (let i = 0; i < 50_000; i++) write(name);
    expect(core.bytes.length).toBe(before);
  });
});

describe("what goes with a recording", () => {
  const junk = fc.oneof(
    fc.string({ maxLength: 200, unit: "binary" }),
    fc
      .tuple(fc.nat(TRACE_EVENTS_ALL.length), fc.string({ maxLength: 12 }))
      .map(([at, text]) => TRACE_EVENTS_ALL.slice(0, at) + text + TRACE_EVENTS_ALL.slice(at + 3)),
  );

  test("trace-events", async () => {
    await fc.assert(
      fc.asyncProperty(junk, async (text) => {
        try {
          readTraceEvents(text, "list");
        } catch (error) {
          if (!(error instanceof RecordingError)) throw error;
          expect(error.message).toMatch(/^list\S*: expected /);
        }
        await outcome(FORMS[3]![1], { traceEvents: memorySource("list", text) });
      }),
      { numRuns: RUNS },
    );
  });

  test("a line of trace-events that could take for ever", () => {
    for (const text of [
      `${"disable ".repeat(20_000)}x`,
      `${" ".repeat(50_000)}(`,
      `a(${"int ".repeat(50_000)}`,
      `a(${"x".repeat(50_000)}) "`,
      `a(${",".repeat(50_000)}) ""`,
    ]) {
      try {
        readTraceEvents(`${text}\n`, "list");
      } catch (error) {
        expect(error).toBeInstanceOf(RecordingError);
      }
    }
  });

  test("clock pairs", () => {
    const good = "realtime=1795398793.536603560 monotonic=7.622308188 spread_ns=8440\n";
    fc.assert(
      fc.property(fc.nat(good.length), fc.string({ maxLength: 20, unit: "binary" }), (at, text) => {
        try {
          const pairs = parseClockPairs(good.slice(0, at) + text + good.slice(at + 2), "clock.txt");
          expect(pairs.length).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof RecordingError)) throw error;
        }
      }),
      { numRuns: RUNS * 3 },
    );
  });

  test("mtree files", () => {
    const good =
      'FlatView #0\r\n AS "memory", root: system\r\n Root memory region: system\r\n' +
      "  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\r\n" +
      "  0000000000100000-0000000003ffffff (prio 0, ram): pc.ram @0000000000100000\r\n";
    fc.assert(
      fc.property(
        fc.nat(good.length),
        fc.string({ maxLength: 30, unit: "binary" }),
        fc.nat(40),
        (at, text, removed) => {
          try {
            parseMemoryMap([
              { name: "mtree", text: good.slice(0, at) + text + good.slice(at + removed) },
            ]);
          } catch (error) {
            if (!(error instanceof RecordingError)) throw error;
          }
        },
      ),
      { numRuns: RUNS * 5 },
    );
  });
});
