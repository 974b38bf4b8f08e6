/** `record`: records this host's virtqueues into a bundle. */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { UsageError } from "../model/place.ts";
import { kernelSet, programSet } from "../node/record/define-probes.ts";
import { type Host, thisHost } from "../node/record/host.ts";
import { cleanUp } from "../node/record/record-cleanup.ts";
import {
  plainly,
  type Recorded,
  type RecordOptions,
  recordBundle,
} from "../node/record/record-session.ts";
import { TraceFs } from "../node/record/tracefs.ts";
import { backEndCost, backEndCostText } from "../probes/back-end-cost.ts";
import { type BundleFacts, bundleJson } from "../report/json/bundle-json.ts";
import { jsonDocument } from "../report/json/result-json.ts";
import { printable } from "../report/text/text-layout.ts";
import { run as info } from "./info.ts";
import { backEndAsked, driversNamed, findProbes, type ProbeArguments, remarks } from "./probes.ts";
import { EXIT, type Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";

export interface RecordArguments extends ProbeArguments {
  output?: string;
  for?: string;
  size?: string;
  bufferSize?: string;
  pid?: string;
  writesOnly?: boolean;
  recorder?: string;
  qemuSocket?: string;
  mark?: string;
  cleanup?: boolean;
  quiet?: boolean;
}

const DEFAULT_BUFFER_KIB = 65536;

/** Records, or marks or cleans up; returns 0, or 2 when something could not be removed. */
export async function run(api: ReplayApi, io: Io, args: RecordArguments): Promise<number> {
  const host = thisHost();
  const say = (line: string): void => {
    if (!args.quiet) io.err(`${printable(line)}\n`);
  };
  if (args.cleanup) {
    const clean = await cleanUp(host, (line) => io.err(`${printable(line)}\n`));
    if (clean) await io.out("nothing of a recording is left on this host\n");
    return clean ? EXIT.ok : EXIT.trouble;
  }
  if (args.mark !== undefined) return mark(host, args.mark);
  const options = optionsOf(args);
  const backEnd = backEndAsked(args);
  if (backEnd) {
    const { backEnd: name, binary, buildId, lines } = backEnd;
    // trace-cmd was not seen to start on uprobes.
    options.recorder ??= "tracefs";
    const recorded = await recordBundle(host, programSet(lines), options, stopSignal(io), say);
    const drivers = ["vhost-user"];
    const program = { backEnd: name, binary, buildId };
    return finishBundle(api, io, {
      ...{ host, missing: [], recorded, options, drivers, program, requests: false, say },
    });
  }
  const drivers = driversNamed(args.driver);
  TraceFs.open(host, "kprobe");
  const probes = await findProbes(args.btf ? { ...args, kernel: host.release } : args, drivers);
  for (const line of remarks(probes, drivers, args)) say(line);
  const recorded = await recordBundle(host, kernelSet(probes), options, stopSignal(io), say);
  const requests = args.requests ?? false;
  const { missing } = probes.placement;
  return finishBundle(api, io, {
    ...{ host, missing, recorded, options, drivers, program: null, requests, say },
  });
}

/** What `finishBundle` needs to know. */
export interface Finishing {
  host: Host;
  missing: BundleFacts["missing"];
  recorded: Recorded;
  options: RecordOptions;
  drivers: readonly string[];
  /** Of a user-space back end. */
  program: BundleFacts["program"];
  requests: boolean;
  say: (line: string) => void;
}

/** Writes the manifest, gives the bundle its name, and prints what is in the recording. */
export async function finishBundle(api: ReplayApi, io: Io, finishing: Finishing): Promise<number> {
  const { host, recorded, options, say } = finishing;
  const { bundle, facts, leftovers } = recorded;
  try {
    const manifest = bundleJson({
      ...facts,
      tool: api.tool,
      kernel: { release: host.release, version: host.version, machine: host.arch },
      node: process.versions.node,
      drivers: finishing.drivers,
      requests: finishing.requests,
      bufferKib: options.bufferKib,
      onePid: options.pid !== null,
      writesOnly: options.writesOnly,
      missing: finishing.missing,
      program: finishing.program,
    });
    bundle.add("manifest.json", jsonDocument(manifest));
    const folder = await bundle.finish();
    say(`written: ${bundle.output}`);
    await describe(api, io, recorded, join(folder, facts.recording));
    if (finishing.program) sayCost(join(folder, facts.recording), say);
  } catch (error) {
    throw plainly(error, options.output);
  } finally {
    bundle.discard();
    recorded.release();
  }
  for (const line of leftovers) io.err(`vhost-replay: ${printable(line)}\n`);
  const { switchedOff } = facts;
  if (switchedOff) {
    io.err(`vhost-replay: ${switchedOff.what} while it recorded: what came later is not in it\n`);
  }
  if (leftovers.length > 0 || switchedOff) return EXIT.trouble;
  if (facts.recorded > 0) return EXIT.ok;
  io.err(`vhost-replay: no vhost event was recorded: ${whyNothing(finishing)}\n`);
  return EXIT.noVerdict;
}

/** What is likely when no probe fired. */
function whyNothing({ options, drivers }: Finishing): string {
  const reasons = [
    `no device of vhost-${drivers.join(" or vhost-")} worked meanwhile (does its guest run, is it the driver that the guest uses?)`,
    ...(options.pid === null
      ? []
      : [`process ${options.pid} is not the QEMU of that device (--pid)`]),
    "its queues are served by another back end: QEMU itself, vhost-user or vDPA",
  ];
  return reasons.join("; or ");
}

/** What `info` says of the recording; trouble with that does not cost the recording. */
async function describe(api: ReplayApi, io: Io, recorded: Recorded, path: string): Promise<void> {
  // An interrupt is how a recording ends: what it says afterwards is wanted.
  const { signal: _, final, ...rest } = io;
  const calm: Io = final ? { ...rest, out: final } : rest;
  const { endedBy, loss } = recorded.facts;
  const { events, returns } = loss;
  await calm.out(`ended by ${endedBy}; lost: ${events} events, ${returns} returns\n\n`);
  try {
    await info(api, calm, { recordings: [path], quiet: true });
  } catch (error) {
    io.err(`info: ${printable(error instanceof Error ? error.message : String(error))}\n`);
  }
}

/** Bytes of a recording from which its cost is told. */
const COST_BYTES = 1 << 20;

/** What the probes cost the back end, as far as the beginning of the recording's text shows it. */
function sayCost(path: string, say: (line: string) => void): void {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(COST_BYTES);
    const cost = backEndCost(head.toString("latin1", 0, readSync(file, head)));
    if (cost) say(backEndCostText(cost));
  } finally {
    closeSync(file);
  }
}

