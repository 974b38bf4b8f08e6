/** One recording on this host, from the definition of the probes to the finished bundle. */
import process from "node:process";
import { UsageError } from "../../model/place.ts";
import { checked } from "../../probes/outside-value.ts";
import { type BundleFile, findProgram, PartialBundle } from "./bundle.ts";
import type { ProbeSet } from "./define-probes.ts";
import { errorCode, type Host } from "./host.ts";
import {
  type ClockPair,
  clockPair,
  configLines,
  loadedModules,
  moduleNumbers,
  reloaded,
} from "./kernel-facts.ts";
import { describeQemu, eventsToSwitch, switchEvents } from "./qemu-events.ts";
import { Qmp } from "./qmp.ts";
import {
  ownId,
  type RecordState,
  readState,
  removeState,
  runs,
  stateFolder,
  writeState,
} from "./record-state.ts";
import { type Recorder, traceCmdRecorder, tracefsRecorder } from "./recorder.ts";
import { type Loss, TraceFs } from "./tracefs.ts";
import { threadsOf } from "./vm-threads.ts";

export interface RecordOptions {
  output: string;
  bufferKib: number;
  /** Null: trace-cmd when it is there. */
  recorder: "trace-cmd" | "tracefs" | null;
  /** Of QEMU; null for all virtual machines. */
  pid: number | null;
  writesOnly: boolean;
  seconds: number | null;
  bytes: number | null;
  qemuSocket: string | null;
}

/** Why a recording ended. */
export type EndedBy = "signal" | "time" | "size" | "disk nearly full";

export interface Recorded {
  /** Not finished yet. */
  bundle: PartialBundle;
  /** What could not be removed, one line each. */
  leftovers: string[];
  /** To be called once the bundle is finished, or given up: another recording may start then. */
  release(): void;
  facts: RecordFacts;
}

/** What the manifest says beside the tool and the files. */
export interface RecordFacts {
  recorder: Recorder["how"];
  recording: string;
  form: string;
  endedBy: EndedBy;
  clocks: { begin: ClockPair; end: ClockPair };
  loss: Loss;
  /** Events of ours in the ring buffer. */
  recorded: number;
  /** When somebody else was found to have switched it off, and what; null: nobody did. */
  switchedOff: SwitchedOff | null;
  config: string[];
  modules: { name: string; srcversion: string | null }[];
  traceCmd: string | null;
  qemuEvents: string[] | null;
  files: BundleFile[];
}

/** That a recording was switched off from outside. */
export interface SwitchedOff {
  what: string;
  /** Seconds of CLOCK_MONOTONIC at which it was noticed, at most one after it happened. */
  monotonicNs: string;
}

/** Below so much free room a recording ends, so that the bundle can still be written. */
const MIN_FREE = 64 << 20;

/**
 * Records until `signal`, a limit, or nearly no room is left. Whatever happens, probes and instance
 * are removed before it returns or throws, or a line for `say` tells what could not be. Throws
 * UsageError and errors of system calls; then no bundle is left either.
 */
