/**
 * The second half of `npm run conformance`: recordings of migrations whose memories were compared page by
 * page afterwards. `differ.txt` in a folder lists the pages that differed, `0x…` first in each line.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parseClockPairs } from "./join/clock-pair.ts";
import type { MigrationVerdict } from "./model/migration-result.ts";
import { eachPage } from "./model/page-runs.ts";
import { UsageError } from "./model/place.ts";
import { fileSource, type loadCore, nodeSurroundings } from "./node/index.ts";
import { type MigrationSettings, settingsOfTranscript } from "./qemu/migration-settings.ts";
import { replay } from "./replay/replay.ts";
import type { Policy } from "./vhost/policy.ts";

/** What a replay says of the pages that differ. */
export interface MigrationOutcome {
  files: string;
  kinds: string[];
  differ: number;
  /** Pages of each rung, and how many of them differ. */
  rungs: { pages: number; differ: number }[];
  /** Pages that differ and are in no rung: those that a device wrote, and others. */
  missed: number[];
  others: number[];
}

const HOST = /^(trace|record)\.(dat|txt)(\.gz|\.xz|\.zst)?$/;
const SIDE = (side: string): RegExp =>
  new RegExp(`^${side}\\.(log|simpletrace)(\\.gz|\\.xz|\\.zst)?$`);
const DIFFER = /^differ\.txt(\.gz)?$/;

/** What QEMU was told, where a transcript of QMP lies beside the recording. */
function settingsOf(folder: string): { migrationSettings?: MigrationSettings } {
  const path = join(folder, "qmp-src.jsonl");
  if (!existsSync(path)) return {};
  return { migrationSettings: settingsOfTranscript(readFileSync(path, "utf8")) };
}

/** Whether a folder holds a migration with its truth. */
export function isMigration(folder: string): boolean {
  const names = readdirSync(folder);
  return names.some((name) => DIFFER.test(name)) && names.some((name) => HOST.test(name));
}

function differing(folder: string): Set<number> {
  const name = readdirSync(folder).find((one) => DIFFER.test(one))!;
  const bytes = readFileSync(join(folder, name));
  const text = (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  const pages = new Set<number>();
  for (const line of text.split("\n")) {
    const page = /^(0x[0-9a-f]+|\d+)\b/.exec(line.trim());
    if (page) pages.add(Number(page[1]));
  }
  return pages;
}

/** The inputs of a folder, whole and without the destination. */
function inputsOf(folder: string): string[][] {
  const names = readdirSync(folder).sort();
  const of = (pattern: RegExp): string[] => names.filter((name) => pattern.test(name)).slice(0, 1);
  const host = of(HOST);
  const [source, destination] = [of(SIDE("src")), of(SIDE("dst"))];
  const alone = [...host, ...source];
  return destination.length === 0 ? [alone] : [[...alone, ...destination], alone];
}

/**
 * Replays a folder under the policy of the kernel that ran. Throws UsageError for a folder whose recording
 * has no migration.
 */
export async function checkMigration(
  folder: string,
  policy: Policy,
  core: ReturnType<typeof loadCore>,
): Promise<MigrationOutcome[]> {
  const differ = differing(folder);
  // What devices wrote in the migration is all that this one leaves out.
  const nothing: Policy = { ...policy, name: "logs-nothing", aliases: [], logs: 0n };
  const outcomes: MigrationOutcome[] = [];
  for (const names of inputsOf(folder)) {
    const clock = join(folder, "clock.txt");
    const apart = names.length > 1 && existsSync(clock);
    const { machines } = await replay(
      {
        sources: names.map((name) => fileSource(join(folder, name))),
        surroundings: nodeSurroundings(() => {}),
        module: await core,
        ...settingsOf(folder),
        ...(apart ? { clockPairs: parseClockPairs(readFileSync(clock, "utf8"), clock) } : {}),
      },
      {
        policies: [policy, nothing].map((one) => ({ policy: one, alias: null })),
        window: "auto",
        ran: policy,
      },
    );
    const migration = machines
      .flatMap(({ migrations }) => migrations)
      .findLast(({ verdicts }) => verdicts.length > 0);
    if (!migration) throw new UsageError(`${folder}: no migration in ${names.join(", ")}`);
    const [own, all] = migration.verdicts as [MigrationVerdict, MigrationVerdict];
    const rungs = [own.stale, own.likelyStale, own.possiblyStale].map(
      (runs) => new Set(eachPage(runs)),
    );
    const written = new Set([
      ...[all.stale, all.likelyStale, all.possiblyStale].flatMap((runs) => [...eachPage(runs)]),
      ...all.healed.flatMap(({ runs }) => [...eachPage(runs)]),
    ]);
    const left = [...differ].filter((page) => !rungs.some((rung) => rung.has(page)));
    outcomes.push({
      files: names.map((name) => name.split(".")[0]).join("+"),
      kinds: migration.kinds.map(({ kind }) => kind),
      differ: differ.size,
      rungs: rungs.map((rung) => ({
        pages: rung.size,
        differ: [...rung].filter((page) => differ.has(page)).length,
      })),
      missed: left.filter((page) => written.has(page)),
      others: left.filter((page) => !written.has(page)),
    });
  }
  return outcomes;
}

/**
 * One line: of each rung the pages and, in parentheses, those that differ; how many of the pages that differ
 * and that a device wrote are likely or surer, in percent.
 */
export function migrationLine(name: string, outcome: MigrationOutcome): string {
  const { files, kinds, differ, rungs, missed, others } = outcome;
  const rung = (i: number): string => `${rungs[i]!.pages} (${rungs[i]!.differ})`.padStart(12);
  const surer = rungs[0]!.differ + rungs[1]!.differ;
  const ofDevices = differ - others.length;
  const share = ofDevices === 0 ? "" : `${((100 * surer) / ofDevices).toFixed(1)} %`;
  const list = (pages: readonly number[]): string =>
    pages
      .slice(0, 4)
      .map((page) => `0x${page.toString(16)}`)
      .join(" ");
  return [
    name.padEnd(34),
    files.padEnd(14),
    String(differ).padStart(6),
    ...[rung(0), rung(1), rung(2), share.padStart(8)],
    ...(kinds.length > 0 ? [kinds.join(", ")] : []),
    ...(others.length > 0 ? [`${others.length} that no device wrote: ${list(others)}`] : []),
    ...(missed.length > 0 ? [`MISSED ${missed.length}: ${list(missed)}`] : []),
  ].join("  ");
}

export const MIGRATION_HEAD = [
  "migration".padEnd(34),
  "files".padEnd(14),
  "differ",
  ...["certain", "likely", "possibly"].map((word) => word.padStart(12)),
  "≥ likely",
  "kinds",
].join("  ");
