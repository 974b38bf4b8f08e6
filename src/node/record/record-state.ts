/**
 * What a recording that was cut off has left behind, on a file system that does not outlive the
 * boot, as the probes do not. Written before each thing that must be undone.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  recorder: ProcessId;
  /** Of trace-cmd; leader of its process group. */
  child: ProcessId | null;
  /** The unfinished bundle. */
  partial: string;
  /** What of tracefs is ours: nothing else is ever removed. */
  own: { instance: boolean; probes: string[] };
  /** QEMU's trace events that were off. */
  qemu: { socket: string; events: string[] } | null;
}

/** Where the state stands. */
export function stateFile(host: Pick<Host, "root">): string {
  return `${host.root}/run/vhost-replay-record.json`;
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
export function readState(file: string): RecordState | null {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw new UsageError(`${file}: cannot be read (${errorCode(error)})`);
  }
  let state: RecordState;
  try {
    state = JSON.parse(text);
  } catch {
    // Cut off while it was written: nothing had been done yet that it would name.
    return null;
  }
  if (isState(state)) return state;
  throw new UsageError(`${file}: not the state of a recording; remove it`);
}

/** Signals are sent to what it names, and QEMU's events switched off: a number of 0 or -1 is everybody. */
function isState(state: RecordState | null): state is RecordState {
  try {
    for (const each of [state!.recorder, state!.child]) {
      if (each !== null) checked("number of a process", each.pid);
    }
    if (state!.qemu) checkedAll("event of QEMU", state!.qemu.events);
    checkedAll("event", state!.own.probes);
    return typeof state!.own.instance === "boolean" && typeof state!.partial === "string";
  } catch {
    return false;
  }
}

/** Replaces the state in one step. */
export function writeState(file: string, state: RecordState): void {
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeState(file: string): void {
  rmSync(file, { force: true });
  rmSync(`${file}.new`, { force: true });
}
