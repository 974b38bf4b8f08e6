/** A result written by hand, and a library that answers with it, for tests of what is printed. */

import type { Source } from "../../src/bytes/source.ts";
import type { Io } from "../../src/commands/shared/io.ts";
import { observedImages } from "../../src/commands/shared/observed.ts";
import type { ReplayApi } from "../../src/commands/shared/replay-api.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import type { MigrationResult } from "../../src/model/migration-result.ts";
import { countPages } from "../../src/model/page-runs.ts";
import { UsageError } from "../../src/model/place.ts";
import type {
  Finding,
  InputSummary,
  MachineResult,
  PageRun,
  PolicyResult,
  ReplayResult,
  Round,
} from "../../src/model/result.ts";
import type { RequestRecord, SyncView, WatchedWrite } from "../../src/model/told.ts";
import { POLICIES } from "../../src/vhost/policy.ts";

const at = (line: number) => ({ file: "m.txt", at: `:${line}` });

export function policyResult(fields: Partial<PolicyResult> = {}): PolicyResult {
  return {
    name: "linux-6.1",
    alias: "unpatched",
    title: "used ring only",
    whatIf: false,
    logged: 1,
    lost: 3,
    stillLost: 2,
    lostRuns: [{ gfn: 0x214, pages: 3 }],
    moreLostRuns: 0,
    ...fields,
  };
}

export const finding: Finding = {
  code: "lost-io-logged",
  policy: "linux-6.1",
  round: 1,
  rounds: 1,
  queue: 2,
  device: 0,
  cause: "io-logged",
  pages: 3,
  requests: 1,
  runs: [{ gfn: 0x214, pages: 3 }],
  moreRuns: 0,
  first: {
    machine: 1,
    cause: "io-logged",
    device: 0,
    queue: 2,
    head: 51,
    request: 10,
    round: 1,
    gpa: 0x214200,
    len: 4096,
    place: at(403),
    ns: "31220535000",
    popPlace: at(399),
    popNs: "31218000000",
  },
  certainty: "exact",
  written: "bound",
};

export const rounds: Round[] = [
  {
    index: 0,
    sync: { number: 7, name: "log-on", ns: "30000000000", place: at(20) },
    written: 0,
    policies: [
      { logged: 0, lost: 0, extra: 0, newlyLost: 0, stillLost: 0 },
      { logged: 0, lost: 0, extra: 0, newlyLost: 0, stillLost: 0 },
    ],
    bitmapSync: null,
    caveats: [],
  },
  {
    index: 1,
    sync: { number: 8, name: "end", ns: "31300000000", place: at(410) },
    written: 4,
    policies: [
      { logged: 1, lost: 3, extra: 0, newlyLost: 3, stillLost: 2 },
      { logged: 4, lost: 0, extra: 0, newlyLost: 0, stillLost: 0 },
    ],
    bitmapSync: null,
    caveats: ["events were lost in this round"],
  },
];

/** 3 pages lost by 6.1, none by 6.16; two rounds, one device. */
export function resultOf(fields: Partial<ReplayResult & MachineResult> = {}): ReplayResult {
  const { inputs, machines, eventsReplayed, ...own } = fields;
  return {
    inputs: inputs ?? [INPUT],
    machines: machines ?? [machineOf(own)],
    eventsReplayed: eventsReplayed ?? 21,
  };
}

const INPUT: InputSummary = {
  name: "m.txt",
  format: "ftrace text",
  compression: ["gzip"],
  size: 3,
  sha256: null,
  clock: "mono",
  cpus: [0, 1],
  firstNs: "12747166000",
  lastNs: "31300000000",
  events: [
    { name: "vl:desc", kind: "desc", count: 20 },
    { name: "sched_switch", kind: null, count: 1 },
  ],
  whole: true,
  foreignLines: 2,
  gaps: [{ cpu: 1, lost: 120, place: at(300) }],
  outOfOrder: 0,
  notes: [],
};

/** The only machine, of which nothing is told. */
export function machineOf(fields: Partial<MachineResult> = {}): MachineResult {
  return {
    ...{ number: 1, pid: null, name: null, toldBy: [] },
    devices: [
      {
        number: 0,
        backEnd: null,
        driver: "vhost-scsi",
        dev: "0xff00",
        vs: null,
        features: "0x104000000",
        memory: [{ first: 0x100000, last: 0x7fffff, hva: "0x7fd17b65a000" }],
        queues: [
          {
            index: 2,
            vq: "0xff18",
            num: 64,
            used: 0x15000,
            popped: 10,
            completed: 10,
            unknownHead: 1,
            rejected: 0,
            dropped: 0,
            inFlightAtEnd: 0,
            lostCompletions: 0,
            writeDescriptors: 12,
            writeBytes: 40960,
          },
        ],
        logging: [{ place: at(15), ns: "29000000000", what: "LOG_ALL on" }],
      },
    ],
    window: "recorded",
    windowWhy: "recorded",
    written: 4,
    policies: [
      policyResult(),
      policyResult({
        name: "linux-6.16",
        alias: "patched",
        logged: 4,
        lost: 0,
        stillLost: 0,
        lostRuns: [],
      }),
    ],
    rounds,
    moreRounds: 0,
    migrations: [],
    findings: [finding],
    moreFindings: 0,
    limits: [
      { code: "events-lost", text: "120 events were lost.", effect: "more", places: [at(300)] },
    ],
    sufficiency: [{ question: "Which pages?", answer: "partly", why: "events were lost" }],
    certainty: "exact",
    verdict: true,
    ...fields,
  };
}