/** Set off by what asks a program to end: the bundle is finished then as usual. */
function stopSignal(io: Io): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGHUP", "SIGQUIT"] as const)
    process.once(signal, () => stop.abort());
  if (io.signal?.aborted) stop.abort();
  io.signal?.addEventListener("abort", () => stop.abort(), { once: true });
  return stop.signal;
}

function mark(host: Host, text: string): number {
  const tracefs = TraceFs.open(host, null);
  if (!tracefs.hasInstance) throw new UsageError("--mark: nothing is being recorded");
  if (text === "") throw new UsageError("--mark: one line of text");
  tracefs.mark(text);
  return EXIT.ok;
}

function optionsOf(args: RecordArguments): RecordOptions {
  const { recorder } = args;
  if (recorder !== undefined && recorder !== "trace-cmd" && recorder !== "tracefs") {
    throw new UsageError(`--recorder: trace-cmd or tracefs, not ${printable(recorder)}`);
  }
  return {
    output:
      args.output ?? `vhost-recording-${new Date().toISOString().replaceAll(/[-:]|\..*/g, "")}`,
    bufferKib: numberOf("--buffer-size", args.bufferSize, /^(\d+)$/, "KiB") ?? DEFAULT_BUFFER_KIB,
    recorder: recorder ?? null,
    pid: numberOf("--pid", args.pid, /^(\d+)$/, "a process id"),
    writesOnly: args.writesOnly ?? false,
    seconds: numberOf("--for", args.for, /^(\d+(?:\.\d+)?)s?$/, "seconds"),
    bytes: numberOf("--size", args.size, /^(\d+)([KMG]?)$/, "bytes, or with K, M, G"),
    qemuSocket: args.qemuSocket ?? null,
  };
}

const UNITS: Record<string, number> = { K: 1 << 10, M: 1 << 20, G: 1 << 30 };

function numberOf(
  option: string,
  value: string | undefined,
  pattern: RegExp,
  what: string,
): number | null {
  if (value === undefined) return null;
  const match = pattern.exec(value);
  const number = Number(match?.[1] ?? 0) * (UNITS[match?.[2] ?? ""] ?? 1);
  if (number > 0 && number <= Number.MAX_SAFE_INTEGER) return number;
  throw new UsageError(`${option}: ${what}, not ${printable(value)}`);
}
