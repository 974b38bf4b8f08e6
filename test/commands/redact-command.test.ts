/** `redact` on real recordings: the same verdict, nothing of the original, all or nothing. */
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/commands/program.ts";
import { loadApi } from "../../src/commands/shared/load-api.ts";
import { outputNames } from "../../src/commands/shared/redacted-files.ts";
import type { ReplayApi } from "../../src/commands/shared/replay-api.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { fakeIo } from "../support/report-fixture.ts";
import { errorsOf } from "../support/schemas.ts";

const ROOT = join(import.meta.dirname, "../..");
const TRACES = join(ROOT, "traces");
const READS = join(TRACES, "vhost-scsi/6.1.0-50-amd64/02-read-direct/trace.txt.gz");

let api: ReplayApi;
let scratch = "";
beforeAll(async () => {
  api = await loadApi();
  scratch = await mkdtemp(join(tmpdir(), "vhost-replay-"));
  await writeFile(join(scratch, "key"), "0123456789abcdef");
});
afterAll(() => rm(scratch, { recursive: true }));

async function redact(args: readonly string[], using = api, signal?: AbortSignal) {
  const io = fakeIo(signal ? { signal } : {});
  const status = await runCommandLine(["redact", ...args], {
    io: () => io,
    tool: () => using.tool,
    load: async () => using,
  });
  return { status, stdout: io.stdout, stderr: io.stderr };
}

const at = (name: string): string => join(scratch, name);
const withKey = (...args: string[]): string[] => [...args, "--key-file", at("key"), "--quiet"];

async function eventsOf(file: string): Promise<NormalisedEvent[]> {
  const events: NormalisedEvent[] = [];
  const opening = {
    module: api.module,
    sources: api.openSources([file]),
    surroundings: api.surroundings(() => {}),
  };
  await api.dump(opening, (event) => void events.push(event));
  return events;
}

const ADDRESSES = new Set(
  "vq iov logbase dev q0 q1 vs file arg iotlb addr elem vdev host userspace_addr a1 a2 a3 w1 w2 w3".split(
    " ",
  ),
);

/** Addresses, threads and texts of an original, as they would stand in JSON. */
async function secretsOf(file: string): Promise<Set<string>> {
  const secrets = new Set<string>();
  const look = (entries: [string, unknown][]): void => {
    for (const [key, value] of entries) {
      if (ADDRESSES.has(key) && value !== "0x0" && String(value).length > 6) {
        secrets.add(`"${value}"`);
      }
      if (key === "pid" && value !== 0) secrets.add(`"pid":${value},`);
      if (key === "ts" || key === "text") secrets.add(JSON.stringify(value));
    }
  };
  for (const event of await eventsOf(file)) {
    if (event.event === "mem") continue;
    look(Object.entries(event));
    if (event.event === "qemu" && event.name !== "address_space_map")
      look(Object.entries(event.args));
  }
  return secrets;
}

/** Addresses, threads, times and texts that both have. */
async function sharedSecrets(original: string, output: string): Promise<string[]> {
  const secrets = await secretsOf(original);
  expect(secrets.size).toBeGreaterThan(10);
  return [...(await secretsOf(output))].filter((secret) => secrets.has(secret));
}