export async function recordBundle(
  host: Host,
  probes: ProbeSet,
  options: RecordOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Recorded> {
  const tracefs = TraceFs.open(host, probes.kind);
  refuseSecond(host);
  if (options.pid !== null) threadsOf(options.pid);
  const bundle = new PartialBundle(options.output);
  const undo: (() => Promise<void>)[] = [];
  try {
    refuseFull(host, bundle.folder);
    const state: RecordState = {
      recorder: ownId(),
      child: null,
      partial: bundle.partial,
      own: { instance: false, probes: [] },
      qemu: null,
    };
    writeState(stateFolder(host), state);
    undo.push(async () => removeState(stateFolder(host)));
    tracefs.refuseOthers();
    state.own.instance = true;
    state.own.probes = probes.events;
    writeState(stateFolder(host), state);
    await tracefs.makeInstance(options.bufferKib);
    undo.push(() => mustGo(tracefs.removeInstance(), "the trace instance", tracefs));
    const form = await probes.define(tracefs, say);
    const events = tracefs.events;
    undo.push(() => mustGo(tracefs.removeProbes(events), "a probe", tracefs));
    if (options.qemuSocket !== null) {
      state.qemu = await openQemu(options.qemuSocket, bundle);
      writeState(stateFolder(host), state);
      const { socket, events } = state.qemu;
      undo.push(() => withQemu(socket, (qmp) => switchEvents(qmp, events, false)));
      await withQemu(socket, (qmp) => switchEvents(qmp, events, true));
    }
    const recorder = await startRecorder(host, tracefs, bundle.folder, options);
    let stopped = false;
    undo.push(async () => {
      if (!stopped) await recorder.abandon();
    });
    state.child = recorder.child;
    writeState(stateFolder(host), state);
    applyFilters(tracefs, options);
    tracefs.enable(true);
    const begin = clockPair();
    say(`recording to ${bundle.partial}; Ctrl-C ends it`);
    const guard = guardOf(tracefs, events, say);
    const endedBy = await untilEnd(host, recorder, bundle.folder, options, signal, guard);
    const switchedOff = guard();
    const end = clockPair();
    await recorder.stop();
    stopped = true;
    bundle.add("probes.txt", `${tracefs.probes().join("\n")}\n`);
    bundle.add("ringbuf-stats.txt", tracefs.stats());
    bundle.add("kprobe-profile.txt", tracefs.profile());
    const loss = tracefs.loss();
    const recorded = tracefs.recorded();
    // The state stays until the bundle has its name: it tells where the unfinished one is.
    const leftovers = await unwind(undo.splice(1));
    return {
      bundle,
      leftovers,
      release: () => removeState(stateFolder(host)),
      facts: {
        recorder: recorder.how,
        recording: recorder.file,
        form,
        endedBy,
        clocks: { begin, end },
        loss,
        recorded,
        switchedOff,
        config: configLines(host.release),
        modules: loadedModules(),
        traceCmd: recorder.version,
        qemuEvents: state.qemu?.events ?? null,
        files: await bundle.files(),
      },
    };
  } catch (error) {
    for (const line of await unwind(undo)) say(line);
    bundle.discard();
    throw plainly(error, options.output);
  }
}

/** In the reverse order, all of them; returns a line for each that failed. */
async function unwind(undo: (() => Promise<void>)[]): Promise<string[]> {
  const failures: string[] = [];
  for (let act = undo.pop(); act; act = undo.pop()) {
    try {
      await act();
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return failures;
}

async function mustGo(gone: Promise<boolean>, what: string, tracefs: TraceFs): Promise<void> {
  if (await gone) return;
  throw new UsageError(
    `${what} in ${tracefs.root} is in use and could not be removed; later: vhost-replay record --cleanup`,
  );
}

/** The one line for a full disk; other errors as they are. */
export function plainly(error: unknown, output: string): unknown {
  const full = ["ENOSPC", "EDQUOT"].includes(errorCode(error));
  if (!full) return error;
  return new UsageError(`the disk is full; no recording was kept (${output})`);
}

function refuseSecond(host: Host): void {
  const state = readState(stateFolder(host));
  if (!state) return;
  if (state.recorder === null) {
    throw new UsageError(
      "a script of probes --script has probes or a recording here; end it first: record.sh stop, record.sh remove",
    );
  }
  if (runs(state.recorder)) {
    throw new UsageError(`process ${state.recorder.pid} is recording already`);
  }
  throw new UsageError(
    "an earlier recording was cut off; remove its rest first: vhost-replay record --cleanup",
  );
}

function refuseFull(host: Host, folder: string): void {
  const free = host.freeBytes(folder);
  if (free < 2 * MIN_FREE) {
    throw new UsageError(`${folder}: only ${free >> 20} MiB free; a recording needs more`);
  }
}

async function openQemu(
  socket: string,
  bundle: PartialBundle,
): Promise<{ socket: string; events: string[] }> {
  return withQemu(socket, async (qmp) => {
    for (const [name, text] of await describeQemu(qmp)) bundle.add(name, text);
    return { socket, events: await eventsToSwitch(qmp) };
  });
}

/** One short connection: the socket serves one client at a time, and it is the user's. */
export async function withQemu<T>(socket: string, use: (qmp: Qmp) => Promise<T>): Promise<T> {
  const qmp = await Qmp.connect(socket);
  try {
    return await use(qmp);
  } finally {
    qmp.close();
  }
}

async function startRecorder(
  host: Host,
  tracefs: TraceFs,
  folder: string,
  { recorder, bufferKib }: RecordOptions,
): Promise<Recorder> {
  const traceCmd = findProgram("trace-cmd");
  if (recorder === "trace-cmd" && traceCmd === null) {
    throw new UsageError("--recorder trace-cmd: no such program here");
  }
  if (traceCmd === null || recorder === "tracefs") return tracefsRecorder(host, tracefs, folder);
  return traceCmdRecorder(host, tracefs, folder, { bufferKib, traceCmd });
}

function applyFilters(tracefs: TraceFs, { pid, writesOnly }: RecordOptions): void {
  if (writesOnly) tracefs.set("events/vl/desc/filter", "acc==2");
  if (pid === null) return;
  const threads = threadsOf(pid);
  tracefs.set("options/event-fork", "1");
  for (const thread of threads)
    tracefs.add("set_event_pid", `${checked("number of a process", thread)} `);
}

/** Looks whether all is still on; the first time it is not, it says so. Returns what was found, ever. */
function guardOf(
  tracefs: TraceFs,
  events: readonly string[],
  say: (line: string) => void,
): () => SwitchedOff | null {
  const modules = moduleNumbers();
  let found: SwitchedOff | null = null;
  return () => {
    const what = found ? null : (tracefs.switchedOff(events) ?? reloaded(modules));
    if (what !== null) {
      const { monotonicNs } = clockPair();
      found = { what, monotonicNs };
      say(
        `the recording is not whole: ${what}, noticed at ${seconds(monotonicNs)} s (CLOCK_MONOTONIC)`,
      );
    }
    return found;
  };
}

/** Nanoseconds as seconds with three digits. */
function seconds(ns: string): string {
  return (Number(BigInt(ns) / 1_000_000n) / 1000).toFixed(3);
}

async function untilEnd(
  host: Host,
  recorder: Recorder,
  folder: string,
  { seconds, bytes }: RecordOptions,
  signal: AbortSignal,
  guard: () => SwitchedOff | null,
): Promise<EndedBy> {
  const start = process.hrtime.bigint();
  for (let turn = 0; ; turn++) {
    if (recorder.failure) throw recorder.failure;
    if (signal.aborted) return "signal";
    const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
    if (seconds !== null && elapsed >= seconds) return "time";
    if (bytes !== null && recorder.bytes() >= bytes) return "size";
    if (turn % 10 === 0) guard();
    if (turn % 10 === 0 && host.freeBytes(folder) < MIN_FREE) return "disk nearly full";
    await host.pause(100);
  }
}
