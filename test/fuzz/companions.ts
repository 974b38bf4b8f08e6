/** Families of what goes with a recording: maps, clocks, lists, owners, images, policies, parts, BTF. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parseIndexes } from "../../src/fleet/index-list.ts";
import { encodePages } from "../../src/fleet/page-set.ts";
import { pagesOf, readPart } from "../../src/fleet/part.ts";
import { makePlan, PlanError, readPlan, writePlan } from "../../src/fleet/plan.ts";
import { makeHistory, readHistory } from "../../src/history/index.ts";
import { pageStates } from "../../src/history/page-states.ts";
import { TABLE_NAMES } from "../../src/history/tables.ts";
import { parseClockPairs } from "../../src/join/clock-pair.ts";
import { openGuestImage } from "../../src/memory/open-guest-image.ts";
import { readOwners } from "../../src/memory/owners/read-owners.ts";
import { parseMemoryMap } from "../../src/memory/read-memory-map.ts";
import { Btf } from "../../src/probes/btf/btf.ts";
import { architectureOf, signatureOf } from "../../src/probes/btf/calling-convention.ts";
import { elfSection } from "../../src/probes/btf/elf-section.ts";
import { memberOf } from "../../src/probes/btf/layout.ts";
import { readTraceEvents } from "../../src/qemu/trace-events.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { readPolicyFile } from "../../src/vhost/policy-file.ts";
import { pagesOf as filledPages, makeElfDump } from "../support/make-elf-dump.ts";
import { makeMappedRam } from "../support/make-mapped-ram.ts";
import { TRACE_EVENTS_ALL } from "../support/make-qemu-log.ts";
import { memorySource, memorySurroundings, recordingOf } from "../support/memory-source.ts";
import { mutatedBytes, mutatedText, type Random } from "../support/mutate.ts";
import type { Families, Family } from "./family.ts";
import { refusalOf } from "./recordings.ts";

const ROOT = join(import.meta.dirname, "../..");
const fixture = (path: string): Buffer => readFileSync(join(ROOT, "test/fixtures", path));

const MTREE = fixture("migration/info-mtree-f-10.0.txt").toString("latin1");
const BLOCKS = fixture("migration/info-ramblock-10.0.txt").toString("latin1");
const QMP = fixture("migration/qmp-mtree.jsonl").toString("latin1");
const CLOCKS =
  "# read together\nrealtime=1795516465.099744010 monotonic=26.216615550 spread_ns=12220\n".repeat(
    3,
  );
const OWNERS = [
  `gfn,owner,kind\n${Array.from({ length: 40 }, (_, i) => `${i * 3},"a ""b"", ${i % 5}",file\n`).join("")}`,
  Array.from(
    { length: 40 },
    (_, i) => `{"gfn":"0x${i.toString(16)}","owner":"o","kind":"anon"}\n`,
  ).join(""),
];
const POLICY = JSON.stringify(
  {
    name: "acme-5.14",
    title: "a kernel",
    base: "linux-6.1",
    patches: [1, 2, 5],
    switches: { mapError: "errno", flush: true },
    evidence: ["a line"],
  },
  null,
  1,
);

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
const PAGES = encodePages([
  { gfn: 5, pages: 3 },
  { gfn: 4096, pages: 900 },
]);
const PLAN = writePlan(
  makePlan(
    Array.from({ length: 4 }, (_, i) => ({
      name: `host-${i}`,
      files: [{ name: `host-${i}/trace.dat`, bytes: i, changed: 1 }],
      labels: { rack: `r${i}` },
    })),
    { version: "1.2.3", core: "c0" },
    { policies: ["linux-6.1", "linux-6.16"], window: "auto" },
    digest,
  ),
);
const BTF = fixture("btf/6.1.0-50-amd64/vhost");
const VMLINUX = new Btf(fixture("btf/6.1.0-50-amd64/vmlinux"), "vmlinux");

const HISTORY = await (async () => {
  const trace = gunzipSync(
    readFileSync(join(ROOT, "traces/vhost-scsi/7.2.13+deb14-amd64/01-smoke/trace.txt.gz")),
  );
  const policies = ["linux-6.1", "linux-6.16"].map((name) => ({
    policy: findPolicy(name),
    alias: null,
  }));
  const recording = await recordingOf(memorySource("t", trace));
  const tool = { name: "vhost-replay", version: "0" };
  return (await makeHistory(recording, { policies, window: "auto" }, "events", tool)).bytes;
})();
const HEADER_END = 16 + new DataView(HISTORY.buffer, HISTORY.byteOffset).getUint32(8, true);

const PAGE = new Uint8Array(4096).fill(7);
const IMAGES: readonly Uint8Array[] = [
  makeElfDump([{ paddr: 0x1000, bytes: filledPages(1, 2) }]),
  makeElfDump([{ paddr: 0x8000, bytes: filledPages(3) }], { bits: 32, bigEndian: true }),
  makeMappedRam([{ name: "pc.ram", pages: [PAGE, null, PAGE] }]),
];
const IMAGE_MAP = parseMemoryMap([
  { name: "mtree", text: fixture("migration/q10-mtree.txt").toString("latin1") },
  { name: "blocks", text: fixture("migration/q10-ramblock.txt").toString("latin1") },
]);

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** A family of texts or bytes that one function reads whole. */
function whole(
  make: Family["make"],
  read: (bytes: Uint8Array) => unknown | Promise<unknown>,
): Family {
  return {
    make,
    async outcome(bytes) {
      try {
        const read_ = await read(bytes);
        return JSON.stringify(read_, (_, v) => (typeof v === "bigint" ? String(v) : v)) ?? "read";
      } catch (error) {
        if (error instanceof PlanError) return `refused: ${error.message}`;
        return refusalOf(error);
      }
    },
    inPieces: false,
  };
}

