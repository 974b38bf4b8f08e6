/** The manifest of a bundle. Schema: schema/bundle. */
import { type Tool, toolJson } from "./result-json.ts";

/** What a manifest is made of. */
export interface BundleFacts {
  tool: Tool;
  kernel: { release: string; version: string; machine: string };
  node: string;
  drivers: readonly string[];
  requests: boolean;
  form: string;
  bufferKib: number;
  onePid: boolean;
  writesOnly: boolean;
  missing: readonly { event: string; function: string; why: string; without: string }[];
  recorder: string;
  traceCmd: string | null;
  recording: string;
  endedBy: string;
  clocks: Record<"begin" | "end", { realtimeNs: string; monotonicNs: string }>;
  loss: { events: number; returns: number };
  recorded: number;
  switchedOff: { what: string; monotonicNs: string } | null;
  config: readonly string[];
  modules: readonly { name: string; srcversion: string | null }[];
  qemuEvents: readonly string[] | null;
  files: readonly { name: string; bytes: number; sha256: string }[];
}

/** As an object whose keys stand in the order written here. */
export function bundleJson(facts: BundleFacts) {
  return {
    schema: "vhost-replay/bundle/1",
    tool: toolJson(facts.tool),
    node: facts.node,
    traceCmd: facts.traceCmd,
    kernel: facts.kernel,
    modules: facts.modules,
    config: facts.config,
    probes: {
      drivers: facts.drivers,
      requests: facts.requests,
      form: facts.form,
      missing: facts.missing,
    },
    recorder: facts.recorder,
    recording: facts.recording,
    clock: "mono",
    bufferKib: facts.bufferKib,
    filters: { onePid: facts.onePid, writesOnly: facts.writesOnly },
    endedBy: facts.endedBy,
    clocks: facts.clocks,
    loss: facts.loss,
    recorded: facts.recorded,
    switchedOff: facts.switchedOff,
    qemuEvents: facts.qemuEvents,
    files: facts.files,
  };
}