/** `comm-pid [cpu]` of ftrace text. */
function processNames(file: string): string[] {
  const text = gunzipSync(readFileSync(file)).toString("latin1");
  return [...new Set([...text.matchAll(/^ *(\S+)-\d+ +\[/gm)].map((match) => match[1]!))];
}

const KINDS = [
  "vhost-scsi/6.1.0-50-amd64/02-read-direct/trace.txt.gz",
  "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat",
  "vhost-scsi/6.1.0-50-amd64/15-regions/trace.txt.gz",
  "vhost-scsi/6.16.12+deb13-amd64/18-lost/trace.txt.gz",
  "vhost-scsi/7.2.13+deb14-amd64/23-attach/trace.txt.gz",
  "vhost-net/7.2.13+deb14-amd64/n04-mrg/trace.txt.gz",
  "vhost-net/7.2.13+deb14-amd64/i01-c24/trace.txt.gz",
  "vhost-vsock/6.1.0-50-amd64/v01-stream/trace.txt.gz",
  "vhost-user/record-libvhost-user-blk/plain/trace.txt.gz",
  "vhost-user/uprobe-spdk-blk/09-switches/uprobe.txt.gz",
  "vhost-user/spdk-blk-packed/08-ring-pages/trace.ndjson.gz",
  "vhost-user/spdk-blk-packed-qemu-log-address/01-basic/trace.ndjson.gz",
].filter((name) => existsSync(join(TRACES, name)));

describe.each(KINDS)("%s", (name) => {
  const file = join(TRACES, name);

  test("gives its verdict and nothing of the original", async () => {
    const output = at("a.ndjson");
    const { status, stderr } = await redact(withKey(file, "-o", output));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const text = readFileSync(output, "utf8");
    const found = await sharedSecrets(file, output);
    // A sync's marker stays as it is when its name is made of common words.
    const words = found.filter((secret) => !/^"dirty_sync_begin \d+ [a-z-]+"$/.test(secret));
    expect(words).toEqual([]);
    expect(text).not.toContain('"place"');
    if (name.endsWith(".gz")) {
      for (const comm of processNames(file)) expect(text).not.toContain(comm);
    }
  });

  test("has other page numbers, event by event", async () => {
    const output = at("b.ndjson");
    expect((await redact(withKey(file, "-o", output))).status).toBe(0);
    const rings = (events: NormalisedEvent[]) =>
      events.flatMap((event) => ("logaddr" in event ? [event.logaddr] : []));
    const before = rings(await eventsOf(file));
    const after = rings(await eventsOf(output));
    expect(after.length).toBe(before.length);
    const none = "0xffffffffffffffff";
    before.forEach((address, i) => {
      if (address === none) expect(after[i]).toBe(none);
      else {
        expect(after[i]).not.toBe(address);
        expect(BigInt(after[i]!) % 4096n).toBe(BigInt(address) % 4096n);
      }
    });
  });
});

/** Recordings of QEMU and of migrations; big, so one of each kind. */
const SETS: [string, string[], string[]][] = [
  ["a QEMU log", ["test/fixtures/qemu/11.1.log.gz"], []],
  ["a simpletrace", ["test/fixtures/qemu/10.0-forms/src.simpletrace.gz"], []],
  [
    "a host, its QEMU and the destination",
    [
      "traces/migration/6.1/trace.txt.gz",
      "traces/migration/6.1/src.simpletrace.gz",
      "traces/migration/6.1/dst.simpletrace.gz",
    ],
    [],
  ],
];

describe.each(SETS)("%s", (_, names, options) => {
  test("gives its verdict of the migration, and nothing of the original", async () => {
    const files = names.map((name) => join(ROOT, name));
    const output = at("m.ndjson.gz");
    const { status, stderr } = await redact(withKey(...files, ...options, "-o", output));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const outputs = outputNames(output, files.length);
    if (files.length > 1) {
      expect(outputs.map((name) => name.slice(scratch.length + 1))).toEqual([
        "m.1.ndjson.gz",
        "m.2.ndjson.gz",
        "m.3.ndjson.gz",
      ]);
    }
    const found = await sharedSecrets(files[0]!, outputs[0]!);
    expect(found.filter((secret) => !secret.startsWith('"dirty_sync'))).toEqual([]);
    // An independent look at the verdict: numbers of pages of every policy.
    const verdicts = async (inputs: readonly string[], more: readonly string[]) => {
      const io = fakeIo();
      await runCommandLine(["stale", ...inputs, ...more, "--json", "--quiet"], {
        io: () => io,
        tool: () => api.tool,
        load: async () => api,
      });
      const { migration, policies } = JSON.parse(io.stdout).machines[0];
      const { sends, sendTimes, outcome } = migration;
      return [
        ...[sends, sendTimes, outcome],
        ...policies.map(({ policy, whatIf, counts }: Record<string, unknown>) => ({
          ...{ policy, whatIf, counts },
        })),
      ];
    };
    const original = await verdicts(files, options);
    expect(original.length).toBeGreaterThan(3);
    expect(await verdicts(outputs, [])).toEqual(original);
  });
});

describe("all or nothing", () => {
  const left = async () => (await readdir(scratch)).filter((name) => /part|never/.test(name));

  test("the same key gives the same bytes, no key other ones each time", async () => {
    await redact(withKey(READS, "-o", at("k1.ndjson")));
    await redact(withKey(READS, "-o", at("k2.ndjson")));
    await redact([READS, "-o", at("k3.ndjson"), "--quiet"]);
    const [one, two, three] = ["k1", "k2", "k3"].map((name) =>
      readFileSync(at(`${name}.ndjson`), "utf8"),
    );
    expect(one).toBe(two);
    expect(three).not.toBe(one);
  });

  test("what is redacted can be redacted again", async () => {
    await redact(withKey(READS, "-o", at("r1.ndjson.gz")));
    expect((await redact([at("r1.ndjson.gz"), "-o", at("r2.ndjson"), "--quiet"])).status).toBe(0);
  });

  test("--json is what its schema says", async () => {
    const { stdout } = await redact(withKey(READS, "-o", at("j.ndjson"), "--json", "--keep-times"));
    expect(errorsOf("redact", JSON.parse(stdout))).toEqual([]);
    expect(readFileSync(at("j.ndjson"), "utf8")).toContain((await eventsOf(READS))[0]!.ts);
  });

  test("nothing is written when the copy replays differently, and one line says what differs", async () => {
    // A reader that drops the requests of whatever is called .part.
    const lying: ReplayApi = {
      ...api,
      replay(opening, options) {
        const copy = opening.sources[0]!.name.includes(".part");
        return api.replay(opening, copy ? { ...options, onRequest: () => {} } : options);
      },
    };
    const { status, stdout, stderr } = await redact(
      withKey(READS, "-o", at("never.ndjson")),
      lying,
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^vhost-replay: nothing written: .*round 0: requests: .*\n$/);
    expect(await left()).toEqual([]);
  });

  test("an interrupt leaves nothing", async () => {
    const { status } = await redact(
      withKey(READS, "-o", at("never.ndjson")),
      api,
      AbortSignal.abort(),
    );
    expect(status).toBe(130);
    expect(await left()).toEqual([]);
  });

  test.each([
    ["a folder that is not there", () => [READS, "-o", at("none/never.ndjson")], /ENOENT/],
    ["the recording itself", () => [READS, "-o", READS], /is the recording itself/],
    ["no regular file", () => [READS, "-o", scratch], /not a regular file/],
    ["no such recording", () => [at("missing"), "-o", at("never.ndjson")], /missing/],
    ["standard input", () => ["-", "-o", at("never.ndjson")], /several times/],
    [
      "a short key",
      () => [READS, "-o", at("never.ndjson"), "--key-file", at("short")],
      /key of 16/,
    ],
    ["no key", () => [READS, "-o", at("never.ndjson"), "--key-file", at("missing")], /ENOENT/],
  ])("status 2 and one line for %s", async (_, args, words) => {
    await writeFile(at("short"), "short");
    const { status, stdout, stderr } = await redact(args());
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(words);
    expect(stderr.trimEnd().split("\n").length).toBe(1);
    expect(await left()).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)("a folder without permission is one line", async () => {
    const folder = await mkdtemp(at("sealed-"));
    await chmod(folder, 0o500);
    const { status, stderr } = await redact([READS, "-o", join(folder, "a.ndjson")]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/EACCES/);
  });
});

test("names of several outputs", () => {
  expect(outputNames("x/a.ndjson.gz", 2)).toEqual(["x/a.1.ndjson.gz", "x/a.2.ndjson.gz"]);
  expect(outputNames("a", 2)).toEqual(["a.1", "a.2"]);
  expect(outputNames("a.gz", 1)).toEqual(["a.gz"]);
});

test("of a recording in which nothing is understood it says so, and names no file of its own", async () => {
  await writeFile(
    at("other.txt"),
    "     bash-1     [000] .....  1.000000: sched_switch: prev_comm=a\n",
  );
  const { status, stderr } = await redact(withKey(at("other.txt"), "-o", at("other.red")));
  expect(status).toBe(2);
  expect(stderr).toContain("other.txt: expected an event that the replay understands, to redact");
  expect(stderr).not.toContain(".part");
  expect((await readdir(scratch)).filter((name) => name.includes("other.red"))).toEqual([]);
});
