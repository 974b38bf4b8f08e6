/**
 * A case in the place of recordings: a folder, an archive, or files of which not all are recordings.
 * What it holds stands in for the options that the user did not give; every command takes it.
 */

import type { Source } from "../../bytes/source.ts";
import { fileOrMembers } from "../../case/archive-members.ts";
import type { Case, CaseFile } from "../../case/case.ts";
import { classify } from "../../case/classify.ts";
import { openCases } from "../../case/open-cases.ts";
import { counted } from "../../model/counted.ts";
import { UsageError } from "../../model/place.ts";
import { folderSources, isFolder } from "../../node/case-files.ts";
import { caseText } from "../../report/text/case-text.ts";
import { printable } from "../../report/text/text-layout.ts";
import { type CommonArguments, jobsOf } from "./arguments.ts";
import type { Io } from "./io.ts";
import type { MigrationArguments } from "./migration-options.ts";
import { observedMembers } from "./observed.ts";
import type { ReplayApi } from "./replay-api.ts";

/** Options that a case may stand in for. */
type CaseArguments = CommonArguments &
  MigrationArguments & { observed?: string; sourceDump?: string; destinationDump?: string };

/** What a command is run on instead of what was named. */
export interface OpenedCase<Arguments> {
  case: Case;
  api: ReplayApi;
  args: Arguments;
}

/** The cases that were named, null when plain recordings were. Throws UsageError without any. */
export async function casesOf<Arguments extends CaseArguments>(
  api: ReplayApi,
  io: Io,
  args: Arguments,
): Promise<OpenedCase<Arguments>[] | null> {
  const surroundings = api.surroundings((line) => {
    if (!args.quiet) io.err(`${line}\n`);
  }, jobsOf(args.jobs));
  const sources = await sourcesOf(api, args.recordings, surroundings);
  if (sources === null) return null;
  const name = args.recordings.length === 1 ? args.recordings[0]! : "the files";
  const traceEvents =
    args.traceEvents === undefined ? {} : { traceEvents: api.openSources([args.traceEvents])[0]! };
  const { cases, files } = await openCases(name, sources, {
    ...{ module: api.module, surroundings },
    ...traceEvents,
  });
  if (cases.length === 0) {
    for (const line of listed(files)) io.err(`${line}\n`);
    throw new UsageError(`${name}: no recording in it`);
  }
  const byName = new Map(sources.map((source) => [source.name, source]));
  const own: ReplayApi = {
    ...api,
    openSources: (names) => names.map((file) => byName.get(file) ?? api.openSources([file])[0]!),
    observed: (folder) =>
      isFolder(folder) ? api.observed(folder) : observedMembers(folder, byName),
  };
  return cases.map((opened) => ({ case: opened, api: own, args: argumentsOf(args, opened) }));
}

/** The only case. Throws UsageError for several, whose recordings it names before. */
export function oneOf<Arguments>(
  cases: readonly OpenedCase<Arguments>[],
  io: Pick<Io, "err">,
): OpenedCase<Arguments> {
  if (cases.length === 1) return cases[0]!;
  for (const opened of cases) {
    io.err(`  ${opened.case.recordings.map((file) => printable(file)).join(" ")}\n`);
  }
  throw new UsageError(
    `${counted(cases.length, "case")} of different machines or migrations: give the files of one`,
  );
}

/** Says what each file is, on standard error. */
export function sayFiles(opened: Case, io: Pick<Io, "err">): void {
  for (const line of caseText(opened)) io.err(`${line}\n`);
}

const LISTED = 20;

function listed(files: readonly CaseFile[]): string[] {
  const lines = files
    .slice(0, LISTED)
    .map((file) => `  ${printable(`${file.name}: ${file.said}`)}`);
  if (files.length > LISTED) lines.push(`  and ${counted(files.length - LISTED, "more file")}`);
  return lines;
}

/** All files that the names stand for; null when each name is one recording, or can be read only once. */
async function sourcesOf(
  api: ReplayApi,
  names: readonly string[],
  surroundings: ReturnType<ReplayApi["surroundings"]>,
): Promise<Source[] | null> {
  const sources: Source[] = [];
  let plain = true;
  for (const name of names) {
    if (isFolder(name)) {
      plain = false;
      sources.push(...(await folderSources(name, surroundings)));
      continue;
    }
    const source = api.openSources([name])[0]!;
    if (source.random === undefined) {
      sources.push(source);
      continue;
    }
    const members = await fileOrMembers(source, surroundings);
    sources.push(...members);
    if (members[0] !== source) plain = false;
    // One file that is no recording is not a case: opening it says what it is.
    else if (names.length > 1 && (await classify(source)).role !== "recording") plain = false;
  }
  return plain ? null : sources;
}

/** The arguments, with what the case knows where the user said nothing. */
function argumentsOf<Arguments extends CaseArguments>(args: Arguments, opened: Case): Arguments {
  const { clockPairs, mtree, traceEvents, owners, observed, kernel } = opened.options;
  const dumps = args.sourceDump !== undefined || args.destinationDump !== undefined;
  const question = opened.questions.find(
    (text) =>
      !(text.includes("--clock-pairs") && (args.clockPairs ?? args.clockOffset)) &&
      !(text.includes("--mtree") && args.mtree),
  );
  if (question !== undefined) throw new UsageError(`${opened.name}: ${question}`);
  return {
    ...(clockPairs === undefined || args.clockOffset ? {} : { clockPairs }),
    ...(mtree === undefined ? {} : { mtree }),
    ...(traceEvents === undefined ? {} : { traceEvents }),
    ...(owners === undefined ? {} : { owners }),
    ...(observed === undefined || dumps ? {} : { observed }),
    ...(kernel === undefined ? {} : { kernel }),
    ...args,
    recordings: [...opened.recordings],
    looks: opened.looks,
    case: opened,
  };
}
