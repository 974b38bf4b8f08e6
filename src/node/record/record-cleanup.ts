/** Removes what a recording that was cut off has left behind. */
import process from "node:process";
import { UsageError } from "../../model/place.ts";
import type { Host } from "./host.ts";
import { switchEvents } from "./qemu-events.ts";
import { withQemu } from "./record-session.ts";
import { type ProcessId, readState, removeState, runs, stateFile } from "./record-state.ts";
import { TraceFs } from "./tracefs.ts";

/**
 * Ends a left-over trace-cmd, removes our instance and our group of probes, and switches QEMU's
 * events off again. `say` gets a line for each thing found. Returns false when something is in use
 * and had to stay. Throws UsageError while the recorder runs.
 */
export async function cleanUp(host: Host, say: (line: string) => void): Promise<boolean> {
  const tracefs = TraceFs.open(host, null);
  const state = readState(stateFile(host));
  if (state && runs(state.recorder)) {
    const { pid } = state.recorder;
    throw new UsageError(`process ${pid} is recording; end it first: kill -INT ${pid}`);
  }
  let clean = true;
  if (state?.child && runs(state.child)) {
    say(`ending trace-cmd, process ${state.child.pid}`);
    await end(host, state.child);
  }
  if (tracefs.hasInstance) {
    const gone = await tracefs.removeInstance();
    say(gone ? "removed the trace instance" : `${tracefs.instance} is in use and stays`);
    clean &&= gone;
  }
  if (tracefs.hasProbes) {
    const count = tracefs.probes().length;
    const gone = await tracefs.removeProbes();
    say(gone ? `removed ${count} probes` : "some probes are in use and stay");
    clean &&= gone;
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
  if (state && host.exists(state.partial)) {
    say(`an unfinished recording stays in ${state.partial}`);
  }
  if (clean) removeState(stateFile(host));
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
