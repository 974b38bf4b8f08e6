/**
 * What of this host is ours, and what a recording that was cut off has left behind: one folder for `record`
 * and for the script of `probes --script`, on a file system that does not outlive the boot, as the probes
 * do not. Written before each thing that must be undone.
 *
 *   own.probes     the probes that are ours, a name a line
 *   own.instance   it is there: the trace instance is ours
 *   recorder.json  of `record` alone: who records, and what else is to be undone
 *   reader.pid     of the script: the process that reads the trace; out: its recording's name
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { UsageError } from "../../model/place.ts";
import { checked, checkedAll } from "../../probes/outside-value.ts";
import { errorCode, type Host } from "./host.ts";

/** A process, told apart from a later one with the same number. */
export interface ProcessId {
  pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  started: string;
}

export interface RecordState {
  /** Who records; null: the script, whose reader is `reader`. */
  recorder: ProcessId | null;
  /** Of trace-cmd; leader of its process group. */
  child: ProcessId | null;
  /** The unfinished bundle; "" when there is none. */
  partial: string;
  /** What of tracefs is ours: nothing else is ever removed. */
  own: { instance: boolean; probes: string[] };
  /** QEMU's trace events that were off. */
  qemu: { socket: string; events: string[] } | null;
  /** Of the script: the number of the process that reads the trace. */
  reader?: number;
}

const RECORDER = "recorder.json";
const OWN_INSTANCE = "own.instance";
const OWN_PROBES = "own.probes";

/** Where the state stands: the first of these folders that there is, as the script looks for it. */
export function stateFolder(host: Pick<Host, "root">): string {
  const places = ["/run", "/var/run", "/dev"].map((place) => host.root + place);
  return join(places.find((place) => existsSync(place)) ?? places[0]!, "vhost-replay-record");
}

/** Identifies a running process; null when there is none. */
export function identify(pid: number): ProcessId | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name stands in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : { pid, started: fields[19] ?? "" };
  } catch {
    return null;
  }
}

/** Is it still the same process? */
export function runs(process: ProcessId | null): boolean {
  if (!process) return false;
  const now = identify(process.pid);
  return now !== null && now.started === process.started;
}

/** This process. */
export function ownId(): ProcessId {
  return identify(process.pid) ?? { pid: process.pid, started: "" };
}

/** Null when there is none. Throws UsageError for one that cannot be read. */
export function readState(folder: string): RecordState | null {
  const own = {
    instance: existsSync(join(folder, OWN_INSTANCE)),
    probes: (textOf(join(folder, OWN_PROBES)) ?? "").split("\n").filter((name) => name !== ""),
  };
  const recorder = textOf(join(folder, RECORDER));
  const state = recorder === null ? scriptState(folder, own) : recorderState(recorder, own);
  if (state === null || isState(state)) return state;
  throw new UsageError(`${folder}: not the state of a recording; remove it`);
}

function recorderState(text: string, own: RecordState["own"]): RecordState {
  try {
    return { ...JSON.parse(text), own };
  } catch {
    // No state: isState says so.
    return { own } as RecordState;
  }
}

/** What the script has left; null: nothing. */
function scriptState(folder: string, own: RecordState["own"]): RecordState | null {
  const reader = Number(/^\d{1,9}/.exec(textOf(join(folder, "reader.pid")) ?? "")?.[0] ?? 0);
  const out = textOf(join(folder, "out"))?.trimEnd() ?? "";
  if (!own.instance && own.probes.length === 0 && reader === 0) return null;
  const partial = out === "" ? "" : `${out}.partial`;
  return { recorder: null, child: null, partial, own, qemu: null, ...(reader ? { reader } : {}) };
}

/** Null: there is no such file. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return null;
    throw new UsageError(`${file}: cannot be read (${errorCode(error)})`);
  }
}

/** Whether the script's reader still reads: its number may be somebody else's by now. */
export function scriptRecords({ reader }: RecordState, instance: string): boolean {
  if (reader === undefined) return false;
  const command = textOf(`/proc/${reader}/cmdline`) ?? "";
  return command.split("\0").includes(`${instance}/trace_pipe`);
}

/** Signals are sent to what it names, and QEMU's events switched off: a number of 0 or -1 is everybody. */
function isState(state: RecordState): boolean {
  try {
    for (const each of [state.recorder, state.child]) {
      if (each !== null) checked("number of a process", each.pid);
    }
    if (typeof state.recorder !== "object" || typeof state.child !== "object") return false;
    if (state.qemu) checkedAll("event of QEMU", state.qemu.events);
    checkedAll("event", state.own.probes);
    return typeof state.partial === "string";
  } catch {
    return false;
  }
}

/** Replaces the state, each file of it in one step; what is ours last. */
export function writeState(folder: string, { own, ...recorder }: RecordState): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  replace(join(folder, RECORDER), JSON.stringify(recorder));
  replace(join(folder, OWN_PROBES), own.probes.map((name) => `${name}\n`).join(""));
  if (own.instance) replace(join(folder, OWN_INSTANCE), "");
  else rmSync(join(folder, OWN_INSTANCE), { force: true });
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeState(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
