/** The command line: names, options and help. Each command's code is loaded when it is used. */
import { existsSync } from "node:fs";
import { Argument, Command, CommanderError, Option } from "commander";
import { closest } from "../model/closest.ts";
import { UsageError } from "../model/place.ts";
import type { Tool } from "../report/json/result-json.ts";
import { SCRIPTS, type Script, scriptOf } from "./completion.ts";
import { addFleetCommands } from "./fleet/program.ts";
import { failureStatus } from "./shared/failure.ts";
import { type ColorChoice, EXIT, type Io } from "./shared/io.ts";
import {
  collect,
  common,
  question,
  recordingOptions,
  recordings,
  withMachine,
  withPolicies,
  withPolicyFile,
  withWindow,
} from "./shared/option-groups.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import type { CommandModule, Run, SharedOptions } from "./shared/run.ts";

/** What the command line runs on. */
export interface Environment {
  io(color: ColorChoice): Io;
  tool(): Tool;
  load(): Promise<ReplayApi>;
}

const EXAMPLES = `
Examples:
  vhost-replay report migration.dat
  vhost-replay explain migration.dat --gpa 0x7f3a0000+8K
  vhost-replay verify migration.dat --observed syncs/ --policy linux-6.16

Exit status: 0 nothing lost (or equal), 1 pages lost (or different), 2 usage, or
input that cannot be read, 3 the recording carries no verdict, or none was lost
only as far as it shows, 70 a bug in vhost-replay, 130 interrupted.
`;

/** Runs the arguments after the program's name; returns the exit status and never throws. */
export async function runCommandLine(argv: string[], environment: Environment): Promise<number> {
  let io = environment.io("auto");
  let status: number = EXIT.ok;
  const program = buildProgram(environment, async (load, args) => {
    io = environment.io(args.color ?? "auto");
    const [module, api] = await Promise.all([load(), environment.load()]);
    status = await runWith(module, api, io, args);
  });
  program.configureOutput({
    writeOut: (text) => void io.out(text),
    writeErr: (text) => io.err(text),
  });
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    if (argv.length === 0) {
      io.err(program.helpInformation());
      io.err(EXAMPLES);
      return EXIT.trouble;
    }
    refuseMistyped(program, argv[0]!);
    await program.parseAsync(argv, { from: "user" });
    return status;
  } catch (error) {
    return failureStatus(error, io);
  }
}

/** A first word that is neither a command nor a file, and nearly a command. Throws UsageError. */
function refuseMistyped(program: Command, word: string): void {
  const names = program.commands.map((command) => command.name());
  if (word.startsWith("-") || /[./]/.test(word) || names.includes(word) || existsSync(word)) return;
  const meant = closest(word, names);
  if (meant === undefined) return;
  throw new UsageError(`${word}: neither a command nor a file; perhaps ${meant} is meant`);
}

/** Runs a command, with the policies of `--policy-file` in the table and, unless named, asked for. */
async function runWith<Arguments extends SharedOptions>(
  module: CommandModule<Arguments>,
  api: ReplayApi,
  io: Io,
  args: Arguments,
): Promise<number> {
  if (!args.policyFile) return runCase(module, api, io, args);
  const { readPolicyFiles, withPolicies } = await import("./shared/policy-files.ts");
  const policies = await readPolicyFiles(args.policyFile);
  const names = policies.map((policy) => policy.name);
  const policy = args.policy ?? names;
  return runCase(module, withPolicies(api, policies), io, { ...args, policy });
}

/** Runs a command on the case that was named, or on the recordings. */
async function runCase<Arguments extends SharedOptions>(
  module: CommandModule<Arguments>,
  api: ReplayApi,
  io: Io,
  args: Arguments,
): Promise<number> {
  if (args.recordings === undefined) return module.run(api, io, args);
  const { casesOf, oneOf, sayFiles } = await import("./shared/case.ts");
  const cases = await casesOf(api, io, { ...args, recordings: args.recordings });
  if (cases === null) return module.run(api, io, args);
  if (cases.length > 1 && module.runMany) return module.runMany(cases, io);
  const opened = oneOf(cases, io);
  if (!args.quiet && !(module.tellsCase && !args.json)) sayFiles(opened.case, io);
  return module.run(opened.api, io, opened.args);
}

