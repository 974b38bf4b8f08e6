/** A case as it is sent: a folder or an archive of everything, answered by one command. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { Ajv2020 as Validator } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/commands/program.ts";
import { loadApi } from "../../src/commands/shared/load-api.ts";
import { dump } from "../../src/replay/replay.ts";
import { qemuLog } from "../support/make-qemu-log.ts";
import { tarOf } from "../support/make-tar.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { MigrationGuest } from "../support/migration-guest.ts";
import { fakeIo } from "../support/report-fixture.ts";
import { split } from "../support/split-recording.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const APART = 1_795_398_785_914_295_400n;

async function cli(...args: string[]) {
  const io = fakeIo();
  const api = await loadApi();
  const status = await runCommandLine(args, {
    io: () => io,
    tool: () => api.tool,
    load: async () => api,
  });
  return { status, stdout: io.stdout, stderr: io.stderr };
}

let scratch = "";
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "vhost-replay-case-"));
});
afterAll(() => rmSync(scratch, { recursive: true }));

function folder(name: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = join(scratch, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const MONITOR = `(qemu) info mtree -f
FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000000000000-0000000001ffffff (prio 0, ram): pc.ram
`;
const PDF = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n";

/** One migration on two clocks: the host's probes, and QEMU's log in wall-clock time. */
function twoClocks(page: number, base = 1_000_000_000n): { host: string; src: string } {
  const guest = new MigrationGuest();
  guest.slot().start().bitmapSync().save(page, 0x303).flush().bitmapSync().writePages(page);
  guest.switchover().save(0x15).end();
  const events = guest.timed().map((event, i) => ({
    ...event,
    ts: (base + BigInt(i) * 1_000_000n).toString(),
  }));
  const parts = split(events, APART);
  return { host: parts.probes, src: qemuLog(parts.lines, "tid@time").toString() };
}
const seconds = (ns: bigint): string =>
  `${ns / 1_000_000_000n}.${(ns % 1_000_000_000n).toString().padStart(9, "0")}`;
const clockText = (mono: bigint): string =>
  `realtime=${seconds(mono + APART)} monotonic=${seconds(mono)} spread_ns=900\n`;

describe("a real migration, with everything that was at hand", () => {
  const trace = readFileSync(join(TRACES, "migration/6.1/trace.txt.gz"));
  const text = gunzipSync(trace).toString("latin1");
  const files = {
    "source/trace.txt.gz": trace,
    "source/copy of trace.txt": text,
    "source/clock.txt": clockText(18_000_000_000n),
    "source/monitor.txt": MONITOR,
    "source/uname.txt": "Linux h 6.1.0-50-amd64 #1 SMP Debian 6.1.176-1 x86_64 GNU/Linux\n",
    "destination/dst.simpletrace.gz": readFileSync(
      join(TRACES, "migration/6.1/dst.simpletrace.gz"),
    ),
    "destination/empty.log": "",
    "Incident 4711.pdf": Buffer.from(PDF, "latin1"),
    "notes.txt": "the guest crashed after the migration\n",
    "serial.txt": "Debian GNU/Linux 12 guest ttyS0\n",
  };

  test("is answered by one command, which says what each file is", async () => {
    const root = folder("customer", files);
    const { status, stdout, stderr } = await cli(root, "--color=never");
    expect(stderr).toBe("");
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^Affected: under Linux 6\.1\.0-50-amd64 \(6\.1\.176\) 1936 pages are stale at the\s+destination, possibly 5 more\./,
    );
    const said = stdout.replaceAll(/\s+/g, " ");
    for (const line of [
      "source/copy of trace.txt: the host's kernel and QEMU of the source (ftrace text)",
      "source/trace.txt.gz: the host's kernel and QEMU of the source (ftrace text): the same recording in another form, counts once",
      "destination/dst.simpletrace.gz: the destination (simpletrace v4, clock mono)",
      "source/monitor.txt: a memory map (info mtree -f, info ramblock)",
      "source/uname.txt: the host's kernel (uname -a): 6.1.0-50-amd64",
      "source/clock.txt: readings of the host's clocks: not needed",
      "Incident 4711.pdf: a PDF: left out",
      "notes.txt, serial.txt: text of no known kind: left out",
    ]) {
      expect(said).toContain(line);
    }
  });

  test("as an archive, also inside another, it gives the same", async () => {
    const tar = tarOf(Object.fromEntries(Object.entries(files).map(([k, v]) => [`case/${k}`, v])));
    const root = folder("archives", { "case.tar": tar, "case.tar.gz": gzipSync(tar) });
    const plain = await cli("stale", folder("plain", files), "--json", "--quiet");
    const answers = (stdout: string): unknown => {
      const [{ migrations }] = JSON.parse(stdout).machines as [
        { migrations: Record<string, unknown>[] },
      ];
      return migrations.map(({ sends, policies }) => ({ sends, policies }));
    };
    for (const name of ["case.tar", "case.tar.gz"]) {
      const { status, stdout } = await cli("stale", join(root, name), "--json", "--quiet");
      expect(status).toBe(1);
      const strip = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(value, (key, inner) => (/place/i.test(key) ? null : inner)));
      expect(strip(answers(stdout))).toEqual(strip(answers(plain.stdout)));
    }
    const nested = folder("nested", { "upload.tar": tarOf({ "inner.tar.gz": gzipSync(tar) }) });
    expect((await cli(join(nested, "upload.tar"), "--quiet")).stdout).toContain("1936 pages");
  });

  test("an archive of two recordings that nothing joins is two answers, and one question is refused", async () => {
    const [first, second] = ["6.1.0-50-amd64/12-toggle", "7.2.13+deb14-amd64/09-events"].map(
      (name) => gunzipSync(readFileSync(join(TRACES, "vhost-scsi", name, "trace.txt.gz"))),
    );
    const tar = gzipSync(tarOf({ "src.txt": first!, "dst.txt": second! }));
    const root = folder("two", { "both.tar.gz": tar, "src.txt": first!, "dst.txt": second! });
    const lines = (stdout: string): string => stdout.replace(/\s+/g, " ");
    const both = await cli("report", join(root, "both.tar.gz"), "--quiet");
    const alone = new Set<string>();
    for (const name of ["src.txt", "dst.txt"]) {
      const { stdout } = await cli("report", join(root, name), "--quiet");
      const [said] = /Unpatched vhost-scsi \(linux-6\.1\) would have left .*? pages.*?\./.exec(
        lines(stdout),
      )!;
      expect(lines(both.stdout)).toContain(said);
      expect(both.stdout).toContain(`both.tar.gz/${name}`);
      alone.add(said);
    }
    expect(alone.size).toBe(2);
    expect(both.status).toBe(1);
    const one = await cli("stale", join(root, "both.tar.gz"));
    expect([one.status, one.stdout]).toEqual([2, ""]);
    expect(one.stderr).toContain("2 cases of different machines or migrations");
  });

  test("every command takes it, and says on standard error what it took", async () => {
    const root = folder("commands", files);
    const { status, stdout, stderr } = await cli(
      "explain",
      root,
      "--gpa",
      "gfn:0x400",
      "--limit",
      "3",
    );
    expect(status).toBe(0);
    expect(stdout).toContain("0x400000-0x400fff (1 page)");
    expect(stderr).toContain("Incident 4711.pdf: a PDF: left out");
    expect((await cli("info", root, "--quiet")).stderr).toBe("");
  });
});

