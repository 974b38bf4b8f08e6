/**
 * `verify --source-dump A --destination-dump B`: memory images of both sides against the stale
 * verdict. The verdict comes from the caller; this opens the files, compares and prints.
 */

import { imageVerdict, type VerdictPages } from "../answers/image-verdict.ts";
import type { Source, Surroundings } from "../bytes/source.ts";
import { compareGuestImages } from "../memory/compare-guest-images.ts";
import type { GuestImage } from "../memory/guest-image.ts";
import { type SentPages, sentPages } from "../memory/mapped-ram-image.ts";
import type { MemoryMap } from "../memory/memory-map.ts";
import { type ImageOptions, openGuestImage, openSentPages } from "../memory/open-guest-image.ts";
import type { Owners } from "../memory/owners/owners.ts";
import { readOwners } from "../memory/owners/read-owners.ts";
import { readMemoryMap } from "../memory/read-memory-map.ts";
import { UsageError } from "../model/place.ts";
import type { ReplayResult } from "../model/result.ts";
import { sameBytes } from "../node/same-bytes.ts";
import { type AskedOptions, jsonDocument } from "../report/json/result-json.ts";
import { textStyle } from "../report/text/text-layout.ts";
import {
  type ImageFacts,
  imagesStatus,
  type VerifiedImages,
  verifyImagesJson,
  verifyImagesText,
} from "../report/text/verify-images.ts";
import { parseGpaRange } from "./shared/gpa-range.ts";
import { interruptibleSource } from "./shared/interruptible-source.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";

/** Options of `verify` that are about memory images. */
export interface ImageArguments {
  sourceDump: string;
  destinationDump: string;
  /** Where raw memory begins: `0x100000000`, `4G`. */
  dumpBase?: string;
  /** A mapped-ram migration file. */
  sentPages?: string;
  /** Answers to `info mtree -f` and `info ramblock`; may be repeated. */
  mtree?: string[];
  owners?: string;
  json?: boolean;
  quiet?: boolean;
}

/** What the replay says, to be held against the images. */
export interface ReplayVerdict {
  policies: readonly { name: string; alias: string | null; pages: VerdictPages }[];
  /** Of the result with hashes, for the report. */
  result: Pick<ReplayResult, "inputs" | "limits">;
  options: AskedOptions;
}

/**
 * Compares the images, asks for the verdict, and prints both. Returns 0 when a policy explains
 * every differing page, 1 when none does, 3 when there is nothing to compare. Throws RecordingError
 * and UsageError before the replay where a file cannot be read.
 */
export async function verifyImages(
  api: Pick<ReplayApi, "tool" | "openSources" | "surroundings">,
  io: Io,
  args: ImageArguments,
  verdictOf: () => Promise<ReplayVerdict>,
): Promise<number> {
  const files = imageFiles(api, io, args);
  const map = args.mtree ? await readMemoryMap(args.mtree.map(files.source)) : undefined;
  const sent =
    args.sentPages === undefined ? null : await readSentPages(files, args.sentPages, map);
  const options: ImageOptions = {};
  if (map) options.map = map;
  if (args.dumpBase !== undefined) options.base = baseOf(args.dumpBase);
  const source = await openGuestImage(files.source(args.sourceDump), files.surroundings, options);
  const destination = await openDestination(files, args.destinationDump, options, source);
  try {
    const comparison = await compareGuestImages(source, destination, {
      equal: sameBytes,
      ...(io.signal ? { signal: io.signal } : {}),
    });
    const { policies, result, options: asked } = await verdictOf();
    const verdicts = policies.map(({ name, alias, pages }) => ({
      name,
      alias,
      verdict: imageVerdict(comparison, pages, sent),
    }));
    const told = verdicts.reduce(
      (set, { verdict }) => set.union(verdict.staleEqual),
      comparison.differing,
    );
    const owners =
      args.owners === undefined ? null : await readOwners(files.source(args.owners), told);
    const images: VerifiedImages = {
      source: factsOf(source),
      destination: factsOf(destination),
      sentPages: args.sentPages ?? null,
      notes: notesOf(map, sent, args.sentPages, owners, args.owners),
      comparison,
      policies: verdicts,
      owners,
    };
    await io.out(
      args.json
        ? jsonDocument(verifyImagesJson(api.tool, asked, images, result))
        : verifyImagesText(images, result, textStyle(io.color)),
    );
    return imagesStatus(images);
  } finally {
    source.close();
    destination.close();
  }
}

/** Opens files by name, in a way that an interrupt can stop. */
interface Files {
  source(this: void, name: string): Source;
  surroundings: Surroundings;
}

function imageFiles(
  api: Pick<ReplayApi, "openSources" | "surroundings">,
  io: Io,
  args: ImageArguments,
): Files {
  return {
    source: (name) => interruptibleSource(api.openSources([name])[0]!, io.signal),
    surroundings: api.surroundings((line) => {
      if (!args.quiet) io.err(`${line}\n`);
    }),
  };
}

async function openDestination(
  files: Files,
  name: string,
  options: ImageOptions,
  source: GuestImage,
): Promise<GuestImage> {
  try {
    return await openGuestImage(files.source(name), files.surroundings, options);
  } catch (error) {
    source.close();
    throw error;
  }
}

async function readSentPages(
  files: Files,
  name: string,
  map: MemoryMap | undefined,
): Promise<SentPages> {
  if (!map) {
    throw new UsageError(
      "--sent-pages needs --mtree FILE (the answer to info mtree -f): the file has offsets in RAM blocks",
    );
  }
  const file = await openSentPages(files.source(name), files.surroundings);
  try {
    return await sentPages(file, map);
  } finally {
    file.access.close();
  }
}

function baseOf(text: string): number {
  const { gpa, len } = parseGpaRange(text, "--dump-base");
  if (len !== 1 || gpa % 4096 !== 0) {
    throw new UsageError(`--dump-base: expected the address of a page, found ${text}`);
  }
  return gpa;
}

function factsOf({ name, format, notes, pages }: GuestImage): ImageFacts {
  return { name, format, notes, pages: pages.pages };
}

function notesOf(
  map: MemoryMap | undefined,
  sent: SentPages | null,
  sentName: string | undefined,
  owners: Owners | null,
  ownersName: string | undefined,
): string[] {
  const notes = [...(map?.notes ?? [])];
  if (sent && sent.unmapped.length > 0) {
    notes.push(`${sentName}: not in the guest's memory map: ${sent.unmapped.join(", ")}`);
  }
  if (owners && owners.overlapping > 0) {
    const lines = owners.overlapping;
    notes.push(`${ownersName}: ${lines} overlapping lines; of each page the last one counts`);
  }
  return notes;
}