function buildProgram(environment: Environment, run: Run): Command {
  const program = new Command("vhost-replay")
    .description("Which guest pages would a vhost kernel leave out of its dirty log?")
    .exitOverride()
    .showHelpAfterError("(--help shows the options)")
    .option("-V, --version", "print the version and the hash of the core")
    .addHelpText("after", EXAMPLES);
  program.on("option:version", () => {
    const { name, version, wasmSha256 } = environment.tool();
    program.configureOutput().writeOut?.(`${name} ${version} (core ${wasmSha256.slice(0, 12)})\n`);
    throw new CommanderError(EXIT.ok, "commander.version", version);
  });
  addReplayCommands(program, run);
  addQueryCommands(program, run);
  addRecordingCommands(program, run);
  addFleetCommands(program, run);
  program
    .command("completion")
    .description("completion for a shell, or the manual page")
    .addArgument(new Argument("<script>", "what is printed").choices(SCRIPTS))
    .action(
      (script: Script) => void program.configureOutput().writeOut?.(scriptOf(program, script)),
    );
  return program;
}

function addReplayCommands(program: Command, run: Run): void {
  withPolicies(
    question(program, "report", "is this host affected: verdict, patches, findings, limits", {
      isDefault: true,
    }),
    "may be repeated (default: the kernel that ran, an unpatched, the newest; not told: unpatched, patched)",
  )
    .option("--ran <kernel>", "the kernel that ran: a policy, or what uname -r prints there")
    .option("--migration <n>", "about this migration of several, by its number in the list")
    .option("--all", "show every finding and migration")
    .option("--log-size <bytes>", "size of a user-space back end's log, where no message tells")
    .option("--html <file>", "write the answer as a page too, with pictures; it needs nothing else")
    .option(
      "--html-budget <MiB>",
      "above it the page has rounds only, no single events (default: 16)",
    )
    .action((names: string[], options) =>
      run(() => import("./report.ts"), { ...options, recordings: names }),
    );
  withPolicyFile(
    withWindow(question(program, "log", "write the dirty log a policy would have written")),
  )
    .requiredOption("--policy <name>", "whose log (see: policies)")
    .requiredOption("-o, --output <dir>", "folder for NNN.bin and index.json")
    .option("--log-size <bytes>", "size of each image instead of the one QEMU uses")
    .action((names: string[], options) =>
      run(() => import("./log.ts"), { ...options, recordings: names }),
    );
  withPolicies(
    question(program, "verify", "compare predicted with observed dirty logs"),
    "may be repeated (default: unpatched, patched)",
  )
    .option("--observed <dir>", "folder with N.bin, NN.bin or NNN.bin, one a sync")
    .option("--log-size <bytes>", "size of a user-space back end's log, where no message tells")
    .option("--source-dump <file>", "memory of the source after the migration (ELF, or raw)")
    .option("--destination-dump <file>", "memory of the destination, before it runs")
    .option("--dump-base <address>", "where raw memory begins (default: 0)")
    .option("--sent-pages <file>", "a mapped-ram migration file: which pages were sent")
    .option("--ran <name>", "the kernel that ran: a policy, or what uname -r prints there")
    .option("--owners <file>", "owners of guest pages, CSV or NDJSON: gfn, owner, kind")
    .action((names: string[], options) =>
      run(() => import("./verify.ts"), { ...options, recordings: names }),
    );
  withPolicies(question(program, "stale", "which pages are stale after a live migration"))
    .option("--migration <n>", "about this migration of several, by its number in report")
    .option("--ran <name>", "the kernel that ran: a policy, or what uname -r prints there")
    .option("--owners <file>", "owners of guest pages, CSV or NDJSON: gfn, owner, kind")
    .option("--limit <n>", "pages of each policy that are shown one by one (default: 8)")
    .action((names: string[], options) =>
      run(() => import("./stale.ts"), { ...options, recordings: names }),
    );
  addForensicCommands(program, run);
  withPolicies(question(program, "explain", "the life of some guest pages"))
    .requiredOption(
      "--gpa <range>",
      "0x1000, 4K, 0x1000+512, 0x1000-0x1fff, gfn:0x1, hva:0x7f…, pc.ram+0x1000",
    )
    .option("--ran <kernel>", "the kernel that ran: a policy, or what uname -r prints there")
    .option("--limit <n>", "show at most so many writes and syncs")
    .action((names: string[], options) =>
      run(() => import("./explain.ts"), { ...options, recordings: names }),
    );
}

