/** Does the stale verdict explain how the memories of both sides differ? `verify --source-dump`. */
import type { Source } from "../bytes/source.ts";
import { compareGuestImages, type GuestComparison } from "../memory/compare-guest-images.ts";
import type { GuestImage } from "../memory/guest-image.ts";
import { findWallClock } from "../memory/kvm-wall-clock.ts";
import { type SentPages, sentPages } from "../memory/mapped-ram-image.ts";
import type { MemoryMap } from "../memory/memory-map.ts";
import { type ImageOptions, openGuestImage, openSentPages } from "../memory/open-guest-image.ts";
import type { Owners } from "../memory/owners/owners.ts";
import { readOwners } from "../memory/owners/read-owners.ts";
import { readMemoryMap } from "../memory/read-memory-map.ts";
import type { MigrationVerdict } from "../model/migration-result.ts";
import { PageRuns } from "../model/page-runs.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { RecordingError, UsageError } from "../model/place.ts";
import type { MachineResult } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, replay } from "../replay/replay.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { type ImageVerdict, imageVerdict, imageVerdictStatus } from "./image-verdict.ts";
import { oneMachine } from "./machines.ts";
import { type ToldSet, toldSet } from "./page-set.ts";
import type { Replayer } from "./replayer.ts";
import { mainMigration } from "./stale.ts";

export interface Options extends CommonOptions {
  /** Memory of the source after the migration, and of the destination before it runs. */
  source: Source;
  destination: Source;
  /** Guest-physical address at which raw memory begins. */
  base?: number;
  /** Answers to `info mtree -f` and `info ramblock`. */
  memoryMap?: readonly Source[];
  /** A mapped-ram migration file: which pages were sent. Needs the memory map. */
  sentPages?: Source;
  /** Owners of guest pages, CSV or NDJSON. */
  owners?: Source;
  /** Whether two arrays of one length have the same bytes, where the platform has something fast. */
  equal?: (a: Uint8Array, b: Uint8Array) => boolean;
  /** Called now and then: pages that were compared, of how many. */
  onCompared?: (pages: number, of: number) => void;
}

/** An image as far as it is told of. */
export interface ImageFacts {
  name: string;
  format: string;
  notes: string[];
  pages: number;
}

/** One policy's verdict against the images. */
export interface PolicyImageVerdict {
  name: string;
  alias: string | null;
  verdict: Omit<ImageVerdict, "unexplained" | "staleEqual"> & {
    unexplained: ToldSet;
    staleEqual: ToldSet;
  };
}

export interface Answer extends CommonAnswer {
  source: ImageFacts;
  destination: ImageFacts;
  /** Name of the file of sent pages; null without one. */
  sentPages: string | null;
  /** Facts about the other files, one sentence each. */
  notes: string[];
  /** Pages that both images have, and those of them with different bytes. */
  compared: number;
  differing: ToldSet;
  onlyInSource: ToldSet;
  onlyInDestination: ToldSet;
  /** Below the highest page, in neither. */
  inNeither: ToldSet;
  policies: PolicyImageVerdict[];
}

/**
 * Compares the images first, so that what cannot be read is said before the replay. Throws
 * RecordingError for files that cannot be read and for a recording without a migration that came to
 * its end, and what `replay` throws.
 */