/** JSON with one of its values, keys or characters changed. */
function mutatedJson(json: string, random: Random): Buffer {
  return mutatedText(json.replaceAll(/([,{[])/g, "$1\n"), random);
}

async function imageOf(bytes: Uint8Array): Promise<unknown> {
  const image = await openGuestImage(memorySource("image", bytes), memorySurroundings, {
    map: IMAGE_MAP,
  });
  const page = new Uint8Array(4096);
  let read = 0;
  for (const { gfn, pages } of image.pages) {
    for (const at of new Set([gfn, gfn + pages - 1])) {
      await image.read(page, at);
      read += page[0]!;
    }
  }
  return read;
}

function readBtf(bytes: Uint8Array): unknown {
  const btf = new Btf(elfSection(bytes, "vhost", ".BTF") ?? bytes, "vhost", VMLINUX);
  return [
    architectureOf(btf),
    signatureOf(btf, "vhost_add_used_n"),
    ...["num", "avail_idx", "log_addr"].map((member) => memberOf(btf, "vhost_virtqueue", member)),
  ];
}

function readWholeHistory(bytes: Uint8Array): unknown {
  const history = readHistory("h", bytes);
  return history.machines.map((machine) => {
    const lengths = TABLE_NAMES.map((table) => machine.table(table).length);
    const states = machine.policies.map((_, row) => pageStates(machine, history.originNs, row));
    return [lengths, states.length];
  });
}

export const COMPANIONS: Families = {
  "memory maps": whole(
    (random) => mutatedText(random.of([`${MTREE}\n${BLOCKS}`, QMP]), random),
    (bytes) => parseMemoryMap([{ name: "map", text: text(bytes) }]).notes,
  ),
  "clock files": whole(
    (random) => mutatedText(CLOCKS, random),
    (bytes) => parseClockPairs(text(bytes), "clock"),
  ),
  "lists of QEMU's events": whole(
    (random) => mutatedText(TRACE_EVENTS_ALL, random),
    (bytes) => [...readTraceEvents(text(bytes), "list")],
  ),
  "owners of pages": whole(
    (random) => mutatedText(random.of(OWNERS), random),
    async (bytes) => (await readOwners(memorySource("owners", bytes))) && "owners",
  ),
  "images of memory": whole((random) => {
    const image = random.of(IMAGES);
    return mutatedBytes(
      image,
      Array.from({ length: 64 }, (_, i) => 4 * i),
      random,
    );
  }, imageOf),
  "policy files": whole(
    (random) => mutatedText(POLICY, random),
    (bytes) => readPolicyFile(text(bytes), { file: "p", at: "" }).name,
  ),
  histories: whole(
    (random) =>
      random.below(2) === 0
        ? mutatedBytes(HISTORY, [0, 8, HEADER_END & ~7], random)
        : Buffer.concat([
            HISTORY.subarray(0, 16),
            mutatedBytes(HISTORY.subarray(16, HEADER_END), [], random).subarray(0, HEADER_END - 16),
            HISTORY.subarray(HEADER_END),
          ]),
    readWholeHistory,
  ),
  "parts of a fleet": whole(
    (random) => {
      const body = text(mutatedJson(`{"schema":"vhost-replay/part/1","lost":"${PAGES}"}`, random));
      // Half of them have a right checksum: they are read further.
      return Buffer.from(
        random.below(2) === 0 ? body : `${body.slice(0, -1)},"checksum":"${digest(body)}"}\n`,
      );
    },
    (bytes) => readPart(text(bytes), digest),
  ),
  "sets of pages": whole(
    (random) => mutatedText(PAGES, random),
    (bytes) => {
      parseIndexes(text(bytes));
      try {
        return pagesOf(text(bytes)) && "pages";
      } catch (error) {
        return error instanceof Error && error.message.startsWith("bug: a part") ? "none" : error;
      }
    },
  ),
  plans: whole(
    (random) => mutatedText(PLAN, random),
    (bytes) => readPlan(text(bytes)),
  ),
  BTF: whole((random) => {
    const starts = Array.from({ length: BTF.length >> 2 }, (_, i) => 4 * i);
    return mutatedBytes(BTF, starts, random);
  }, readBtf),
};
