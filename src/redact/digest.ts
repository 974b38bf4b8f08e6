/**
 * What a replay says, as a list of named facts that can be compared with another's: numbers as they
 * are, sets of pages and lists of requests as hashes that do not depend on their order. The names of
 * pages, words and times of the one replay go through a renaming first.
 */

import type { MigrationResult, MigrationVerdict } from "../model/migration-result.ts";
import { eachPage } from "../model/page-runs.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import type { MachineResult, PageRun, ReplayResult } from "../model/result.ts";
import type { RequestRecord, SyncView } from "../model/told.ts";

import type { Mapping } from "./mapping.ts";

/** How names of the replay are said in the facts; the identity for what is renamed already. */
export interface Renaming {
  page(page: number): number;
  gpa(gpa: number): number;
  ns(ns: string | null): string | null;
  ramBlock(name: string): string;
  state(name: string): string;
  syncName(name: string): string;
}

/** 16 TiB: of what lies behind, only that it lies there. */
const SPACE = 2 ** 44;

/** What the redaction made of names, for the facts of the original. */
export function renamingOf(map: Mapping): Renaming {
  return {
    page: (page) => map.page(page),
    gpa: (gpa) => (gpa < SPACE ? Number(map.gpa(BigInt(gpa))) : -1),
    ns: (ns) => ns && (BigInt(ns) + map.shift(0)).toString(),
    ramBlock: (name) => map.words.ramBlock(name),
    state: (name) => map.words.state(name),
    syncName: (name) => map.words.syncName(name),
  };
}

/** The renaming of what was renamed before. */
export const SAME: Renaming = {
  page: (page) => page,
  gpa: (gpa) => (gpa < SPACE ? gpa : -1),
  ns: (ns) => ns,
  ramBlock: (name) => name,
  state: (name) => name,
  syncName: (name) => name,
};

const FINDINGS = "findings";
/** Limit of a replay with more first writes in a round than it keeps. */
const UNATTRIBUTED = "unattributed";

/** Rounds that are told one by one; later ones are added up. */
const MOST_ROUNDS = 4096;

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A hash of a set: the sum of its members' hashes, 64 bits, and how many there are. */
class SetHash {
  #low = 0;
  #high = 0;
  #count = 0;

  number(value: number): void {
    this.#low = (this.#low + mix(value)) >>> 0;
    this.#high = (this.#high + mix(value ^ 0x9e3779b9)) >>> 0;
    this.#count += 1;
  }

  text(text: string): void {
    let a = 0x811c9dc5;
    let b = 0x1234567;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b ^ code, 0x85ebca6b) + 1;
    }
    this.#low = (this.#low + mix(a)) >>> 0;
    this.#high = (this.#high + mix(b)) >>> 0;
    this.#count += 1;
  }

  toString(): string {
    return `${this.#count} ${this.#high.toString(16)}${this.#low.toString(16).padStart(8, "0")}`;
  }
}

/** Collects the facts of one replay. */
export class ReplayDigest {
  readonly facts = new Map<string, string>();
  readonly #renaming: Renaming;
  readonly #policies: readonly string[];
  #requests = new SetHash();
  rounds = 0;
  requests = 0;
  /** So many writes that findings do not cover all of them. */
  unattributed = false;

  constructor(renaming: Renaming, policies: readonly string[]) {
    this.#renaming = renaming;
    this.#policies = policies;
  }