export async function ask(
  recording: Recording,
  options: Options,
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  const { surroundings } = recording;
  const map = options.memoryMap ? await readMemoryMap(options.memoryMap) : undefined;
  const sent = options.sentPages ? await sentBy(options.sentPages, recording, map) : null;
  const how: ImageOptions = {};
  if (map) how.map = map;
  if (options.base !== undefined) how.base = options.base;
  const source = await openGuestImage(options.source, surroundings, how);
  let destination: GuestImage | undefined;
  try {
    destination = await openGuestImage(options.destination, surroundings, how);
    const { equal, signal, onCompared } = options;
    const all = onCompared ? source.pages.intersect(destination.pages).pages : 0;
    const comparison = await compareGuestImages(source, destination, {
      ...(equal ? { equal } : {}),
      ...(signal ? { signal } : {}),
      ...(onCompared ? { onProgress: (pages) => onCompared(pages, all) } : {}),
    });
    const clock = await findWallClock(source, destination, comparison.differing);
    const own = new PageRuns();
    if (clock !== null) own.append(Math.floor(clock / PAGE_BYTES));
    const { result, machine } = oneMachine(await beside(run)(recording, base), options);
    const verdicts = migrationVerdicts(machine, recording).map((verdict) => ({
      ...nameOf(verdict, base.policies),
      verdict: imageVerdict(comparison, pagesOf(verdict), sent, own),
    }));
    const told = verdicts.reduce(
      (set, { verdict }) => set.union(verdict.staleEqual),
      comparison.differing,
    );
    const owners = options.owners ? await readOwners(options.owners, told) : null;
    return {
      ...{ asked, result, source: factsOf(source), destination: factsOf(destination) },
      sentPages: options.sentPages?.name ?? null,
      notes: [...notesOf(map, sent, owners, options), ...clockNotes(clock)],
      ...setsOf(comparison, owners),
      policies: verdicts.map(({ verdict, ...name }) => ({
        ...name,
        verdict: {
          ...verdict,
          unexplained: toldSet(verdict.unexplained, owners),
          staleEqual: toldSet(verdict.staleEqual, owners),
        },
      })),
    };
  } finally {
    source.close();
    destination?.close();
  }
}

/** What differs and is no loss. */
function clockNotes(clock: number | null): string[] {
  if (clock === null) return [];
  const page = Math.floor(clock / PAGE_BYTES).toString(16);
  return [
    `page 0x${page} differs in KVM's wall clock alone (12 bytes at 0x${clock.toString(16)}), which the ` +
      "destination's KVM stores anew when the guest's registers are set: it is no loss",
  ];
}

/** 0: some policy explains every differing page; 1: none does; 3: nothing was compared. */
export function statusOf({ policies }: Pick<Answer, "policies">): 0 | 1 | 3 {
  return imageVerdictStatus(policies.map(({ verdict }) => verdict));
}

function migrationVerdicts(machine: MachineResult, recording: Recording): MigrationVerdict[] {
  const migration = mainMigration(machine);
  if (migration !== null && migration.verdicts.length > 0) return migration.verdicts;
  throw new RecordingError(
    { file: recording.sources.map(({ name }) => name).join(", "), at: "" },
    "a migration that came to its end",
    migration === null ? "none" : `one that was ${migration.outcome}`,
  );
}

function nameOf({ policy: name }: MigrationVerdict, policies: readonly ChosenPolicy[]) {
  const alias = policies.find(({ policy }) => policy.name === name)?.alias ?? null;
  return { name, alias };
}

function pagesOf(verdict: MigrationVerdict) {
  return {
    stale: PageRuns.from(verdict.stale),
    likelyStale: PageRuns.from(verdict.likelyStale),
    possiblyStale: PageRuns.from(verdict.possiblyStale),
    healed: PageRuns.from(verdict.healed.flatMap(({ runs }) => runs)),
  };
}

function setsOf(comparison: GuestComparison, owners: Owners | null) {
  return {
    compared: comparison.compared.pages,
    differing: toldSet(comparison.differing, owners),
    onlyInSource: toldSet(comparison.onlyInFirst, null),
    onlyInDestination: toldSet(comparison.onlyInSecond, null),
    inNeither: toldSet(comparison.holes, null),
  };
}

async function sentBy(
  source: Source,
  { surroundings }: Recording,
  map: MemoryMap | undefined,
): Promise<SentPages> {
  if (!map) {
    throw new UsageError(
      `${source.name}: sent pages are offsets in RAM blocks, so a memory map is needed with them`,
    );
  }
  const file = await openSentPages(source, surroundings);
  try {
    return await sentPages(file, map);
  } finally {
    file.access.close();
  }
}

function factsOf({ name, format, notes, pages }: GuestImage): ImageFacts {
  return { name, format, notes: [...notes], pages: pages.pages };
}

function notesOf(
  map: MemoryMap | undefined,
  sent: SentPages | null,
  owners: Owners | null,
  options: Options,
): string[] {
  const notes = [...(map?.notes ?? [])];
  if (sent && sent.unmapped.length > 0) {
    const blocks = sent.unmapped.join(", ");
    notes.push(`${options.sentPages?.name}: not in the guest's memory map: ${blocks}`);
  }
  if (owners && owners.overlapping > 0) {
    const lines = owners.overlapping;
    notes.push(
      `${options.owners?.name}: ${lines} overlapping lines; of each page the last one counts`,
    );
  }
  return notes;
}
