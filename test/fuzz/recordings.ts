/** Families of recordings: every format and dialect, compressed and archived, alone and with others. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { parseClockPairs } from "../../src/join/clock-pair.ts";
import { RecordingError } from "../../src/model/place.ts";
import { dump } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { WRAPPINGS } from "../support/line-prefixes.ts";
import { QemuGuest } from "../support/make-elements.ts";
import { qemuLog, TRACE_EVENTS_ALL } from "../support/make-qemu-log.ts";
import { ringPage } from "../support/make-ring-page.ts";
import { simpletrace } from "../support/make-simpletrace.ts";
import { tarOf } from "../support/make-tar.ts";
import { type DatSpec, formatText, makeTraceDat } from "../support/make-trace-dat.ts";
import { memorySource, recordingOf, replayMachines } from "../support/memory-source.ts";
import { mutatedBytes, mutatedText, type Random } from "../support/mutate.ts";
import { rawZstd } from "../support/raw-zstd.ts";
import type { Families, Family } from "./family.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const file = (path: string): Buffer => readFileSync(join(TRACES, path));
const unzipped = (path: string): string => gunzipSync(file(path)).toString("latin1");

const TEXT = unzipped("vhost-scsi/7.2.13+deb14-amd64/01-smoke/trace.txt.gz");
const DAT = file("vhost-scsi-variants/6.1-long/trace.dat");
const guest = () =>
  new QemuGuest().read(0x7000n, [0x100000, 8192]).read(0x7100n, [0x200000, 4096]).lines;
const SIMPLE = simpletrace(guest());
const LOGS = (["tid@time", "ISO", "bare"] as const).map((shape) => qemuLog(guest(), shape));
const MIGRATION = ["src.log.gz", "dst.log.gz"].map((name) =>
  unzipped(`migration/6.1-inflight/${name}`).split("\n").slice(0, 700).join("\n"),
);
const KERNEL = unzipped("migration/6.1-inflight/trace.txt.gz").split("\n").slice(0, 300).join("\n");

const EVENT = /^ *(.*)-(\d+) +\[(\d{3})\] (\S{5}) +(\d+\.\d{6}): (\w+): (.*)$/gm;
const dialect = (to: string): string => TEXT.replaceAll(EVENT, to);
const DIALECTS: readonly string[] = [
  TEXT,
  dialect("            $1-$2 (   4240) [$3] $4 $5: $6: $7"),
  dialect("            $1-$2 [$3] (  4240) $4 $5: $6: $7"),
  dialect("            $1-$2     [$3] ....11. $5: $6: $7"),
  dialect("            $1-$2     [$3]     $5: $6: $7"),
  dialect("        $1-$2     0$4 $5us+: $6: $7"),
  dialect("        $1 $2 [$3]  $5: vl:$6: $7"),
  dialect("        $1 $2 [$3]  $5:          1 vl:$6: $7"),
  dialect("        $2 [$3]  $5: vl:$6: $7"),
  dialect("host.dat:   $1-$2     [$3]     $5: $6: $7"),
];

async function ndjsonOf(text: string): Promise<string> {
  const lines: string[] = [];
  await dump(await recordingOf(memorySource("t", text)), (event) => {
    lines.push(JSON.stringify(event));
  });
  return `${lines.join("\n")}\n`;
}
const NDJSON = await ndjsonOf(TEXT);

/** Every `step` bytes a record, a page header or an event may begin. */
const everywhere = (bytes: Uint8Array, step: number): number[] =>
  Array.from({ length: Math.floor(bytes.length / step) }, (_, i) => i * step);

const PAGE = ringPage({
  timestamp: 1n,
  items: [{ kind: "event", payload: Uint8Array.of(1, 2, 3, 4) }],
  subBufferSize: 1024,
});
const SMALL: DatSpec = {
  version: 7,
  pageSize: 1024,
  events: [{ system: "vhx", format: formatText("used", 1350, [["u64 vq", 8, 8, 0]]) }],
  kallsyms: "0000000000002000 t f\n",
  comms: "1 a\n",
  options: [{ id: 4, data: Buffer.from("[mono]") }],
  buffers: [
    { name: "", cpus: [0, 1].map((cpu) => ({ cpu, data: Buffer.concat([PAGE, PAGE]) })) },
    { name: "i", cpus: [{ cpu: 0, data: PAGE }] },
  ],
};
const CONTAINERS: readonly Uint8Array[] = [
  { ...SMALL, version: 6 as const },
  SMALL,
  { ...SMALL, compression: "zlib" as const },
  { ...SMALL, compression: "zstd" as const },
  { ...SMALL, bigEndian: true, kernelLong: 4 as const },
].map(makeTraceDat);

