/** `verify --source-dump A --destination-dump B`: the stale verdict against memory of both sides. */
import { backEndPolicies } from "../answers/affected.ts";
import { ask, type Options, statusOf } from "../answers/image-comparison.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import { UsageError } from "../model/place.ts";
import { sameBytes } from "../node/same-bytes.ts";
import { verifyImagesJson } from "../report/json/verify-images-json.ts";
import { byteSize } from "../report/text/number-text.ts";
import { verifyImagesText } from "../report/text/verify-images-text.ts";
import { replayablePolicies, windowOf } from "./shared/arguments.ts";
import { parseGpaRange } from "./shared/gpa-range.ts";
import type { Io } from "./shared/io.ts";
import { ranOption } from "./shared/migration-options.ts";
import { stepLine } from "./shared/progress.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession, type Session } from "./shared/session.ts";
import type { ImageArguments } from "./shared/verify-arguments.ts";

/** Prints how the images differ and what explains it; returns 0, 1 or 3 (`statusOf`). */
export async function verifyImages(api: ReplayApi, io: Io, args: ImageArguments): Promise<number> {
  if (args.sentPages !== undefined && args.mtree === undefined) {
    throw new UsageError(
      "--sent-pages needs --mtree FILE (the answer to info mtree -f): the file has offsets in RAM blocks",
    );
  }
  const session = openSession(api, io, args);
  const progress = stepLine(io, args.quiet ?? false);
  const options: Options = {
    policies: replayablePolicies(api, io, args, args.policy),
    window: windowOf(args.assumeLogging, "auto"),
    ...{ ...ranOption(api, args), ...filesOf(session, args), equal: sameBytes },
    ...commonOptions(io, args),
    onCompared(pages, of) {
      const [done, all] = [pages, of].map((count) => byteSize(count * PAGE_BYTES));
      progress.update(`compared ${done} of ${all}, ${Math.floor((100 * pages) / of)}%`);
      if (pages === of) progress.clear();
    },
  };
  const answer = await session.ask(async (recording) => {
    const found = await ask(recording, options, api.replay);
    const chosen = args.policy !== undefined || args.ran !== undefined;
    const instead = chosen ? null : backEndPolicies(found.result, undefined);
    return instead ? ask(recording, { ...options, ...instead }, api.replay) : found;
  });
  await say(io, args, {
    text: (style) => verifyImagesText(answer, style),
    json: () => verifyImagesJson(api.tool, answer),
  });
  return statusOf(answer);
}

function filesOf({ source }: Session, args: ImageArguments) {
  const { dumpBase, mtree, sentPages, owners } = args;
  return {
    source: source(args.sourceDump),
    destination: source(args.destinationDump),
    ...(dumpBase === undefined ? {} : { base: baseOf(dumpBase) }),
    ...(mtree === undefined ? {} : { memoryMap: mtree.map(source) }),
    ...(sentPages === undefined ? {} : { sentPages: source(sentPages) }),
    ...(owners === undefined ? {} : { owners: source(owners) }),
  };
}

function baseOf(text: string): number {
  const { gpa, len } = parseGpaRange(text, "--dump-base");
  if (len !== 1 || gpa % PAGE_BYTES !== 0) {
    throw new UsageError(`--dump-base: expected the address of a page, found ${text}`);
  }
  return gpa;
}
