/** Which format a file is of, told from its first bytes; and that the list of formats is whole. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { foreignKind } from "../../src/bytes/foreign.ts";
import { HEAD_BYTES, Head } from "../../src/bytes/head.ts";
import { FORMATS, recognise } from "../../src/formats/formats.ts";
import { FTRACE_DIALECTS } from "../../src/formats/ftrace-dialects.ts";
import { QEMU_DIALECTS } from "../../src/formats/qemu-dialects.ts";
import { tarOf } from "../support/make-tar.ts";
import { memorySource, recordingOf, replayAll } from "../support/memory-source.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Name and variant of what begins like this. */
function sniff(bytes: Uint8Array): { name: string; variant?: string } {
  const known = recognise(new Head(bytes));
  if (known === null) return { name: "unknown" };
  if ("foreign" in known) return { name: known.foreign.name };
  return { name: known.format.name, variant: known.variant };
}

const BINARY: [string, string | undefined, string][] = [
  ["empty", undefined, ""],
  ["trace-dat", "6", "\x17\x08\x44tracing6\x00\x00\x08"],
  ["trace-dat", "7", "\x17\x08\x44tracing7\x00\x00\x08\x00\x10\x00\x00zstd\x00"],
  ["perf-data", undefined, "PERFILE2\x68\x00\x00\x00"],
  ["perf-data", undefined, "2ELIFREP\x00\x00\x00\x68"],
  [
    "simpletrace",
    "4",
    "\xff\xff\xff\xff\xff\xff\xff\xff\xb4\x29\xa4\x0a\xcb\x77\xb1\xf2\x04\x00\x00\x00\x00\x00\x00\x00",
  ],
  ["simpletrace-records", "", `\x01\0\0\0\0\0\0\0\x07${"\0".repeat(15)}\x18\0\0\0\x01\0\0\0`],
  ["elf", undefined, "\x7fELF\x02\x01"],
  ["kdump", undefined, "KDUMP   \x06"],
  ["migration-stream", undefined, "QEVM\x00\x00\x00\x03\x07"],
  ["ctf", undefined, "/* CTF 1.8 */\n"],
  ["ctf", undefined, "\xc1\x1f\xfc\xc1\x00"],
  ["ctf", undefined, "\x57\x1d\xd1\x75\x00"],
  ["perfetto", undefined, "\x0a\x04\x50\x01\x58\x02\x0a\x02\x50\x03"],
  ["ndjson", "", '\n\n {"event":"pop","ts":"1"}\n'],
  ["json", undefined, "{}"],
  ["json", undefined, '[{"a": 1}]'],
  ["unknown", undefined, "\x00\x01\x02\x03"],
  ["unknown", undefined, "PID file of nothing\n"],
  ["unknown", undefined, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n"],
  ["zip", undefined, "PK\x03\x04\x14\x00"],
  ["bzip2", undefined, "BZh91AY&SY"],
  ["pcap", undefined, "\xd4\xc3\xb2\xa1\x02\x00"],
  ["pcap", undefined, "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00"],
  ["lz4", undefined, "\x04\x22\x4d\x18"],
  ["7z", undefined, "7z\xbc\xaf\x27\x1c"],
  ["cpio", undefined, "070701"],
  ["qcow2", undefined, "QFI\xfb"],
  ["journal", undefined, "LPKSHHRH"],
  ["bpftrace", undefined, '{"type": "attached_probes", "data": {"probes": 2}}\n'],
  ["bpftrace", undefined, "Attaching 2 probes...\nlog_write gpa=0x1\n"],
  ["chrome-json", undefined, '{"traceEvents": []}'],
  ["babeltrace", undefined, "[00:56:11.564711123] (+?.?????????) host qemu:virtqueue_fill: { }\n"],
  ["strace", undefined, "4240 ioctl(12, KVM_GET_DIRTY_LOG, 0x7ff) = 0\n"],
  ["qmp", undefined, '{"QMP": {"version": {}}}\n'],
  ["libvirtd-log", undefined, "2026-11-23 01:01:42.071+0000: 4240: info : virObjectNew:258 : x\n"],
  ["dpdk-log", undefined, "EAL: Detected 4 lcore(s)\n"],
  ["dmesg", undefined, "[   12.345678] virtio_blk virtio0: [vda] 8 blocks\n"],
  ["journal-text", undefined, "Nov 23 01:01:42 host systemd[1]: Started machine.\n"],
];

test.each(BINARY)("%s %s is found from the bytes", (name, variant, head) => {
  expect(sniff(latin1(head))).toEqual(variant === undefined ? { name } : { name, variant });
});

// Lines as the kernel, trace-cmd, perf and QEMU print them.
const TEXT: [string, string, string][] = [
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
  [
    "qemu-log",
    "ISO 8601",
    "2026-11-23T00:56:11.564711Z virtqueue_pop vq 0x5 elem 0x5 in_num 2 out_num 1\n",
  ],
  [
    "qemu-log",
    "pid@nanoseconds",
    "4240@1700000001000000000 virtqueue_pop vq 0x5 elem 0x5 in_num 2 out_num 1\n",
  ],
  [
    "qemu-log",
    "no time",
    "virtqueue_pop vq 0x555561cc5920 elem 0x5555622884b0 in_num 2 out_num 1\n",
  ],
];

test.each(TEXT)(
  "%s (%s) is found, also behind foreign lines, NULs and blank lines",
  (name, variant, text) => {
    expect(sniff(Buffer.from(text))).toEqual({ name, variant });
    if (text.startsWith("\ufeff")) return;
    expect(sniff(latin1(`[    0.000000] Booting\n\0\0\n\n${text.replace("\n", "\r\n")}`))).toEqual({
      name,
      variant,
    });
  },
);

test("every format and every dialect has a sample here", () => {
  const seen = new Set([...BINARY, ...TEXT].map(([name, variant]) => `${name} ${variant ?? ""}`));
  seen.add("tar ");
  const has = (name: string, variant = ""): boolean =>
    [...seen].some((entry) => entry.startsWith(`${name} ${variant}`));
  for (const { name } of FORMATS) expect(has(name), `a sample of the format ${name}`).toBe(true);
  for (const { name } of FTRACE_DIALECTS) expect(has("ftrace-text", name), name).toBe(true);
  for (const { name } of QEMU_DIALECTS) expect(has("qemu-log", name), name).toBe(true);
});

// The raw one is told so that it can be said what to do instead.
const READ = [...FTRACE_DIALECTS, ...QEMU_DIALECTS].filter(
  ({ name, header }) => !header && name !== "raw",
);

test.each(READ)("the sample of the dialect $name is read as an event", async ({ name, line }) => {
  const [, , text] = TEXT.find((sample) => sample[1] === name && line.test(sample[2]))!;
  const { inputs } = await replayAll([memorySource(`${name}.txt`, text)]);
  expect(inputs[0]!.events.map(({ count }) => count)).toEqual([1]);
});

test("every file with a Format object is in the list", () => {
  const folder = join(import.meta.dirname, "../../src/formats");
  const objects = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [
      ...readFileSync(join(folder, file), "utf8").matchAll(
        /^export const (\w+): Format\s*=\s*\{\s*name: "([^"]+)"/gm,
      ),
    ])
    .map((match) => match[2]);
  expect(objects.sort()).toEqual(FORMATS.map(({ name }) => name).sort());
});