  #fact(name: string, value: unknown): void {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const before = this.facts.get(name);
    if (before === undefined) {
      this.facts.set(name, text);
      return;
    }
    // A name that comes again: the rounds that are not told one by one.
    const hash = new SetHash();
    hash.text(`${before}|${text}`);
    this.facts.set(name, hash.toString());
  }

  #pages(runs: readonly PageRun[]): string {
    const hash = new SetHash();
    for (const page of eachPage(runs)) hash.number(this.#renaming.page(page));
    return hash.toString();
  }

  /** For ReplayOptions.onRequest. */
  request(request: RequestRecord): void {
    const { ns } = this.#renaming;
    const { machine, serial, device, queue, head, state, captured, freed, cause, addressed } =
      request;
    const { lun, opcode, response, status, popped, used } = request;
    this.requests += 1;
    this.#requests.text(
      JSON.stringify([
        ...[machine, serial, device, queue, head, state, captured, freed, cause, addressed],
        ...[lun, opcode, response, status, ns(popped?.ns ?? null), ns(used?.ns ?? null)],
        ...[used?.len, used?.idx, this.#memory(request.reads)],
        this.#memory(request.writes),
      ]),
    );
  }

  /** Pieces of memory, each cut at the borders of its pages: a descriptor may become several. */
  #memory(list: RequestRecord["reads"]): string {
    const hash = new SetHash();
    let bytes = 0;
    for (const { gpa, len } of list) {
      let at = gpa;
      do {
        const next = Math.min(gpa + len, (Math.floor(at / PAGE_BYTES) + 1) * PAGE_BYTES);
        hash.text(`${bytes} ${this.#renaming.gpa(at)} ${next - at}`);
        bytes += next - at;
        at = next;
      } while (at < gpa + len && at < SPACE);
    }
    return `${bytes} ${hash.toString()}`;
  }

  /** For ReplayOptions.onSync. */
  round(view: SyncView): void {
    const { round, mark, machine } = view;
    const which = this.rounds < MOST_ROUNDS ? `round ${this.rounds}` : "later rounds";
    const name = machine === 1 ? which : `${which} of machine ${machine}`;
    this.rounds += 1;
    const { syncName, ns } = this.#renaming;
    const sync = mark && [mark.number, syncName(mark.name), ns(mark.ns)];
    this.#fact(`${name}: sync`, sync);
    this.#fact(`${name}: counts`, [round.written, round.policies, round.caveats]);
    this.#fact(`${name}: requests`, this.#requests.toString());
    this.#requests = new SetHash();
    this.#policies.forEach((policy, index) => {
      for (const set of ["logged", "lost", "stale"] as const) {
        this.#fact(`${name}: pages ${set} under ${policy}`, this.#pages(view.runs(index, set)));
      }
    });
  }

  /** What the replay said when it ended. */
  result(result: ReplayResult): void {
    this.#fact("requests after the last sync", this.#requests.toString());
    this.#fact("machines", result.machines.length);
    for (const machine of result.machines) this.#machine(machine);
  }

  #machine(result: MachineResult): void {
    const of = result.number === 1 ? "" : `machine ${result.number}: `;
    for (const key of ["window", "windowWhy", "written", "certainty", "verdict"] as const) {
      this.#fact(`${of}${key}`, result[key]);
    }
    for (const { name, logged, lost, stillLost, whatIf, lostRuns } of result.policies) {
      this.#fact(`${of}${name}: pages`, [logged, lost, stillLost, whatIf, this.#pages(lostRuns)]);
    }
    this.#fact(
      `${of}bitmap syncs`,
      result.rounds.map(({ bitmapSync }) => {
        if (!bitmapSync) return null;
        const { startNs, endNs, dirtyPages, sent } = bitmapSync;
        return [this.#renaming.ns(startNs), this.#renaming.ns(endNs), dirtyPages, sent];
      }),
    );
    const limits = result.limits.map(({ code, effect }) => `${code} ${effect}`).sort();
    this.unattributed ||= limits.some((limit) => limit.startsWith(UNATTRIBUTED));
    this.#fact(`${of}${FINDINGS}`, findingFacts(result));
    this.#fact(
      `${of}limits`,
      limits.filter((limit) => !limit.startsWith(UNATTRIBUTED)),
    );
    result.devices.forEach((device, i) => {
      const { driver, features, memory, logging } = device;
      const queues = device.queues.map(({ vq, used, writeDescriptors, ...counts }) => counts);
      this.#fact(`${of}device ${i}`, [driver, features, memory.length, logging.length, queues]);
    });
    result.migrations.forEach((migration, i) => {
      this.#migration(`${of}migration ${i}`, migration);
    });
  }

  #migration(name: string, migration: MigrationResult): void {
    const { ns, state, ramBlock } = this.#renaming;
    const { from, outcome, syncs, sends, sendTimes, zeroResendsAtMost, cpuDirtied } = migration;
    const times = [
      ...[migration.logOn.ns, migration.firstSyncNs, migration.stoppedNs],
      ...[migration.postcopyNs, migration.endNs],
    ];
    this.#fact(
      `${name}: kinds`,
      migration.kinds.map((one) => [one.kind, one.ns === null ? null : ns(one.ns), one.told]),
    );
    this.#fact(`${name}: course`, [from, outcome, syncs, times.map(ns)]);
    this.#fact(
      `${name}: states`,
      migration.states.map((entry) => [state(entry.state), ns(entry.ns)]),
    );
    this.#fact(`${name}: sends`, [sends, sendTimes, zeroResendsAtMost, cpuDirtied]);
    this.#fact(
      `${name}: blocks`,
      migration.blocks.map(({ block, placed }) => `${ramBlock(block)} ${placed}`).sort(),
    );
    for (const verdict of migration.verdicts) {
      this.#verdict(`${name}: ${verdict.policy}`, verdict);
    }
  }

  #verdict(name: string, verdict: MigrationVerdict): void {
    const { best, likely, worst, loggedNotSent, whatIf, pagesWithoutEvidence } = verdict;
    this.#fact(`${name}: stale pages`, [best, likely, worst, this.#pages(verdict.stale)]);
    this.#fact(`${name}: likely stale pages`, this.#pages(verdict.likelyStale));
    this.#fact(`${name}: possibly stale pages`, this.#pages(verdict.possiblyStale));
    for (const { by, runs } of verdict.healed) {
      this.#fact(`${name}: pages healed by ${by}`, this.#pages(runs));
    }
    this.#fact(`${name}: beside`, [loggedNotSent, whatIf, pagesWithoutEvidence]);
    // Beyond what the replay keeps, which pages have evidence depends on their numbers.
    if (pagesWithoutEvidence > 0) return;
    const { page: rename, ns } = this.#renaming;
    const hash = new SetHash();
    for (const page of verdict.pages) {
      const { cause, device, queue, head, request, round } = page.write;
      hash.text(
        JSON.stringify([
          ...[rename(page.gfn), page.verdict, ns(page.sentNs), page.poppedBeforeSend, page.doubts],
          ...[cause, device, queue, head, request, round, ns(page.write.ns), ns(page.write.popNs)],
        ]),
      );
    }
    this.#fact(`${name}: writes to blame`, hash.toString());
  }
}

