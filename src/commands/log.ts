/** `log`: the dirty log that a policy would have written, one image a sync. */
import { createHash } from "node:crypto";
import { UsageError } from "../model/place.ts";
import type { ReplayResult, SyncView } from "../model/result.ts";
import { imageName, type LogImage, logIndexJson } from "../report/json/log-index.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { countOf } from "../report/text/number-text.ts";
import { printable } from "../report/text/text-layout.ts";
import {
  type CommonArguments,
  replayablePolicies,
  wholeNumber,
  windowOf,
} from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { type LogDirectory, openLogDirectory } from "./shared/log-directory.ts";
import type { ReplayApi, ReplayOptions } from "./shared/replay-api.ts";
import { openSession } from "./shared/session.ts";

export interface LogArguments extends CommonArguments {
  policy: string;
  output: string;
  logSize?: string;
  assumeLogging?: boolean;
}

/** One bit a page, 16 TiB of guest memory. */
const MOST_BYTES = 2 ** 29;

/** Writes the images and their index; returns 0, or 3 when the recording carries no verdict. */
export async function run(api: ReplayApi, io: Io, args: LogArguments): Promise<number> {
  const size = args.logSize === undefined ? undefined : logSize(args.logSize);
  const [asked] = replayablePolicies(api, io, args, [args.policy]);
  const window = windowOf(args.assumeLogging, "recorded");
  const session = openSession(api, io, args);
  const folder = await openLogDirectory(args.output);
  try {
    const images: LogImage[] = [];
    const options: ReplayOptions = {
      policies: [asked!],
      window,
      onSync: (view) => addImage(folder, images, view, size),
    };
    if (io.signal) options.signal = io.signal;
    const result = await session.read((opening) => api.replay(opening, options));
    const hashed = await session.withHashes(result);
    const names = [asked!.policy.name];
    const wanted = { policies: names, window, syncMarker: args.syncMarker ?? null };
    const index = jsonDocument(logIndexJson(api.tool, wanted, hashed, images));
    await folder.commit(index);
    if (!args.quiet) warnings(io, result, images);
    await io.out(args.json ? index : logText(images));
    return result.verdict ? EXIT.ok : EXIT.noVerdict;
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

function logSize(text: string): number {
  const bytes = wholeNumber(text, "--log-size", MOST_BYTES);
  if (bytes === 0 || bytes % 8 !== 0) {
    throw new UsageError(`--log-size: expected a multiple of 8 bytes, found ${bytes}`);
  }
  return bytes;
}

/** What follows the last sync was never fetched, so it is no image; a recording without is one. */
async function addImage(
  folder: LogDirectory,
  images: LogImage[],
  view: SyncView,
  size: number | undefined,
): Promise<void> {
  if (view.mark === null && images.length > 0) return;
  const number = view.mark?.number ?? 0;
  const file = imageName(number);
  if (images.some((image) => image.file === file)) {
    throw new UsageError(`two syncs of this recording have the number ${number}`);
  }
  const needed = Math.ceil((view.highestPage(0) + 1) / 64) * 8;
  const { image, beyond } = view.image(0, size ?? (view.qemuLogBytes || needed));
  await folder.add(file, image);
  images.push({
    file,
    number,
    mark: view.mark,
    pages: bitsSet(image),
    beyond,
    bytes: image.length,
    sha256: createHash("sha256").update(image).digest("hex"),
  });
}

function bitsSet(image: Uint8Array): number {
  let bits = 0;
  for (const byte of image) for (let rest = byte; rest !== 0; rest &= rest - 1) bits += 1;
  return bits;
}

function warnings(io: Io, result: ReplayResult, images: readonly LogImage[]): void {
  for (const image of images) {
    if (image.beyond > 0) {
      io.err(`${image.file}: ${countOf(image.beyond, "logged page")} beyond its size\n`);
    }
  }
  if (result.certainty === "exact") return;
  for (const limit of result.limits) {
    if (limit.effect !== null) io.err(`${printable(limit.text)}\n`);
  }
}

function logText(images: readonly LogImage[]): string {
  const pages = images.reduce((sum, image) => sum + image.pages, 0);
  const lines = images.map((image) =>
    `${image.file}  ${`${image.pages}`.padStart(8)} ${image.pages === 1 ? "page " : "pages"}  ${printable(image.mark?.name ?? "")}`.trimEnd(),
  );
  return `${[`${countOf(images.length, "image")}, ${countOf(pages, "page")} in all`, ...lines].join("\n")}\n`;
}
