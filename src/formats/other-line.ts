/**
 * Lines of ftrace text that are no event: headers, what the recorder says that it lost, and events of ours
 * that have lost what stands in front of them.
 */
import { LOST_UNKNOWN } from "../../assembly/decode-abi.ts";
import { qemuEvent } from "../qemu/events.ts";

/** Characters of a line that are looked at for what such lines begin with. */
const LOOKED_AT = 4096;

/** CPU of a loss that names none. */
export const NO_CPU = 0xffff;

// Behind any prefix: `trace-cmd report` of several files puts the file's name in front.
const LOST = /\bCPU:(\d{1,5}) \[(?:LOST )?(?:(\d{1,20}) )?EVENTS(?: DROPPED)?\]/;
const BUFFER_STARTED = /##### CPU (\d{1,5}) buffer started ####/;
const PERF_LOST = "PERF_RECORD_LOST";
const ENTRIES = /# entries-in-buffer\/entries-written: (\d{1,20})\/(\d{1,20})/;
const LATENCY_ENTRIES = /# latency: .*#(\d{1,20})\/(\d{1,20}),/;
const HEADER = /^(#|cpus=\d+$|version = |CPU \d+ is empty$|\s*$)/;
const RAW_OPTION = /^\d+ \d+ \d+ type: \d+$/;
const NO_CONTEXT = /^(drain|used|rearm|uflags|desc|pop|ioctl|mem): \(/;
const MARKER = /\b(?:tracing_mark_write|print): (?:tracing_mark_write: )?([a-z]\w{1,100})(?= |$)/;

/** A loss of `lost` events (LOST_UNKNOWN: it is not said how many) on a CPU; 0: the line tells of none. */
export interface Loss {
  cpu: number;
  lost: number;
}

/** What a line says of losses; null: it is about something else. */
export function lossOf(whole: string): Loss | null {
  const line = whole.slice(0, LOOKED_AT);
  const lost = LOST.exec(line);
  if (lost) return { cpu: Number(lost[1]), lost: lost[2] ? Number(lost[2]) : LOST_UNKNOWN };
  const started = BUFFER_STARTED.exec(line);
  if (started) return { cpu: Number(started[1]), lost: LOST_UNKNOWN };
  const perf = perfLost(line);
  if (perf !== null) return { cpu: NO_CPU, lost: perf };
  // The kernel's `trace` file says in its header, and nowhere else, what was overwritten.
  const entries = ENTRIES.exec(line) ?? LATENCY_ENTRIES.exec(line);
  if (!entries) return null;
  return { cpu: NO_CPU, lost: Math.max(0, Number(entries[2]) - Number(entries[1])) };
}

export function isHeader(line: string): boolean {
  return HEADER.test(line.slice(0, LOOKED_AT));
}

/**
 * What was expected of a line that holds an event of ours and is no event line; null: it holds none.
 * `ours` finds their names.
 */
export function unreadableAs(whole: string, ours: RegExp): string | null {
  const line = whole.slice(0, LOOKED_AT);
  if (RAW_OPTION.test(line)) {
    return "events with their fields (record again with `echo noraw nohex nobin > trace_options`)";
  }
  if (NO_CONTEXT.test(line)) {
    return "task, CPU and time before the event (record again with `echo context-info > trace_options`)";
  }
  const name = ours.exec(whole)?.[1];
  if (name !== undefined) return `task, CPU and time before ${name}`;
  const marker = MARKER.exec(line)?.[1];
  return marker !== undefined && qemuEvent(marker) ? `task, CPU and time before ${marker}` : null;
}

/** How many events a line of `perf script --show-lost-events` says are lost; null for another line. */
function perfLost(line: string): number | null {
  const at = line.indexOf(PERF_LOST);
  const lost = at < 0 ? null : /\blost (\d{1,15})/.exec(line.slice(at + PERF_LOST.length));
  return lost === null ? null : Number(lost[1]);
}