function addForensicCommands(program: Command, run: Run): void {
  withWindow(question(program, "attribute", "which patches of the series save which pages")).action(
    (names: string[], options) =>
      run(() => import("./attribute.ts"), { ...options, recordings: names }),
  );
  withPolicies(
    question(program, "identify", "which policy explains an observed dirty log"),
    "only among these; may be repeated (default: all)",
  )
    .option("--observed <dir>", "folder with N.bin, NN.bin or NNN.bin, one a sync")
    .option("--log-size <bytes>", "size of a user-space back end's log, where no message tells")
    .action((names: string[], options) =>
      run(() => import("./identify.ts"), { ...options, recordings: names }),
    );
}

function addQueryCommands(program: Command, run: Run): void {
  question(program, "info", "what is in it, and which questions it can answer").action(
    (names: string[], options) => run(() => import("./info.ts"), { ...options, recordings: names }),
  );
  question(program, "requests", "one line a request")
    .option("--queue <n>", "only of this queue (0 control, 1 event, 2 and up I/O)")
    .option("--gpa <range>", "only with a descriptor in this range")
    .option("--from <sec>", "only popped at or after this time of the recording")
    .option("--to <sec>", "only popped at or before this time")
    .option("--state <list>", "completed, dropped, in-flight, unknown-head")
    .action((names: string[], options) =>
      run(() => import("./requests.ts"), { ...options, recordings: names }),
    );
  withPolicies(question(program, "history", "everything that happened, for pictures"))
    .requiredOption("-o, --output <file>", "the history, in gzip: docs/history.md")
    .addOption(
      new Option("--level <level>", "events: every write and send; rounds: only sets of pages")
        .choices(["events", "rounds"])
        .default("events"),
    )
    .option("--ran <name>", "the kernel that ran: a policy, or what uname -r prints there")
    .action((names: string[], options) =>
      run(() => import("./history.ts"), { ...options, recordings: names }),
    );
  withPolicies(question(program, "export", "tables, bitmaps and a trace for other programs"))
    .option("--parquet <dir>", "a Parquet file a table: docs/exports.md")
    .option("--csv <dir>", "the same tables as CSV")
    .option("--roaring <dir>", "sets of pages as Roaring bitmaps")
    .option("--perfetto <file>", "a trace for Perfetto: requests, rounds, log, sends")
    .option("--ran <name>", "the kernel that ran: a policy, or what uname -r prints there")
    .action((names: string[], options) =>
      run(() => import("./export.ts"), { ...options, recordings: names }),
    );
  withPolicies(
    withMachine(
      recordingOptions(
        common(program.command("query").description("SQL over everything that happened")),
      ),
    ),
  )
    .argument("<case>", "a file, a folder or an archive, as the other commands take it")
    .argument("[sql]", "statements (default: from standard input): docs/exports.md has the tables")
    .option("--ran <name>", "the kernel that ran: a policy, or what uname -r prints there")
    .action((name: string, sql: string | undefined, options) =>
      run(() => import("./query.ts"), {
        ...{ ...options, recordings: [name] },
        ...(sql === undefined ? {} : { sql }),
      }),
    );
  withPolicies(
    question(program, "minimize", "the smallest recording that still shows a page"),
    "whose verdicts are kept (default: those of report)",
  )
    .requiredOption("--page <page>", "0x400 as reports list pages, or gpa:0x400123")
    .addOption(
      new Option("--format <name>", "of the events")
        .choices(["ndjson", "ftrace"])
        .default("ndjson"),
    )
    .option("--ran <kernel>", "the kernel that ran: a policy, or what uname -r prints there")
    .action((names: string[], options) =>
      run(() => import("./minimize.ts"), { ...options, recordings: names }),
    );
  withPolicies(
    withMachine(
      common(
        program.command("diff").description("what differs between two cases, or two policies"),
      ),
    ),
    "of both; twice with one case (default: the kernel that ran on each, or unpatched)",
  )
    .argument("<a>", "a case, as the other commands take it: a file, a folder, an archive")
    .argument("[b]", "the other case; without it two policies of the first are compared")
    .option("--sync-marker <regexp>", "trace_marker lines that are a sync")
    .option(
      "--ran <kernel>",
      "the kernel that ran: a policy, or what uname -r prints there; twice: on A, then on B",
      collect,
    )
    .action((a: string, b: string | undefined, options) =>
      run(() => import("./diff.ts"), b === undefined ? { ...options, a } : { ...options, a, b }),
    );
  question(program, "lint", "faults of the protocol and of the recording").action(
    (names: string[], options) => run(() => import("./lint.ts"), { ...options, recordings: names }),
  );
  withPolicyFile(recordings(program, "whatif", "what a migration of this guest would have cost"))
    .option("--policy <name>", "may be repeated (default: those of report)", collect)
    .option(
      "--bandwidth <bytes>",
      "bytes a second it may send; K, M, G (default: as recorded, or 128M)",
    )
    .option("--downtime-limit <ms>", "how long the guest may stand still (default: 300)")
    .option("--start <sec>", "when it begins (default: as recorded, or with the recording)")
    .option("--for <sec>", "how long it is followed (default: to the recording's end)")
    .option("--ran <kernel>", "the kernel that ran: a policy, or what uname -r prints there")
    .action((names: string[], options) =>
      run(() => import("./whatif.ts"), { ...options, recordings: names }),
    );
  recordings(program, "events", "what stands around a place of a recording")
    .requiredOption("--around <place>", "as it is printed: trace.txt:399, trace.dat:cpu1+0x3f4")
    .option("-n, --count <n>", "so many events before it and after it (default: 8)")
    .action((names: string[], options) =>
      run(() => import("./events.ts"), { ...options, recordings: names }),
    );
  withPolicies(question(program, "view", "the page of a recording, opened in a browser"))
    .option("-o, --output <file>", "where it is written (default: the recording's name with .html)")
    .option("--no-open", "write it only")
    .option("--ran <name>", "policy of the vhost that ran, where it is known")
    .action((names: string[], options) =>
      run(() => import("./view.ts"), { ...options, recordings: names }),
    );
  recordings(program, "dump", "normalised events as NDJSON, in time order").action(
    (names: string[], options) => run(() => import("./dump.ts"), { ...options, recordings: names }),
  );
  recordings(program, "redact", "a recording to share: names, addresses and pages replaced")
    .requiredOption("-o, --output <file>", "NDJSON, gzip with a name in .gz; several get numbers")
    .option("--key-file <file>", "same key, same names; 16 bytes or more (default: random)")
    .option("--keep-runs", "neighbouring pages stay neighbours")
    .option("--keep-times", "times are not shifted")
    .action((names: string[], options) =>
      run(() => import("./redact.ts"), { ...options, recordings: names }),
    );
  common(program.command("policies").description("the table of policies, with evidence"))
    .argument("[name]", "one policy or alias, with what it rests on")
    .action((name: string | undefined, options) =>
      run(() => import("./policies.ts"), name === undefined ? options : { ...options, name }),
    );
}

