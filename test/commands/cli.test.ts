import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/commands/program.ts";
import { parseGpaRange } from "../../src/commands/shared/gpa-range.ts";
import { interruptibleSource } from "../../src/commands/shared/interruptible-source.ts";
import { progressLine, progressText } from "../../src/commands/shared/progress.ts";
import type { ReplayApi } from "../../src/commands/shared/replay-api.ts";
import { wantsColor } from "../../src/commands/shared/terminal.ts";
import { overlaps, wholePages } from "../../src/model/pages.ts";
import { RecordingError } from "../../src/model/place.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";
import { POLICIES } from "../../src/vhost/policy.ts";
import { fakeApi, fakeImage, fakeIo, machineOf, resultOf } from "../support/report-fixture.ts";

async function cli(line: string, api: ReplayApi = fakeApi(), signal?: AbortSignal) {
  const io = fakeIo(signal ? { signal } : {});
  const status = await runCommandLine(line === "" ? [] : line.split(" "), {
    io: () => io,
    tool: () => api.tool,
    load: async () => api,
  });
  return { status, stdout: io.stdout, stderr: io.stderr };
}

function failing(error: unknown): ReplayApi {
  return { ...fakeApi(), replay: () => Promise.reject(error) };
}

let scratch = "";
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "vhost-replay-"));
  // Trailing zero words cut off, and a name with two digits.
  await writeFile(join(scratch, "07.bin"), "");
  await writeFile(join(scratch, "08.bin"), fakeImage("linux-6.1"));
});
afterAll(() => rm(scratch, { recursive: true }));

describe("exit status", () => {
  test("is 1 for lost pages and 0 for none", async () => {
    expect((await cli("report m.txt")).status).toBe(1);
    const policies = machineOf().policies.slice(1);
    expect((await cli("report m.txt", fakeApi(resultOf({ policies })))).status).toBe(0);
  });

  test("is 3 without a verdict", async () => {
    const { status, stdout } = await cli("m.txt", fakeApi(resultOf({ verdict: false })));
    expect(status).toBe(3);
    expect(stdout).toMatch(/^No verdict: /);
  });

  test.each([
    "",
    "report",
    "report m.txt --nonsense",
    "report m.txt --policy linux-0.99",
    "report m.txt --color=sometimes",
    "report m.txt --sync-marker (",
    "report missing",
    "explain m.txt",
    "explain m.txt --gpa 1x",
    "explain m.txt --gpa 0+2G",
    "requests m.txt --state lost",
    "requests m.txt --queue -1",
    "requests m.txt --from noon",
    "log m.txt --policy patched",
    "log m.txt --policy patched -o unused --log-size 12",
    "verify m.txt",
    "verify m.txt --observed /nonexistent",
  ])("is 2 for the usage error %j, with a line on stderr and nothing on stdout", async (line) => {
    const { status, stdout, stderr } = await cli(line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).not.toBe("");
    expect(stderr).not.toContain("please report");
  });

  test("is 2 for damaged input, with one line that says where", async () => {
    const error = new RecordingError({ file: "m.dat", at: "@0x40" }, "a page header", "nothing");
    const { status, stdout, stderr } = await cli("report m.dat", failing(error));
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toBe("vhost-replay: m.dat@0x40: expected a page header, found nothing\n");
  });

  test("is 70 for a bug of ours, which asks for a report and shows the stack", async () => {
    const { status, stderr } = await cli("report m.txt", failing(new TypeError("x is undefined")));
    expect(status).toBe(70);
    expect(stderr).toMatch(/^vhost-replay: this is a bug .*please report it.*\n.*x is undefined/);
  });

  test("is 130 after an interrupt", async () => {
    const abort = new AbortController();
    abort.abort();
    const { status, stderr } = await cli("m.txt", failing(abort.signal.reason), abort.signal);
    expect({ status, stderr }).toEqual({ status: 130, stderr: "" });
  });

  test("is 0 for help and version, which go to stdout", async () => {
    const help = await cli("--help");
    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain("Exit status");
    const version = await cli("--version");
    expect(version).toEqual({
      status: 0,
      stdout: "vhost-replay 0.0.0 (core abababababab)\n",
      stderr: "",
    });
  });
});