/** Behind prefixes of other tools: one for all lines, or another for each. */
function wrapped(text: string, random: Random): string {
  const wraps = Object.values(WRAPPINGS);
  const one = random.below(2) === 0 ? random.of(wraps) : null;
  return text
    .split("\n")
    .map((line, i) => (one ?? random.of(wraps))(line, i + 1))
    .join("\n");
}

/** Several members, frames or files one after the other. */
function joined(pack: (part: Buffer) => Uint8Array): (random: Random) => Buffer {
  return (random) => {
    const text = mutatedText(random.of(DIALECTS), random);
    const cut = random.below(text.length);
    return Buffer.concat([pack(text.subarray(0, cut)), pack(text.subarray(cut))]);
  };
}
const gzips = joined((part) => gzipSync(part, { level: 1 }));
const zstds = joined(rawZstd);
const XZ = file("migration/multifd/src.log.xz");

const policies = ["linux-6.1", "linux-6.16"].map((name) => ({
  policy: findPolicy(name),
  alias: null,
}));

/** `refused: …` of an error that is about an input; everything else is a finding. */
export function refusalOf(error: unknown): string {
  if (!(error instanceof RecordingError)) throw error;
  if (error.message.includes("\n")) throw new Error("a message of several lines", { cause: error });
  return `refused: ${error.message}`;
}

const CLOCKS = parseClockPairs(file("migration/6.1-inflight/clock.txt").toString(), "clock.txt");

async function replayed(inputs: readonly Uint8Array[], chunk?: number): Promise<string> {
  try {
    const traceEvents = memorySource("list", TRACE_EVENTS_ALL);
    const result = await replayMachines(
      inputs.map((bytes, i) => memorySource(`input${i}`, bytes, chunk)),
      { policies },
      { traceEvents, clockPairs: CLOCKS },
    );
    return JSON.stringify(result, (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
  } catch (error) {
    return refusalOf(error);
  }
}

const alone = (make: Family["make"]): Family => ({
  make,
  outcome: (bytes, chunk) => replayed([bytes], chunk),
  inPieces: true,
});

/** The mutated one is one of several that belong together. */
const among = (others: readonly string[], make: Family["make"]): Family => ({
  make,
  outcome: (bytes, chunk) =>
    replayed([bytes, ...others.map((text) => Buffer.from(text, "latin1"))], chunk),
  inPieces: true,
});

/** What `dump` writes of a recording is read as that recording: the same events, or none. */
async function dumpedTwice(bytes: Uint8Array): Promise<string> {
  const events = async (content: Uint8Array | string): Promise<string> => {
    const lines: string[] = [];
    await dump(await recordingOf(memorySource("input", content)), (event) => {
      const { place: _, ...rest } = event as typeof event & { place: unknown };
      lines.push(JSON.stringify(rest));
    });
    return lines.map((line) => `${line}\n`).join("");
  };
  let first: string;
  try {
    first = await events(bytes);
  } catch (error) {
    return refusalOf(error);
  }
  if (first === "") return "no event";
  const second = await events(Buffer.from(first, "utf8"));
  if (second !== first) throw new Error("a dump is read as something else");
  return first;
}

export const RECORDINGS: Families = {
  "ftrace text": alone((random) => mutatedText(random.of(DIALECTS), random)),
  "text behind prefixes": alone((random) =>
    mutatedText(wrapped(random.of([...DIALECTS, ...LOGS]), random), random),
  ),
  "QEMU's log": alone((random) => mutatedText(random.of(LOGS), random)),
  NDJSON: alone((random) => mutatedText(NDJSON, random)),
  simpletrace: alone((random) => {
    const bytes = random.below(3) === 0 ? SIMPLE.subarray(24) : SIMPLE;
    return mutatedBytes(bytes, everywhere(bytes, 4), random);
  }),
  "trace.dat": alone((random) => mutatedBytes(DAT, everywhere(DAT, 4096), random)),
  "trace.dat containers": alone((random) => {
    const bytes = random.of(CONTAINERS);
    return mutatedBytes(bytes, everywhere(bytes, 2), random);
  }),
  gzip: alone((random) => mutatedBytes(gzips(random), [], random)),
  zstd: alone((random) => mutatedBytes(zstds(random), [], random)),
  xz: alone((random) => mutatedBytes(Buffer.concat([XZ, XZ]), [0, XZ.length], random)),
  archives: alone((random) =>
    mutatedBytes(tarOf({ "a.txt": TEXT, "b.log": random.of(LOGS) }), [0, 512], random),
  ),
  "a migration's source": among([MIGRATION[1]!, KERNEL], (random) =>
    mutatedText(MIGRATION[0]!, random),
  ),
  "a migration's destination": among([MIGRATION[0]!], (random) =>
    mutatedText(MIGRATION[1]!, random),
  ),
  "a dump of a recording": {
    make: (random) => mutatedText(random.of([...DIALECTS, ...LOGS]), random),
    outcome: dumpedTwice,
    inPieces: false,
  },
};