describe("two clocks", () => {
  const { host, src } = twoClocks(0x202);
  test("are joined by the readings that fit, and asked for where there are none", async () => {
    const files = { "host.ndjson": host, "src.log": src, "memory.txt": MONITOR };
    const root = folder("clocks", {
      ...files,
      "clock.txt": clockText(1_000_000_000n),
      // Of a host that booted a month before.
      "other/clock.txt": clockText(2_600_000_000_000_000n),
    });
    const { status, stdout } = await cli("stale", root, "--quiet", "--color=never");
    expect(status).toBe(1);
    expect(stdout).toContain("from 1 clock pairs");
    const without = await cli("stale", folder("no-clock", files), "--quiet");
    expect(without.status).toBe(2);
    expect(without.stderr).toMatch(/give --clock-offset .* or --clock-pairs/);
  });

  test("readings of two hosts that both fit are a question", async () => {
    const root = folder("two-readings", {
      ...{ "host.ndjson": host, "src.log": src },
      "a.txt": clockText(1_000_000_000n),
      "b.txt": clockText(1_000_000_000n).replace("monotonic=1.", "monotonic=5."),
    });
    const { status, stderr } = await cli("stale", root, "--quiet");
    expect(status).toBe(2);
    expect(stderr).toMatch(/--clock-pairs \S+a\.txt or \S+b\.txt\?/);
    expect((await cli("stale", root, "--quiet", "--clock-pairs", join(root, "a.txt"))).status).toBe(
      1,
    );
  });
});

test("several hosts are a list of cases; another command asks for one", async () => {
  const root = folder("hosts", {
    "a/trace.txt.gz": readFileSync(
      join(TRACES, "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"),
    ),
    "b/trace.txt.gz": readFileSync(
      join(TRACES, "vhost-scsi/7.2.13+deb14-amd64/09-events/trace.txt.gz"),
    ),
  });
  const { status, stdout } = await cli(root, "--quiet", "--color=never");
  expect(status).toBe(1);
  expect(stdout.match(/^Affected(?:, whichever| if the host)/gm)).toHaveLength(2);
  const { schema, cases } = JSON.parse((await cli(root, "--quiet", "--json")).stdout);
  expect([schema, cases.length]).toEqual(["vhost-replay/cases/3", 2]);
  const validate = (name: string, document: unknown): unknown => {
    const text = readFileSync(join(TRACES, "../schema", `${name}.schema.json`), "utf8");
    const check = new Validator({ allowUnionTypes: true }).compile(JSON.parse(text));
    return check(document) ? [] : check.errors;
  };
  expect(validate("cases", { schema, cases })).toEqual([]);
  for (const one of cases) expect(validate("report", one)).toEqual([]);
  expect(cases[0].case.files).toMatchObject([
    { used: true, is: "the host's kernel (ftrace text)" },
  ]);
  const other = await cli("requests", root, "--quiet");
  expect(other.status).toBe(2);
  expect(other.stderr).toMatch(
    /^ {2}\S+a\/trace\.txt\.gz\n {2}\S+b\/.*\n.*2 cases .* give the files of one/,
  );
});

