/**
 * Parts of a result as JSON: addresses and page numbers become hex strings, places become
 * `file:where` strings, and the keys of every object stand in the order written here.
 */

import type { Asked } from "../../answers/asked.ts";
import { PAGE_BYTES } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type {
  DeviceSummary,
  Evidence,
  Finding,
  InputSummary,
  Limit,
  MachineResult,
  PageRun,
  PolicyResult,
  Round,
  Sufficiency,
  SyncMark,
} from "../../model/result.ts";
import { hex } from "../text/number-text.ts";
import { jsonText } from "./json-text.ts";

/** What made a document: goes into every one of them. */
export interface Tool {
  name: string;
  version: string;
  /** Of the core that did the replay, hex. */
  wasmSha256: string;
}

/**
 * What the JSON of a `T` has: all of its keys but for `Left`. For `satisfies`: a fact that nobody put into JSON,
 * nor left out by its name, does not compile.
 */
export type KeysOf<T, Left extends keyof T = never> = Record<Exclude<keyof T, Left>, unknown> &
  Record<string, unknown>;

/** An address, or null where it was never seen. */
export function hexOrNull(value: number | null): string | null {
  return value === null ? null : hex(value);
}

/** Name, version and core of the tool. */
export function toolJson(tool: Tool) {
  return { name: tool.name, version: tool.version, wasmSha256: tool.wasmSha256 };
}

/** Options that change the answer. */
export function optionsJson(options: Asked) {
  return {
    policies: [...options.policies],
    window: options.window,
    syncMarker: options.syncMarker,
    machine: options.machine,
  };
}

/** Which machine it is; the keys that every list of machines begins with. */
export function machineJson({ number, pid, name, toldBy }: MachineResult) {
  return { number, pid, name, toldBy: [...toldBy] };
}

/** One input: identity, format, what was counted in it. */
export function inputJson(input: InputSummary) {
  return {
    name: input.name,
    format: input.format,
    compression: [...input.compression],
    size: input.size,
    sha256: input.sha256,
    clock: input.clock,
    cpus: [...input.cpus],
    firstNs: input.firstNs,
    lastNs: input.lastNs,
    events: input.events.map(({ name, kind, count }) => ({ name, kind, count })),
    foreignLines: input.foreignLines,
    gaps: input.gaps.map((gap) => ({
      cpu: gap.cpu,
      lost: gap.lost,
      place: formatPlace(gap.place),
    })) satisfies KeysOf<InputSummary["gaps"][number], "unread" | "missing">[],
    outOfOrder: input.outOfOrder,
    notes: [...input.notes],
  } satisfies KeysOf<InputSummary, "uname" | "clockToleranceNs" | "whole">;
}

/** One vhost device with its memory map, queues and changes of the log state. */
export function deviceJson(device: DeviceSummary) {
  return {
    number: device.number,
    driver: device.driver,
    backEnd: device.backEnd,
    dev: device.dev,
    vs: device.vs,
    features: device.features,
    memory: device.memory.map(({ first, last, hva }) => ({
      first: hex(first),
      last: hex(last),
      hva,
    })),
    queues: device.queues.map((queue) => ({
      index: queue.index,
      vq: queue.vq,
      num: queue.num,
      used: hexOrNull(queue.used),
      popped: queue.popped,
      completed: queue.completed,
      unknownHead: queue.unknownHead,
      rejected: queue.rejected,
      dropped: queue.dropped,
      inFlightAtEnd: queue.inFlightAtEnd,
      lostCompletions: queue.lostCompletions,
      writeDescriptors: queue.writeDescriptors,
      writeBytes: queue.writeBytes,
    })) satisfies KeysOf<DeviceSummary["queues"][number]>[],
    logging: device.logging.map(({ place, ns, what }) => ({ place: formatPlace(place), ns, what })),
  } satisfies KeysOf<DeviceSummary>;
}

/** Totals of one policy, in pages of 4 KiB. */
export function policyResultJson(policy: PolicyResult) {
  return {
    name: policy.name,
    alias: policy.alias,
    title: policy.title,
    whatIf: policy.whatIf,
    logged: policy.logged,
    lost: policy.lost,
    stillLost: policy.stillLost,
    lostRuns: policy.lostRuns.map(runJson),
    moreLostRuns: policy.moreLostRuns,
  } satisfies KeysOf<PolicyResult>;
}

/** Counts of one round; `names`: of the policies, in the order of the result. */
export function roundJson(round: Round, names: readonly string[]) {
  return {
    index: round.index,
    sync: syncJson(round.sync),
    written: round.written,
    policies: round.policies.map((policy, index) => ({
      policy: names[index] ?? "",
      logged: policy.logged,
      lost: policy.lost,
      extra: policy.extra,
      newlyLost: policy.newlyLost,
      stillLost: policy.stillLost,
    })) satisfies KeysOf<Round["policies"][number]>[],
    bitmapSync:
      round.bitmapSync === null
        ? null
        : {
            startNs: round.bitmapSync.startNs,
            endNs: round.bitmapSync.endNs,
            dirtyPages: round.bitmapSync.dirtyPages,
            sent: round.bitmapSync.sent,
          },
    caveats: [...round.caveats],
  } satisfies KeysOf<Round>;
}

/** A sync mark; null for the round that no sync ended. */
export function syncJson(sync: Round["sync"]) {
  if (sync === null) return null;
  return {
    number: sync.number,
    name: sync.name,
    ns: sync.ns,
    place: formatPlace(sync.place),
  } satisfies KeysOf<SyncMark>;
}

/** Lost pages of one policy, round, cause and queue, with the first guilty write. */
export function findingJson(finding: Finding) {
  return {
    code: finding.code,
    policy: finding.policy,
    round: finding.round,
    rounds: finding.rounds,
    device: finding.device,
    queue: finding.queue,
    cause: finding.cause,
    certainty: finding.certainty,
    written: finding.written,
    pages: finding.pages,
    requests: finding.requests,
    runs: finding.runs.map(runJson),
    moreRuns: finding.moreRuns,
    first: evidenceJson(finding.first),
  } satisfies KeysOf<Finding>;
}

/** A write: where it went, who made it, when. */
export function evidenceJson(first: Evidence) {
  return {
    cause: first.cause,
    device: first.device,
    queue: first.queue,
    head: first.head,
    request: first.request,
    round: first.round,
    gpa: hex(first.gpa),
    len: first.len,
    ns: first.ns,
    place: formatPlace(first.place),
    popNs: first.popNs,
    popPlace: first.popPlace === null ? null : formatPlace(first.popPlace),
  } satisfies KeysOf<Evidence, "machine">;
}

/** Something the recording cannot tell. */
export function limitJson(limit: Limit) {
  return {
    code: limit.code,
    text: limit.text,
    effect: limit.effect,
    places: limit.places.map(formatPlace),
  } satisfies KeysOf<Limit>;
}

/** One question and how far the recording answers it. */
export function sufficiencyJson({ question, answer, why }: Sufficiency) {
  return { question, answer, why } satisfies KeysOf<Sufficiency>;
}

/** A run of pages: first page number, the address it begins at, and how many pages. */
export function runJson(run: PageRun) {
  return { gfn: hex(run.gfn), gpa: hex(run.gfn * PAGE_BYTES), pages: run.pages };
}

/** One JSON document as the commands print it: indented by two, ending in a line feed. */
export function jsonDocument(value: unknown): string {
  return `${jsonText(value, 2)}\n`;
}
