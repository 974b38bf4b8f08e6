/** Which policy explains an observed log: real recordings, and logs made by other policies. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { candidatesOf, startIdentifier } from "../../src/answers/identify.ts";
import { type IdentifyArguments, run as identify } from "../../src/commands/identify.ts";
import { loadApi } from "../../src/commands/shared/load-api.ts";
import { identifySentence } from "../../src/report/text/identify-text.ts";
import { findPolicy, POLICIES } from "../../src/vhost/policy.ts";
import { fitsDrivers } from "../../src/vhost/policy-row.ts";
import { Guest } from "../support/guest.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";
import { errorsOf } from "../support/schemas.ts";

const TRACES = join(import.meta.dirname, "../../traces/vhost-scsi");
const BEFORE = [
  ..."linux-6.1 linux-6.1.146 linux-6.1.189 linux-6.6 linux-6.6.93 linux-6.12".split(" "),
  ..."linux-6.12.26 linux-6.12.31 linux-6.12.111 linux-6.15".split(" "),
];
const AFTER = "linux-6.16 linux-6.18 linux-7.1.9 linux-7.2 linux-7.3 series-v2".split(" ");

let scratch = "";
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "vhost-replay-"));
});
afterAll(() => rm(scratch, { recursive: true }));

async function run(args: Partial<IdentifyArguments> & { recordings: string[]; observed: string }) {
  let out = "";
  const io = {
    out(text: string) {
      out += text;
    },
    err: () => {},
    ...{ isTTY: false, columns: 80, color: false },
  };
  const status = await identify(await loadApi(), io, { quiet: true, ...args });
  return { status, out };
}

async function answer(args: Parameters<typeof run>[0]) {
  const { status, out } = await run({ ...args, json: true });
  return { status, ...JSON.parse(out) };
}

const ofTraces = (kernel: string, scenario: string) => ({
  recordings: [join(TRACES, kernel, scenario, "trace.txt.gz")],
  observed: join(TRACES, kernel, scenario, "syncs"),
});

/** A recording of a guest, and the log that `policy` would have written of it. */
async function staged(
  name: string,
  guest: Guest,
  policy: string,
  spoil?: (n: number, b: Buffer) => void,
) {
  const text = guest.events.map((event) => JSON.stringify(event)).join("\n");
  const observed = await mkdtemp(join(scratch, `${name}-`));
  const recording = join(scratch, `${name}.ndjson`);
  await writeFile(recording, text);
  const images: [number, Buffer][] = [];
  await replayAll([memorySource(name, text)], {
    policies: [{ policy: findPolicy(policy), alias: null }],
    onSync: ({ mark, image }) => {
      if (mark) images.push([mark.number, Buffer.from(image(0, 256).image)]);
    },
  });
  for (const [number, image] of images) {
    spoil?.(number, image);
    await writeFile(join(observed, `${number}.bin`), image);
  }
  return { recordings: [recording], observed };
}