function addRecordingCommands(program: Command, run: Run): void {
  withProbes(program.command("probes").description("the probes to record with, for a kernel"))
    .option("--kernel <release>", "uname -r of the kernel in that folder, where it does not say it")
    .option("--arch <name>", "x86_64 or arm64, where the BTF does not tell it")
    .option("--script", "print a shell script that records with them, for a host without Node.js")
    .option("--apply", "define them on this host (root)")
    .option("--quiet", "no remarks on standard error")
    .action((options) => run(() => import("./probes.ts"), options));
  withProbes(program.command("record").description("record this host's virtqueues into a bundle"))
    .option("-o, --output <name>", "the bundle: a folder, or NAME.tar.zst")
    .option("--for <seconds>", "end after so long (default: until Ctrl-C)")
    .option("--size <bytes>", "end when the recording has so many; K, M, G")
    .option("--pid <pid>", "only the virtual machine of this QEMU process")
    .option("--writes-only", "leave out descriptors that the device only reads (acc==2)")
    .option("--buffer-size <KiB>", "ring buffer of each CPU (default: 65536)")
    .option("--recorder <name>", "trace-cmd or tracefs (default: trace-cmd where it is)")
    .option("--qemu-socket <path>", "QMP socket: QEMU's trace events on while it records")
    .option("--mark <text>", "write a line into the recording that runs, and end")
    .option("--cleanup", "remove what a recording that was cut off has left, and end")
    .option("--quiet", "no remarks on standard error")
    .action((options) => run(() => import("./record.ts"), options));
}

function withProbes(command: Command): Command {
  return command
    .option("--driver <list>", "scsi, net, vsock; more than one with commas (default: scsi)")
    .option("--backend <name>", "uprobes in a user-space back end: libvhost-user, spdk, dpdk")
    .option("--binary <file>", "its program")
    .option("--requests", "with a probe that names LUN and CDB of each request")
    .option("--btf <dir>", "BTF from there: as /sys/kernel/btf, or vmlinuz and modules")
    .option("--form <form>", "btf (names) or regs (offsets); default: the best the kernel takes");
}
