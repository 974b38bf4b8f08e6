/** Removes what a recording that was cut off has left behind. */
import process from "node:process";
import { UsageError } from "../../model/place.ts";
import { GROUP } from "../../probes/definition.ts";
import type { Host } from "./host.ts";
import { switchEvents } from "./qemu-events.ts";
import { withQemu } from "./record-session.ts";
import {
  type ProcessId,
  readState,
  removeState,
  runs,
  scriptRecords,
  stateFolder,
} from "./record-state.ts";
import { TraceFs } from "./tracefs.ts";

/**
 * Ends a left-over trace-cmd, removes the instance and the probes that the state says are ours, and
 * switches QEMU's events off again. `say` gets a line for each thing found. Returns false when something
 * is in use and had to stay, or is there and not known to be ours. Throws UsageError while the recorder runs.
 */
export async function cleanUp(host: Host, say: (line: string) => void): Promise<boolean> {
  const tracefs = TraceFs.open(host, null);
  const state = readState(stateFolder(host));
  if (state?.recorder && runs(state.recorder)) {
    const { pid } = state.recorder;
    throw new UsageError(`process ${pid} is recording; end it first: kill -INT ${pid}`);
  }
  if (state && scriptRecords(state, tracefs.instance)) {
    throw new UsageError("a script of probes --script is recording; end it first: record.sh stop");
  }
  const own = state?.own ?? { instance: false, probes: [] };
  let clean = true;
  if (state?.child && runs(state.child)) {
    say(`ending trace-cmd, process ${state.child.pid}`);
    await end(host, state.child);
  }
  if (tracefs.hasInstance && !own.instance) {
    say(`${tracefs.instance} is not of a recording of this tool, as far as is known, and stays`);
    clean = false;
  } else if (tracefs.hasInstance) {
    const gone = await tracefs.removeInstance();
    say(gone ? "removed the trace instance" : `${tracefs.instance} is in use and stays`);
    clean &&= gone;
  }
  const ours = tracefs.events.filter((name) => own.probes.includes(name));
  const others = tracefs.events.filter((name) => !own.probes.includes(name));
  if (ours.length > 0) {
    const gone = await tracefs.removeProbes(ours);
    say(gone ? `removed ${ours.length} probes` : "some probes are in use and stay");
    clean &&= gone;
  }
  if (others.length > 0) {
    say(
      `probes of group ${GROUP} are not of a recording of this tool, as far as is known, and stay: ` +
        others.join(", "),
    );
    clean = false;
  }
  if (state?.qemu) {
    const { socket, events } = state.qemu;
    try {
      await withQemu(socket, (qmp) => switchEvents(qmp, events, false));
      say(`switched ${events.length} trace events of QEMU off`);
    } catch (error) {
      // A virtual machine that has ended needs nothing.
      say(`QEMU's trace events may still be on: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (state && state.partial !== "" && host.exists(state.partial)) {
    say(`an unfinished recording stays in ${state.partial}`);
  }
  if (clean) removeState(stateFolder(host));
  return clean;
}

/** trace-cmd and its readers are one process group. */
async function end(host: Host, child: ProcessId): Promise<void> {
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    try {
      process.kill(-child.pid, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < 50 && runs(child); waited++) await host.pause(100);
  }
}
