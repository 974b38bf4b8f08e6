/** A recording of which something is hidden: what of an answer about it may still be said. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { PageRun } from "../../src/model/evidence.ts";
import type { MachineResult, ReplayResult } from "../../src/model/result.ts";

/** A text of which lines are hidden, and how. */
export interface Hiding {
  what: string;
  /** Hidden by position: a CPU, a tenth, the end. */
  byPlace: boolean;
  text: string;
}

const ROOT = join(import.meta.dirname, "../..", "traces");
const TEXT = /^(?:trace\.txt|report\.txt|uprobe\.txt|trace\.ndjson)\.gz$/;

/** Names of the recordings in traces/ that are text, below these folders; each with what it holds. */
export function textRecordings(
  ...folders: readonly string[]
): { name: string; read: () => string }[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && TEXT.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => ({
        name: path.slice(ROOT.length + 1),
        read: () => gunzipSync(readFileSync(path)).toString("latin1"),
      })),
  );
}

const isHeader = (line: string): boolean =>
  line.startsWith("#") || line.startsWith("cpus=") || line.startsWith('{"event": "recording"');

function nameOf(line: string): string | null {
  const json = /^\{"event": ?"(\w+)"/.exec(line);
  if (json) return json[1]!;
  // An event of QEMU as a marker, and in its log.
  const marker = /tracing_mark_write: (?!dirty_sync)([a-z]\w+)/.exec(line);
  if (marker) return marker[1]!;
  const event = /\d\.\d{6}:\s+(?:\d+ )?([\w:]+):/.exec(line);
  return event?.[1] ?? /^(?:\d+@[\d.]+:|\d{4}-\S+Z )(\w+)/.exec(line)?.[1] ?? null;
}

const cpuOf = (line: string): string | null => /\[(\d{3})\]/.exec(line)?.[1] ?? null;

const distinct = (values: readonly (string | null)[]): string[] =>
  [...new Set(values)].filter((value) => value !== null);

/**
 * Every name of an event hidden in turn, every CPU, every tenth, and the end behind each tenth: all of
 * them, or `most` at even distances where the text is long.
 */
export function hidings(text: string, most = Number.POSITIVE_INFINITY): Hiding[] {
  const lines = text.replace(/\n$/, "").split("\n");
  const head = lines.filter(isHeader);
  const body = lines.filter((line) => !isHeader(line));
  const tenth = (k: number): number => Math.floor((k * body.length) / 10);
  const cpus = distinct(body.map(cpuOf));
  const keep: { what: string; byPlace: boolean; has: (line: string, at: number) => boolean }[] = [
    ...distinct(body.map(nameOf)).map((name) => ({
      ...{ what: `event ${name}`, byPlace: false },
      has: (line: string) => nameOf(line) !== name,
    })),
    ...(cpus.length < 2 ? [] : cpus).map((cpu) => ({
      ...{ what: `CPU ${cpu}`, byPlace: true },
      has: (line: string) => cpuOf(line) !== cpu,
    })),
    ...Array.from({ length: 10 }, (_, k) => ({
      ...{ what: `tenth ${k}`, byPlace: true },
      has: (_line: string, at: number) => at < tenth(k) || at >= tenth(k + 1),
    })),
    ...Array.from({ length: 9 }, (_, k) => ({
      ...{ what: `all behind tenth ${k}`, byPlace: true },
      has: (_line: string, at: number) => at < tenth(k + 1),
    })),
  ];
  const step = Math.max(1, Math.ceil(keep.length / most));
  return keep
    .filter((_, i) => i % step === 0)
    .map(({ what, byPlace, has }) => ({
      ...{ what, byPlace },
      text: `${[...head, ...body.filter(has)].join("\n")}\n`,
    }));
}

function pagesOf(runs: readonly PageRun[]): Set<number> {
  const pages = new Set<number>();
  for (const { gfn, pages: n } of runs) for (let i = 0; i < n; i++) pages.add(gfn + i);
  return pages;
}

const gone = (from: Set<number>, to: Set<number>): number =>
  [...from].filter((page) => !to.has(page)).length;

const mayBeMore = ({ certainty }: MachineResult): boolean =>
  certainty === "lower" || certainty === "bounds";
const mayBeFewer = ({ certainty }: MachineResult): boolean =>
  certainty === "upper" || certainty === "bounds";

/**
 * What the answer about less of a recording says with more certainty than the answer about all of it
 * allows, a sentence each: pages that were lost, or certainly stale, and are none; and the other way round.
 */
export function surerThan(all: ReplayResult, less: ReplayResult): string[] {
  return all.machines.flatMap((whole) => {
    const part =
      less.machines.find(({ pid }) => pid === whole.pid) ??
      (less.machines.length === 1 ? less.machines[0] : undefined);
    if (!whole.verdict || !part?.verdict) return [];
    // Had logging been on: another question, and the answer says so.
    if (whole.window !== part.window) return [];
    return [...lostBy(whole, part), ...staleBy(whole, part)].map(
      (text) => `${text}, ${whole.certainty} -> ${part.certainty}`,
    );
  });
}

function lostBy(whole: MachineResult, part: MachineResult): string[] {
  return whole.policies.flatMap(({ name, lostRuns }, i) => {
    const before = pagesOf(lostRuns);
    const after = pagesOf(part.policies[i]!.lostRuns);
    const [fewer, more] = [gone(before, after), gone(after, before)];
    return [
      ...(fewer > 0 && !mayBeMore(part) ? [`${name}: ${fewer} of ${before.size} not lost`] : []),
      ...(more > 0 && !mayBeFewer(part) && !mayBeMore(whole) ? [`${name}: ${more} more lost`] : []),
    ];
  });
}

function staleBy(whole: MachineResult, part: MachineResult): string[] {
  const verdicts = ({ migrations }: MachineResult) =>
    migrations.findLast((migration) => migration.verdicts.length > 0)?.verdicts ?? [];
  return verdicts(whole).flatMap((verdict, i) => {
    const other = verdicts(part)[i];
    if (!other) return [];
    const open = pagesOf([...other.stale, ...other.likelyStale, ...other.possiblyStale]);
    const may = pagesOf([...verdict.stale, ...verdict.likelyStale, ...verdict.possiblyStale]);
    const fewer = gone(pagesOf(verdict.stale), open);
    const more = gone(pagesOf(other.stale), may);
    return [
      ...(fewer > 0 && !mayBeMore(part) ? [`${verdict.policy}: ${fewer} stale are none`] : []),
      // Whatever the numbers may be: of each of these pages it is said that it is certain.
      ...(more > 0 ? [`${verdict.policy}: ${more} certainly stale`] : []),
    ];
  });
}