describe("commands", () => {
  test("report is the default, also with options before the recording", async () => {
    const report = await cli("report m.txt");
    expect(await cli("m.txt")).toEqual(report);
    expect((await cli("--json m.txt")).stdout).toBe((await cli("report m.txt --json")).stdout);
  });

  test("--no-assume-logging, --assume-logging and neither ask for different windows", async () => {
    const windows: string[] = [];
    const api = fakeApi();
    const spy: ReplayApi = {
      ...api,
      replay(opening, options) {
        windows.push(options.window);
        return api.replay(opening, options);
      },
    };
    await cli("m.txt", spy);
    await cli("m.txt --assume-logging", spy);
    await cli("m.txt --no-assume-logging", spy);
    expect(windows).toEqual(["auto", "assumed", "recorded"]);
  });

  test("requests prints the requests that pass all filters", async () => {
    const lines = async (filters: string) =>
      (await cli(`requests m.txt --json ${filters}`.trim())).stdout.split("\n").length - 1;
    expect(await lines("")).toBe(1);
    expect(await lines("--queue 2 --gpa 0x214000 --gpa 0x214fff --state completed,dropped")).toBe(
      1,
    );
    expect(await lines("--from 31.218 --to 31.218")).toBe(1);
    expect(await lines("--queue 3")).toBe(0);
    expect(await lines("--state dropped")).toBe(0);
    expect(await lines("--gpa 0x215200")).toBe(0);
    expect(await lines("--gpa 0x2020c8")).toBe(1);
    expect(await lines("--from 31.218000001")).toBe(0);
    expect(await lines("--to 31.217999999")).toBe(0);
  });

  test("explain tells the writes, who logged them, and which policy lost the page", async () => {
    const { status, stdout } = await cli("explain m.txt --gpa gfn:0x214");
    expect(status).toBe(0);
    expect(stdout.slice(0, stdout.indexOf("\nWhat"))).toBe(`\
0x214000-0x214fff (1 page): 1 write.

  linux-6.1 (unpatched): logs 0 writes, loses 1 page in 1 round
  linux-6.16 (patched): logs 1 write, loses no page

     30.000000  sync 7 log-on
                m.txt:20
     31.220535  write 0x214200-0x2151ff, io-logged, io 2, request 10, head 51,
                logged by linux-6.16
                m.txt:403, popped at m.txt:399
     31.300000  sync 8 end: linux-6.1 lost 1 page
                m.txt:410
`);
  });

  test("verify names the policies that equal the observed log, and explains the other", async () => {
    const { status, stdout } = await cli(`verify m.txt --observed ${scratch}`);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^linux-6\.1 \(unpatched\) equals the observed log at all 2 syncs; linux-6\.16 \(patched\) differs at 1 of 2 syncs\.\n/,
    );
    expect(stdout).toContain("predicted only at sync 8: 0x214000-0x216fff");
    expect(stdout).toContain("first: page 0x214000 (gfn 0x214), predicted, not observed at sync 8");
    expect(stdout).toContain("why: events were lost in this round");
  });

  test("verify has status 1 when no policy asked for is equal", async () => {
    const line = `verify m.txt --observed ${scratch} --policy linux-7.2`;
    expect((await cli(line)).status).toBe(1);
  });

  test("verify has status 3 when no image has a sync", async () => {
    const { status, stdout } = await cli(
      `verify m.txt --observed ${scratch}`,
      fakeApi(resultOf({ rounds: [] })),
    );
    expect(status).toBe(3);
    expect(stdout).toContain("2 images without a sync in the recording: 7, 8");
  });

  test("dump prints NDJSON", async () => {
    const { status, stdout } = await cli("dump m.txt");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ event: "desc", gpa: "0x1000003b9" });
  });

  test("policies shows one policy with its evidence", async () => {
    const { stdout } = await cli("policies linux-6.1");
    expect(stdout).toContain("linux-6.1 (unpatched)");
    expect(stdout).toContain("ring-logged");
    expect(stdout).not.toContain("io-logged");
    expect(stdout).not.toContain("linux-7.2");
  });

  test("an alias of several rows stands for all of them", () => {
    const rows = POLICIES.map((row) => ({ ...row, aliases: ["all"] }));
    expect(choosePolicies(["linux-7.2", "all"], rows).map(({ policy }) => policy.name)).toEqual([
      "linux-7.2",
      ...rows.map((row) => row.name).filter((name) => name !== "linux-7.2"),
    ]);
  });
});