/** A migration that completed, with these verdicts. */
export function migrationOf(
  verdicts: readonly {
    policy: string;
    stale: Iterable<PageRun>;
    likelyStale?: Iterable<PageRun>;
    possiblyStale: Iterable<PageRun>;
  }[],
): MigrationResult {
  return {
    from: "qemu",
    outcome: "completed",
    kinds: [],
    logOn: { ns: "29000000000", place: at(15) },
    firstSyncNs: "29000000000",
    stoppedNs: "31200000000",
    postcopyNs: null,
    endNs: "31300000000",
    syncs: 2,
    states: [],
    sends: { data: 5, zero: 0, unplaced: 0 },
    sendTimes: "source",
    zeroResendsAtMost: 0,
    blocks: [],
    cpuDirtied: 0,
    verdicts: verdicts.map(({ policy, ...sets }) => {
      const [stale, possiblyStale] = [[...sets.stale], [...sets.possiblyStale]];
      const likelyStale = [...(sets.likelyStale ?? [])];
      const best = countPages(stale);
      const likely = best + countPages(likelyStale);
      return {
        ...{ policy, best, likely, worst: likely + countPages(possiblyStale) },
        ...{ stale, likelyStale, possiblyStale, healed: [], loggedNotSent: 0, whatIf: false },
        ...{ pages: [], causes: [], pagesWithoutEvidence: 0 },
      };
    }),
  };
}

export const request: RequestRecord = {
  machine: 1,
  serial: 10,
  device: 0,
  queue: 2,
  vq: "0xff18",
  head: 51,
  popped: { ns: "31218000000", place: at(399) },
  used: { ns: "31220535000", place: at(403), len: 0, idx: 9 },
  state: "completed",
  captured: true,
  freed: false,
  cause: "io-logged",
  reads: [{ gpa: 0x2020c8, len: 51 }],
  writes: [{ gpa: 0x214200, len: 4096 }],
  written: 4096,
  element: null,
  addressed: true,
  tag: null,
  opcode: null,
  response: null,
  status: null,
  lun: null,
  cdb: null,
};

export const watched: WatchedWrite = { ...finding.first, loggedBy: ["linux-6.16"] };

export const event: NormalisedEvent = {
  gpa: "0x1000003b9",
  vq: "0xff18",
  event: "desc",
  len: 51,
  acc: 1,
  iov: "0xff20",
  place: "m.txt:3",
  pid: 287,
  cpu: 0,
  ts: "12931782000",
};

/** The round's log under a policy, in the fake: pages 0x15 and, on 6.16, 0x214 to 0x216. */
export function fakeImage(name: string): Uint8Array {
  const image = new Uint8Array(0x48);
  const pages = name === "linux-6.1" ? [0x15] : [0x15, 0x214, 0x215, 0x216];
  for (const page of pages) image[page >> 3]! |= 1 << (page & 7);
  return image;
}

/** A library that reads nothing and always finds the same. */
export function fakeApi(result: ReplayResult = resultOf()): ReplayApi {
  return {
    tool: { name: "vhost-replay", version: "0.0.0", wasmSha256: "ab".repeat(32) },
    openSources: (names) => names.map(fakeSource),
    surroundings: () => ({
      spool: () => Promise.reject(new Error("nothing is spooled here")),
    }),
    observed: observedImages,
    module: undefined as never,
    plan: () => Promise.reject(new Error("not part of this fixture")),
    async replay(_, options) {
      const rounds = result.machines.flatMap(({ number, rounds: own }) =>
        own.map((round) => ({ number, round })),
      );
      for (const { number, round } of rounds) {
        if (round.index === 1) {
          await options.onRequest?.(request);
          if (options.watch) await options.onWrite?.(watched);
        }
        const imageOf = (index: number) =>
          round.index === 0
            ? new Uint8Array(0x48)
            : fakeImage(options.policies[index]!.policy.name);
        const view: SyncView = {
          machine: number,
          mark: round.sync,
          round,
          qemuLogBytes: 0,
          image: (index, bytes) => {
            const image = new Uint8Array(bytes);
            image.set(imageOf(index).subarray(0, bytes));
            return { image, beyond: 0 };
          },
          pages: () => [],
          runs: () => [],
          highestPage: (index) => (imageOf(index).some((byte) => byte > 0) ? 0x216 : -1),
        };
        await options.onSync?.(view);
      }
      return result;
    },
    history: () => Promise.reject(new Error("not part of this fixture")),
    async dump(_, onEvent) {
      await onEvent(event);
      return result;
    },
    POLICIES,
  };
}

/** Three bytes, "abc", whatever the name; "missing" is not there. */
function fakeSource(name: string): Source {
  if (name === "missing") throw new UsageError("missing: no such file");
  const bytes = new TextEncoder().encode("abc");
  const stream = () => {
    let done = false;
    return {
      read(into: Uint8Array) {
        if (done) return 0;
        done = true;
        into.set(bytes);
        return bytes.length;
      },
      close() {},
    };
  };
  const random = () => ({ size: 3, readAt: () => 0, close() {} });
  return { name, size: bytes.length, stream, random };
}

/** Keeps what is printed. */
export function fakeIo(fields: Partial<Io> = {}): Io & { stdout: string; stderr: string } {
  const io = {
    stdout: "",
    stderr: "",
    out(text: string) {
      io.stdout += text;
    },
    err(text: string) {
      io.stderr += text;
    },
    isTTY: false,
    columns: 80,
    color: false,
    ...fields,
  };
  return io;
}
