/** The commands of a fleet, as the command line names them. */
import type { Command } from "commander";
import type { Run } from "../shared/run.ts";

const EXAMPLES = `
Example, with Slurm:
  vhost-replay fleet plan -o plan.ndjson --root /recordings /recordings/*
  sbatch --array=0-999 --wrap "vhost-replay fleet run plan.ndjson -o parts --root /recordings"
  vhost-replay fleet merge plan.ndjson parts

Exit status: of run, 0 every case has its part, 75 try again; of merge, 3 while
parts are missing.
`;

const collect = (name: string, before: string[] | undefined) => [...(before ?? []), name];

/** Adds `fleet` with its four steps. */
export function addFleetCommands(program: Command, run: Run): void {
  const fleet = program
    .command("fleet")
    .description("many recordings on many hosts: plan, run, merge, missing")
    .addHelpText("after", EXAMPLES);
  fleet
    .command("plan")
    .description("one line a case; reads no recording")
    .argument("<case...>", "a recording, or a folder with the recordings of one case")
    .requiredOption("-o, --output <file>", "the plan")
    .option("--root <dir>", "what names are relative to (default: the working folder)")
    .option("--labels <file>", 'lines of {"name": …, "vm": …}: what is known of the cases')
    .option("--policy <name>", "may be repeated (default: unpatched, patched)", collect)
    .option("--assume-logging", "as if logging had been on throughout")
    .option("--no-assume-logging", "only while the recording shows logging on")
    .option("--quiet", "no remarks on standard error")
    .action((cases: string[], options) => run(() => import("./plan.ts"), { ...options, cases }));
  fleet
    .command("run")
    .description("replay cases of the plan, and write a part for each")
    .argument("<plan>", "what fleet plan wrote")
    .requiredOption("-o, --output <dir>", "folder of the parts")
    .option("--index <list>", "3, 0-99 or 3,7,19-24 (default: the scheduler's, or all)")
    .option("--root <dir>", "where the recordings lie here (default: the working folder)")
    .option("--jobs <n>", "threads that may work (default: by processors and size)")
    .option("--quiet", "no remarks on standard error")
    .action((plan: string, options) => run(() => import("./run.ts"), { ...options, plan }));
  fleet
    .command("merge")
    .description("the parts as one answer, with bounds for what is missing")
    .argument("<plan>", "what fleet plan wrote")
    .argument("<dir...>", "folders with parts")
    .option("-o, --output <file>", "the answer as JSON, too")
    .option("--parquet <dir>", "a row a case, machine and policy, by host and day")
    .option("--json", "print JSON (schemas are in the package)")
    .option("--quiet", "no remarks on standard error")
    .action((plan: string, parts: string[], options) =>
      run(() => import("./merge.ts"), { ...options, plan, parts }),
    );
  fleet
    .command("missing")
    .description("indexes without a whole part, as an array takes them")
    .argument("<plan>", "what fleet plan wrote")
    .argument("<dir...>", "folders with parts")
    .option("--quiet", "no remarks on standard error")
    .action((plan: string, parts: string[], options) =>
      run(() => import("./missing.ts"), { ...options, plan, parts }),
    );
}