describe("ranges of guest memory", () => {
  test.each([
    ["0x1000", 0x1000, 1],
    ["4096", 4096, 1],
    ["4K", 4096, 1],
    ["2M", 0x200000, 1],
    ["1g+4k", 0x40000000, 4096],
    ["0x1000+512", 0x1000, 512],
    ["0x1000-0x1fff", 0x1000, 0x1000],
    ["7-7", 7, 1],
    ["gfn:0x214", 0x214000, 4096],
    ["gfn:2+3", 8192, 3 * 4096],
    ["gfn:2-3", 8192, 2 * 4096],
    ["0xfffffffffff", 2 ** 44 - 1, 1],
  ])("%s is %d, %d bytes", (text, gpa, len) => {
    expect(parseGpaRange(text)).toEqual({ gpa, len });
  });

  test.each(["", "x", "0x", "-5", "4+", "1-2-3", "0x1000+0", "9-8", "16T", "gfn:", "1e3", "4 K"])(
    "%j is refused",
    (text) => {
      expect(() => parseGpaRange(text)).toThrow(/^--gpa: /);
    },
  );

  test("a range is widened to the pages it touches", () => {
    expect(wholePages({ gpa: 0xfff, len: 2 })).toEqual({ gpa: 0, len: 8192 });
  });

  test("touching ends do not overlap, and nothing overlaps with no bytes", () => {
    const range = { gpa: 100, len: 10 };
    expect([90, 91, 109, 110].map((gpa) => overlaps(range, gpa, 10))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(overlaps(range, 105, 0)).toBe(false);
  });
});

test("colour follows --color, then NO_COLOR, then FORCE_COLOR, then the terminal", () => {
  expect(wantsColor("auto", {}, true)).toBe(true);
  expect(wantsColor("auto", {}, false)).toBe(false);
  expect(wantsColor("auto", { TERM: "dumb" }, true)).toBe(false);
  expect(wantsColor("auto", { NO_COLOR: "1", FORCE_COLOR: "1" }, true)).toBe(false);
  expect(wantsColor("auto", { NO_COLOR: "" }, true)).toBe(true);
  expect(wantsColor("auto", { FORCE_COLOR: "1" }, false)).toBe(true);
  expect(wantsColor("auto", { FORCE_COLOR: "0" }, true)).toBe(false);
  expect(wantsColor("always", { NO_COLOR: "1" }, false)).toBe(true);
  expect(wantsColor("never", { FORCE_COLOR: "1" }, true)).toBe(false);
});

describe("progress", () => {
  test("tells bytes, events per second and time left", () => {
    expect(progressText(25 << 20, 100 << 20, 3_000_000, 2)).toBe(
      "25.0 MiB of 100.0 MiB, 25%, 1500000 events/s, 0:06 left",
    );
    expect(progressText(512, undefined, 10, 0)).toBe("512 B");
  });

  test("is shown on a terminal only, never when quiet, and is taken away again", () => {
    let time = 0;
    const shown = (isTTY: boolean, quiet: boolean) => {
      const io = fakeIo({ isTTY });
      const progress = progressLine(io, quiet, () => time);
      time += 1000;
      progress.update(1, 2, 3);
      progress.clear();
      return io.stderr;
    };
    expect(shown(false, false)).toBe("");
    expect(shown(true, true)).toBe("");
    expect(shown(true, false)).toContain("\r1 B of 2 B");
    expect(shown(true, false).endsWith("\r\x1b[K")).toBe(true);
  });
});

describe("an interruptible source", () => {
  const once = () => {
    const chunks = ["a", "bc"].map((text) => new TextEncoder().encode(text));
    return {
      name: "<stdin>",
      size: undefined,
      stream: () => ({
        read(into: Uint8Array) {
          const chunk = chunks.shift() ?? new Uint8Array(0);
          into.set(chunk);
          return chunk.length;
        },
        close() {},
      }),
    };
  };

  test("hashes what can be read only once while it passes, to the end or not at all", async () => {
    const source = interruptibleSource(once(), undefined);
    const stream = source.stream();
    const into = new Uint8Array(8);
    await stream.read(into);
    await stream.read(into);
    expect(await source.sha256()).toBeNull();
    await stream.read(into);
    expect(source.bytesRead()).toBe(3);
    expect(await source.sha256()).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });

  test("stops reading after an abort", () => {
    const abort = new AbortController();
    const stream = interruptibleSource(once(), abort.signal).stream();
    abort.abort();
    expect(() => stream.read(new Uint8Array(8))).toThrow(abort.signal.reason);
  });
});