test("observed logs of a folder are what verify compares with", async () => {
  const own = join(TRACES, "vhost-scsi/6.16.12+deb13-amd64/12-toggle");
  const { status, stdout } = await cli("verify", own, "--policy", "linux-6.16", "--quiet");
  expect(stdout).toBe("linux-6.16 equals the observed log at all 10 syncs.\n");
  expect(status).toBe(0);
});

test("without a recording it says what each file is, status 2", async () => {
  const root = folder("nothing", { "a.pdf": PDF, "sub/b.txt": "hello\n" });
  const { status, stderr } = await cli(root);
  expect(status).toBe(2);
  expect(stderr).toMatch(
    /^ {2}\S+a\.pdf: a PDF: left out\n {2}\S+b\.txt: text.*\n.*no recording in it/,
  );
});

test("a destination of another migration is said and left out", async () => {
  const page = twoClocks(0x202);
  const arrivals = Array.from(
    { length: 20 },
    (_, i) =>
      `9@1795398787.00${i + 1000}:ram_load_loop pc.ram: addr: 0x${(i + 7) * 4096} flags: 0x8 host: 0x7e0000000000\n`,
  ).join("");
  const root = folder("other-destination", {
    ...{ "host.ndjson": page.host, "src.log": page.src, "dst.log": arrivals },
    "clock.txt": clockText(1_000_000_000n),
  });
  const { status, stdout } = await cli(root, "--color=never");
  expect(stdout).toContain("dst.log: the destination of another migration: left out");
  expect(status).toBe(1);
});

test("a dump of events beside its recording adds nothing", async () => {
  const text = gunzipSync(
    readFileSync(join(TRACES, "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz")),
  );
  const lines: string[] = [];
  await dump(await recordingOf(memorySource("t", text)), (event) => {
    lines.push(JSON.stringify(event));
  });
  const root = folder("dumped", { "trace.txt": text, "dump.ndjson": `${lines.join("\n")}\n` });
  const both = JSON.parse((await cli(root, "--json", "--quiet")).stdout);
  const alone = JSON.parse((await cli(join(root, "trace.txt"), "--json", "--quiet")).stdout);
  expect(both.policies).toEqual(alone.policies);
});

test("a run seen from inside a back end and by a front end is one case: that of the back end", async () => {
  const backEnd = join(TRACES, "vhost-user/uprobe-spdk-blk/09-switches");
  const inside = gunzipSync(readFileSync(join(backEnd, "uprobe.txt.gz"))).toString();
  const markers = [
    ...inside.matchAll(/(\d+\.\d{6}): tracing_mark_write: (dirty_sync_\w+ .*)/g),
  ].map(([, seconds, text]) => ({ ns: BigInt(seconds!.replace(".", "")) * 1000n, text }));
  const { logaddr, feat } = { logaddr: "0x10000", feat: "0x104000000" };
  const used = { vq: "0x7000", head: 0, len: 16, n: 1, idx: 0, num: 128, logused: 1 };
  const lines = (late: bigint): string =>
    [
      { event: "used", ts: "1000", cpu: 0, pid: 1, ...used, logaddr, feat },
      ...markers.map(({ ns, text }) => ({
        ...{ event: "marker", ts: `${ns + late}`, cpu: 0, pid: 1, text },
      })),
    ]
      .map((event) => `${JSON.stringify(event)}\n`)
      .join("");
  expect(markers).toHaveLength(14);
  const given = (late: bigint) => ({
    "uprobe.txt": inside,
    "front.ndjson": lines(late),
    "syncs/000.bin": readFileSync(join(backEnd, "syncs/000.bin")),
    "changed/000.bin": new Uint8Array(8),
  });
  const { stdout } = await cli("report", folder("sides", given(5_000n)));
  expect(stdout).toMatch(/^Affected: under spdk-split 3 guest pages/);
  const files = stdout.replaceAll(/\s+/g, " ");
  expect(files).toContain("uprobe.txt: a back end in user space (ftrace text)");
  expect(files).toContain("the run that uprobe.txt shows from inside the back end: left out");
  expect(files).toMatch(
    /changed\/.*?: pages that really changed, beside the log in .*?syncs: left out/,
  );
  // The same markers two seconds later are another run's.
  const apart = await cli("report", folder("runs", given(2_000_000_000n)));
  expect(apart.stdout).not.toContain("from inside the back end");
});