/** Findings without their places; in an order that page numbers do not make. */
function findingFacts(result: MachineResult): unknown {
  const facts = result.findings.map((finding) => {
    const { code, policy, round, rounds, queue, device, cause, pages, requests } = finding;
    const { certainty, written } = finding;
    return JSON.stringify([
      ...[code, policy, round, rounds, queue, device, cause, pages, requests],
      ...[certainty, written],
    ]);
  });
  return [facts.sort(), result.moreFindings];
}

/** The first fact that differs, as one line; null: all are equal. */
export function firstDifference(original: ReplayDigest, redacted: ReplayDigest): string | null {
  const unattributed = original.unattributed || redacted.unattributed;
  for (const [name, value] of original.facts) {
    // Beyond that bound a descriptor that was cut takes the place of another one's evidence.
    if (unattributed && name.endsWith(FINDINGS)) continue;
    const other = redacted.facts.get(name);
    if (other !== value)
      return `${name}: ${brief(value)} in the original, ${brief(other)} redacted`;
  }
  for (const [name, value] of redacted.facts) {
    if (!original.facts.has(name)) return `${name}: none in the original, ${brief(value)} redacted`;
  }
  return null;
}

function brief(value: string | undefined): string {
  if (value === undefined) return "nothing";
  return value.length > 120 ? `${value.slice(0, 120)}…` : value;
}
