import { expect, test } from "vitest";
import { describeFormat } from "../../src/bytes/describe-format.ts";
import { type SniffedFormat, sniff } from "../../src/bytes/sniff.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

const BINARY: [SniffedFormat, string | undefined, string][] = [
  ["empty", undefined, ""],
  ["gzip", undefined, "\x1f\x8b\x08\x00"],
  ["zstd", undefined, "\x28\xb5\x2f\xfd\x04"],
  ["zstd", undefined, "\x53\x2a\x4d\x18\x00\x00\x00\x00"],
  ["xz", undefined, "\xfd7zXZ\x00\x00\x04"],
  ["trace-dat", "6", "\x17\x08\x44tracing6\x00\x00\x08"],
  ["trace-dat", "7", "\x17\x08\x44tracing7\x00\x00\x08\x00\x10\x00\x00zstd\x00"],
  ["perf-data", undefined, "PERFILE2\x68\x00\x00\x00"],
  ["perf-data", undefined, "2ELIFREP\x00\x00\x00\x68"],
  [
    "qemu-simple",
    "4",
    "\xff\xff\xff\xff\xff\xff\xff\xff\xb4\x29\xa4\x0a\xcb\x77\xb1\xf2\x04\x00\x00\x00\x00\x00\x00\x00",
  ],
  ["elf", undefined, "\x7fELF\x02\x01"],
  ["kdump", undefined, "KDUMP   \x06"],
  ["migration-stream", undefined, "QEVM\x00\x00\x00\x03\x07"],
  ["ctf", undefined, "/* CTF 1.8 */\n"],
  ["ctf", undefined, "\xc1\x1f\xfc\xc1\x00"],
  ["ctf", undefined, "\x57\x1d\xd1\x75\x00"],
  ["utf16le", undefined, "\xff\xfe#\x00 \x00"],
  ["utf16be", undefined, "\xfe\xff\x00#\x00 "],
  ["perfetto", undefined, "\x0a\x04\x50\x01\x58\x02\x0a\x02\x50\x03"],
  ["ndjson", undefined, '\n\n {"event":"pop","ts":"1"}\n'],
  ["ndjson", undefined, "{}"],
  ["unknown", undefined, "\x00\x01\x02\x03"],
  ["unknown", undefined, "PID file of nothing\n"],
  ["unknown", undefined, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n"],
];

test.each(BINARY)("%s %s is found from the bytes", (format, detail, head) => {
  expect(sniff(latin1(head))).toEqual(detail === undefined ? { format } : { format, detail });
});

// Lines as the kernel, trace-cmd, perf and QEMU print them.
const TEXT: [SniffedFormat, string, string][] = [
  ["ftrace-text", "kernel", "# tracer: nop\n#\n"],
  ["ftrace-text", "kernel", "\ufeff# tracer: nop\n#\n"],
  ["ftrace-text", "kernel", "CPU:1 [LOST 10779 EVENTS]\n"],
  [
    "ftrace-text",
    "kernel",
    "     my worker-2-13128   [000] DBZff  2642.706085: log_write: (0x563c15f22240) gpa=0x1\n",
  ],
  [
    "ftrace-text",
    "kernel",
    "      a [b] c: d-4746    (   4743) [000] DBZff  2456.880774: log_write: (0x5) gpa=0x1\n",
  ],
  [
    "ftrace-text",
    "kernel",
    "      vhost-1234-5690    (-------) [1001] ..... 6461540699577: pop: (x)\n",
  ],
  [
    "ftrace-text",
    "kernel",
    "      vhost-1234-5592    [001] DBZff            2: pop: (0x1) head=1\n",
  ],
  [
    "ftrace-text",
    "kernel",
    "     dd-117   [001]     6.430907: vfs_write_ret:        (ffff) ret=1\n",
  ],
  [
    "ftrace-text",
    "kernel",
    "     dd-117   [001]112015882495: vfs_write_ret:        (ffff) ret=1\n",
  ],
  ["ftrace-text", "kernel", "     dd-117   [000]-0x11     6.430907: vfs_write_ret:  ret=1\n"],
  [
    "ftrace-text",
    "kernel",
    "big:      my worker-2-13128 [000] .....  2642.706085: log_write: (0)\n",
  ],
  ["ftrace-text", "trace-cmd report", "cpus=2\n"],
  ["ftrace-text", "trace-cmd report", "v316.rec.default.dat: cpus=2\n"],
  ["ftrace-text", "trace-cmd report", "CPU:1 [95 EVENTS DROPPED]\n"],
  ["ftrace-text", "trace-cmd report", "version = 7\n"],
  [
    "ftrace-text",
    "perf script",
    "     my worker-2 19394 [001]  2970.769470: vlean:log_write: (56386cd16240) gpa=0x1 len=26\n",
  ],
  [
    "ftrace-text",
    "perf script",
    " dd  2990/2992  [001] 2970.769470123:    1 vlean:log_write: (5) g=1\n",
  ],
  ["ftrace-text", "latency", "vhost-12-5551      1DBZff 33882us+: log_write: (0x5) gpa=0x1\n"],
  [
    "ftrace-text",
    "latency",
    "      dd-117     1.....     6.430907: vfs_write_ret:  (ffff) ret=1\n",
  ],
  ["ftrace-text", "raw", "4746 0 2456880773764 type: 2328\n"],
  ["ftrace-text", "raw", "# tracer: nop\n#\n4746 0 2456880773764 type: 2328\n"],
  [
    "qemu-log",
    "tid@time",
    "24371@1795394503.432892:virtqueue_fill vq 0x7fd1 elem 0x55 len 124 idx 0\n",
  ],
  ["qemu-log", "ISO 8601", "2026-11-23T00:56:11.564711Z virtqueue_pop vq 0x5 elem 0x5 in_num 2\n"],
  [
    "qemu-log",
    "no time",
    "virtqueue_pop vq 0x555561cc5920 elem 0x5555622884b0 in_num 2 out_num 1\n",
  ],
];

test.each(TEXT)(
  "%s (%s) is found, also behind foreign lines, NULs and blank lines",
  (format, detail, text) => {
    expect(sniff(Buffer.from(text))).toEqual({ format, detail });
    if (text.startsWith("\ufeff")) return;
    expect(sniff(latin1(`[    0.000000] Booting\n\0\0\n\n${text.replace("\n", "\r\n")}`))).toEqual({
      format,
      detail,
    });
  },
);

test("an event line behind the first 50 lines or 64 KiB is not looked for", () => {
  expect(sniff(latin1(`${"x\n".repeat(60)}cpus=2\n`)).format).toBe("unknown");
  expect(sniff(latin1(`${"x".repeat(70_000)}\ncpus=2\n`)).format).toBe("unknown");
});

test("a hostile line takes no time to refuse", () => {
  const line = `${"-1 [000] ".repeat(8000)}`.slice(0, 65536);
  const begin = performance.now();
  sniff(latin1(line));
  sniff(latin1(`-${" 1".repeat(32000)}`));
  sniff(latin1(`${"-1 ".repeat(300)}\n`.repeat(70)));
  expect(performance.now() - begin).toBeLessThan(500);
});

test("every truncation of a magic number is told without an error", () => {
  for (const [, , head] of BINARY) {
    for (let length = 0; length < head.length; length++) {
      expect(sniff(latin1(head.slice(0, length))).format).toBeTypeOf("string");
    }
  }
});

test("a format that cannot be read comes with what to do instead", () => {
  expect(describeFormat("perf-data").hint).toContain(
    "perf script -F comm,tid,cpu,time,event,trace --ns --show-lost-events",
  );
  expect(describeFormat({ format: "ftrace-text", detail: "raw" })).toMatchObject({
    readable: false,
    hint: expect.stringContaining("options/raw"),
  });
  expect(describeFormat({ format: "trace-dat", detail: "7" })).toEqual({
    name: "trace.dat of trace-cmd (version 7)",
    readable: true,
  });
  for (const [format] of [...BINARY, ...TEXT]) {
    const { readable, hint } = describeFormat(format);
    expect(readable || hint !== undefined, format).toBe(true);
  }
});
