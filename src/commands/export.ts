/** `export`: everything that happened, as tables, bitmaps or a trace for other programs. */
import { statusOf } from "../answers/lost.ts";
import { selectMachines } from "../answers/machines.ts";
import { readHistory } from "../history/index.ts";
import { UsageError } from "../model/place.ts";
import { countOf } from "../report/text/number-text.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import { writeCsv, writePerfettoFile, writeRoaring, writeTables } from "./shared/export-files.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import { machineOption } from "./shared/machine-options.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface ExportArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  parquet?: string;
  csv?: string;
  roaring?: string;
  perfetto?: string;
  policy?: string[];
  assumeLogging?: boolean;
}

/** Writes what was asked for; returns 0, 1 or 3, as `report` does. */
export async function run(api: ReplayApi, io: Io, args: ExportArguments): Promise<number> {
  const { parquet, csv, roaring, perfetto } = args;
  if ([parquet, csv, roaring, perfetto].every((place) => place === undefined)) {
    throw new UsageError("expected at least one of --parquet, --csv, --roaring, --perfetto");
  }
  const own = { window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) };
  const { result, bytes } = await openSession(api, io, args).read(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    const ran = kernel ? { ran: kernel.policy } : {};
    return api.history(recording, { ...own, policies, ...ran }, "events");
  });
  const history = readHistory("history", bytes);
  const said = (what: string): void => {
    if (!args.quiet) io.err(`${what}\n`);
  };
  const tables = (rows: number): string => `tables with ${countOf(rows, "row")}`;
  if (parquet !== undefined) {
    const { name, version } = api.tool;
    said(`${parquet}: ${tables(await writeTables(history, parquet, `${name} ${version}`))}`);
  }
  if (csv !== undefined) said(`${csv}: ${tables(await writeCsv(history, csv))}`);
  if (roaring !== undefined) {
    said(`${roaring}: ${countOf(await writeRoaring(history, roaring), "set")} of pages`);
  }
  if (perfetto !== undefined) {
    await writePerfettoFile(history, perfetto);
    said(`${perfetto}: open it in Perfetto's trace viewer`);
  }
  return statusOf({ result: selectMachines(result, machineOption(args)) });
}