describe("recordings of real kernels are identified:", () => {
  test.each([
    ["6.1.0-50-amd64", BEFORE],
    ["6.16.12+deb13-amd64", AFTER],
    ["7.2.13+deb14-amd64", AFTER],
  ])("%s by its 12-toggle, 08-control, 09-events and 01-smoke", async (kernel, family) => {
    for (const scenario of ["12-toggle", "08-control", "09-events", "01-smoke"]) {
      const found = await answer(ofTraces(kernel, scenario));
      const kernels = found.best.filter(
        (name: string) => !/^(vhost|spdk|dpdk|lib|qemu|rust|passt|vduse)/.test(name),
      );
      const rest = kernels.filter((name: string) => name !== "series-v1");
      expect([scenario, rest.sort()]).toEqual([scenario, [...family].sort()]);
      expect([scenario, found.answer, found.status]).toEqual([scenario, "explained", 0]);
      expect(found.ranking).toHaveLength(POLICIES.length);
      expect(family).toContain(found.ranking[0].policy);
      expect(found.ranking[0].syncsEqual).toBe(found.syncs);
    }
  });

  test("12-toggle tells v1 of the series from what was merged: it logs the freed entries", async () => {
    const found = await answer(ofTraces("6.16.12+deb13-amd64", "12-toggle"));
    expect(found.best).not.toContain("series-v1");
    const v1 = found.ranking.find((row: { policy: string }) => row.policy === "series-v1");
    expect([v1.missing, v1.extra > 0]).toEqual([0, true]);
  });

  test("23-attach is explained but for the sync whose caveat says why", async () => {
    const found = await answer(ofTraces("6.16.12+deb13-amd64", "23-attach"));
    expect([found.answer, found.status]).toEqual(["unexplained", 1]);
    expect(AFTER).toContain(found.ranking[0].policy);
    const caveats = found.residue.syncs.flatMap((sync: { caveats: string[] }) => sync.caveats);
    expect(caveats.join()).toMatch(/popped before the recording/);
    expect(found.residue.causes[0].sentence).toMatch(/missing pages? .*no write in this round/);
  });

  test("the text is at most 80 columns wide, its first line the answer", async () => {
    const { out } = await run(ofTraces("7.2.13+deb14-amd64", "12-toggle"));
    expect(out).toMatch(
      /^linux-6.16 explains the observed log\s+at all \d+ syncs; so do linux-6.18,\s+linux-7.1.9/,
    );
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("the document is valid against its schema", async () => {
    const { status: _, ...document } = await answer(ofTraces("6.16.12+deb13-amd64", "23-attach"));
    expect(errorsOf("identify", document)).toEqual([]);
  });
});

describe("logs of other vhosts", () => {
  const late = (): Guest =>
    new Guest({ logAll: false })
      .submit(0, [[0x202000, 12 * 4096]])
      .setLogAll(true)
      .used(2, 0)
      .request({ head: 1, writes: [[0x300000, 4096]] })
      .kick()
      .sync(0)
      .request({ head: 2, writes: [[0x301000, 4096]] })
      .sync(1);

  test("C74 pages popped before LOG_ALL and yet observed are the residue of every kernel", async () => {
    const made = await staged("late", late(), "spdk-split");
    const kernels = [...BEFORE, ...AFTER];
    const found = await answer({ ...made, policy: kernels });
    expect(AFTER).toContain(found.ranking[0].policy);
    expect(found.ranking[0]).toMatchObject({ syncsEqual: 1, syncs: 2, missing: 12, extra: 0 });
    expect(found.residue.causes[0].sentence).toBe(
      "12 missing pages at 1 sync: I/O requests popped before LOG_ALL was set",
    );
  });

  test("among all policies they are the what-if of a back end that reads at completion", async () => {
    const found = await answer(await staged("spdk", late(), "spdk-split"));
    expect(found.best).toContain("spdk-split");
    expect(found.sentence).toMatch(/explains the observed log at all 2 syncs/);
    expect(found.ranking.find((r: { policy: string }) => r.policy === "spdk-split").whatIf).toBe(
      true,
    );
  });

  test("a page that moved to the next sync is told as such", async () => {
    const guest = new Guest()
      .request({ head: 0, writes: [[0x300000, 4096]] })
      .sync(0)
      .request({ head: 1, writes: [[0x301000, 4096]] })
      .sync(1);
    const made = await staged("moved", guest, "linux-6.16", (number, image) => {
      // Page 0x300 is bit 0 of byte 0x60.
      image[0x60]! ^= 1;
      if (number === 1) image[0x60]! |= 1;
    });
    const found = await answer({ ...made, policy: ["linux-6.16"] });
    expect(found.residue.causes).toEqual([
      expect.objectContaining({ side: "missing", causes: [], neighbour: true, pages: 1 }),
      expect.objectContaining({ side: "extra", causes: ["io-logged"], neighbour: true, pages: 1 }),
    ]);
  });

  test("images without a sync leave no verdict", async () => {
    const made = await staged("more", new Guest().kick().sync(0), "linux-6.16");
    await writeFile(join(made.observed, "7.bin"), Buffer.alloc(8));
    expect(await answer(made)).toMatchObject({ status: 3, answer: "none", withoutSync: [7] });
  });

  test("among policies that halt the host there is nothing to identify", async () => {
    const made = await staged("fatal", new Guest().kick().sync(0), "linux-6.16");
    const asked = answer({ ...made, policy: ["series:7", "series:9"] });
    await expect(asked).rejects.toThrow(/series:7 has no dirty log.*\n.*series:9 has no dirty log/);
  });

  test("nothing to compare is no verdict", async () => {
    const made = await staged("none", new Guest().kick().sync(0), "linux-6.16");
    await rm(join(made.observed, "0.bin"));
    await writeFile(join(made.observed, "7.bin"), Buffer.alloc(8));
    const found = await answer(made);
    expect([found.status, found.best, found.syncs]).toEqual([3, [], 0]);
  });
});

describe("rows", () => {
  test("policies with one mask are one candidate, and a fatal one is none", () => {
    const rows = ["linux-6.1", "linux-6.6", "linux-6.16", "series:7"].map(findPolicy);
    expect(candidatesOf(rows).map(({ policies }) => policies.map((p) => p.name))).toEqual([
      ["linux-6.1", "linux-6.6"],
      ["linux-6.16"],
    ]);
  });

  test("rows with as many wrong pages and other images share a rank, and are no tie", () => {
    const rows = ["linux-6.1", "linux-6.16"].map(findPolicy);
    const identifier = startIdentifier(rows);
    const images = [new Uint8Array([1]), new Uint8Array([2])];
    identifier.addSync({ index: 0, caveats: [] }, null, new Uint8Array([3]), (row) => images[row]!);
    const { ranking } = identifier.finish([
      { driver: "vhost-scsi", features: null, backEnd: null },
    ]);
    expect(ranking.map((row) => [row.policy, row.rank, row.missing, row.ties])).toEqual([
      ["linux-6.1", 1, 1, []],
      ["linux-6.16", 1, 1, []],
    ]);
  });

  test("without candidates nothing is ranked", () => {
    const identifier = startIdentifier([findPolicy("series:7")]);
    expect(identifier.finish([])).toEqual({ syncs: 0, ranking: [], residue: [], moreResidue: 0 });
  });

  test("zero bytes at the end of an image make no difference", () => {
    const identifier = startIdentifier(["linux-6.1", "linux-6.16"].map(findPolicy));
    const images = [new Uint8Array([5]), new Uint8Array([5, 0, 0])];
    identifier.addSync(
      { index: 0, caveats: [] },
      null,
      new Uint8Array([5, 0]),
      (row) => images[row]!,
    );
    const { ranking } = identifier.finish([]);
    expect(ranking.map((row) => [row.syncsEqual, row.ties.length])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  test("a recording of vhost-net can be of a kernel or of vhost-net, not of SPDK or vhost-vsock", () => {
    const fits = (name: string): boolean => fitsDrivers(findPolicy(name), ["vhost-net"]);
    expect(["linux-7.2", "vhost-net", "vhost-vsock", "spdk-split"].map(fits)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(fitsDrivers(findPolicy("vhost-vsock"), ["vhost"])).toBe(true);
    expect(fitsDrivers(findPolicy("spdk-split"), ["vhost"])).toBe(false);
  });
});

describe("back ends that log alike", () => {
  const device = (fields: object) => ({
    ...{ driver: "vhost-user-blk", features: "0x100000000", backEnd: null },
    ...fields,
  });
  const identified = (devices: ReturnType<typeof device>[], equal = true) => {
    const identifier = startIdentifier(
      ["spdk-split", "spdk-packed", "libvhost-user"].map(findPolicy),
    );
    const image = new Uint8Array([equal ? 1 : 3]);
    identifier.addSync({ index: 0, caveats: [] }, null, image, () => new Uint8Array([1]));
    const identification = identifier.finish(devices);
    return {
      fitting: identification.ranking.filter(({ fits }) => fits).map(({ policy }) => policy),
      said: identifySentence({ identification }),
    };
  };

  test("are a tie, and a row of the other kind of ring is none of them", () => {
    const { fitting, said } = identified([device({})]);
    expect(fitting).toEqual(["spdk-split", "libvhost-user"]);
    expect(said).toBe(
      "A tie: spdk-split and libvhost-user explain the observed log at the only sync, and nothing in it " +
        "tells them apart.",
    );
    expect(identified([device({ features: "0x500000000" })]).fitting).toEqual(["spdk-packed"]);
    expect(identified([device({ features: null })]).fitting).toHaveLength(3);
  });

  test("the one that the probes of the recording name comes first", () => {
    const { fitting, said } = identified([device({ backEnd: "libvhost-user" })]);
    expect(fitting[0]).toBe("libvhost-user");
    expect(said).toBe(
      "libvhost-user, which the recording's probes name, explains the observed log at the only sync; by " +
        "the log alone it is a tie with spdk-split.",
    );
  });

  test("a tie that explains nothing is the closest, no more", () => {
    expect(identified([device({})], false).said).toBe(
      "No policy explains the observed log at every sync; a tie: spdk-split and libvhost-user come " +
        "closest, equal at 0 of 1, and nothing in it tells them apart.",
    );
  });
});