test("no name stands twice in the list", () => {
  expect(new Set(FORMATS.map(({ name }) => name)).size).toBe(FORMATS.length);
});

const FTRACE_LINE = "     dd-117   [001] .....     6.430907: tracing_mark_write: ";
const QEMU_LINE = "24371@1795394503.432892:virtqueue_fill vq 0x7fd1 elem 0x55 len 124 idx 0";

// What the order of the list decides: each of these is of two formats.
test.each([
  ["a tar of text", "tar", tarOf({ "trace.txt": `${FTRACE_LINE}x\n` })],
  ["a marker's line with one of QEMU's", "ftrace-text", latin1(`${FTRACE_LINE}${QEMU_LINE}\n`)],
  ["a line of ftrace in JSON", "ftrace-text", latin1(`{"log":"${FTRACE_LINE}x\\n"}\n`)],
  [
    "more lines of QEMU than of ftrace",
    "qemu-log",
    latin1(`${FTRACE_LINE}x\n${`${QEMU_LINE}\n`.repeat(2)}`),
  ],
])("%s is of the earlier format, or of the one with more lines: %s", (_, name, bytes) => {
  expect(sniff(bytes).name).toBe(name);
});

test("a file with a signature of another kind is never taken for text", () => {
  for (const [name, , head] of BINARY) {
    // A Perfetto trace has no signature: all of its beginning must fit.
    const told = foreignKind(new Head(latin1(head)));
    if (told === null || name === "empty" || name === "perfetto") continue;
    expect(sniff(latin1(`${head}\n${FTRACE_LINE}x\n`)).name).toBe(name);
  }
});

test("a hostile line takes no steps beyond its length to refuse", () => {
  const lines = ["-1 [000] ", " 1", "-1 ", "[000] ", "0@0.", "2026-", "CPU:1 [", "(", "a(", "1"];
  for (const piece of lines) {
    // A pattern that is not linear would hang here: a thousand lines of 1024 characters.
    const line = piece.repeat(1100).slice(0, 1100);
    expect(sniff(latin1(`${line}\n`.repeat(59))).name).toBe("unknown");
  }
});

test("every truncation of a signature is told without an error", () => {
  for (const [, , head] of BINARY) {
    for (let length = 0; length < head.length; length++) {
      expect(sniff(latin1(head.slice(0, length))).name).toBeTypeOf("string");
    }
  }
});

const EVENT =
  "              a-1       [000] .....     6.207789: pop: (f+0x0/0x1 <- vhost_get_vq_desc) head=1\n";

test("a beginning of up to a MiB that is something else is read over", async () => {
  for (const lines of [60, 2000, 20_000]) {
    const beginning = "-device virtio-scsi-pci,id=scsi0 \\\n".repeat(lines);
    expect(beginning.length < HEAD_BYTES).toBe(lines === 60);
    const result = await replayAll([memorySource("vm.log", beginning + EVENT)]);
    expect(result.inputs[0]).toMatchObject({ format: "ftrace text", foreignLines: lines });
  }
});

test("what cannot be read says what it is and what to do instead", async () => {
  const told = async (bytes: Uint8Array): Promise<string> =>
    replayAll((await recordingOf(memorySource("input", bytes))).sources.slice()).then(
      () => "read",
      (error) => error.message,
    );
  expect(await told(latin1("PERFILE2"))).toContain(
    "found perf.data of perf record; give the output of: perf script -F comm,tid,cpu,time,event,trace",
  );
  expect(await told(latin1("4746 0 2456880773764 type: 2328\n"))).toContain("noraw nohex nobin");
  const names = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`m${i}.txt`, "x"]));
  expect(await told(tarOf(names))).toContain(
    "a tar archive of m0.txt, m1.txt, m2.txt, m3.txt, m4.txt, m5.txt, m6.txt, m7.txt and 2 more",
  );
  for (const [name, , head] of BINARY) {
    if (FORMATS.some((format) => format.name === name)) continue;
    expect(await told(latin1(head)), name).toMatch(/^input: expected a recording .*, found ./);
  }
});
