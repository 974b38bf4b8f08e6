/** Defines the probes on this host, in the best form that its kernel takes. */
import { UsageError } from "../../model/place.ts";
import { definition, type Form } from "../../probes/definition.ts";
import type { KernelProbes } from "./kernel-probes.ts";
import type { ProbeKind, TraceFs } from "./tracefs.ts";

/**
 * Defines all of them, and returns the form. `say` gets a line for a form that the kernel refused.
 * Throws UsageError when it takes none; then none is defined.
 */
export async function defineProbes(
  tracefs: TraceFs,
  probes: KernelProbes,
  say: (line: string) => void,
): Promise<Form> {
  let refused = "";
  for (const form of probes.forms) {
    const lines = probes.placement.placed.map((probe) => definition(probe, form, probes.abilities));
    const refusal = await tracefs.define(lines, "kprobe");
    if (refusal === null) return form;
    refused = refusal;
    if (form !== probes.forms.at(-1)) say(`the kernel refused form ${form}: ${refusal}`);
  }
  throw new UsageError(`the kernel refused a probe: ${refused}`);
}

/** Defines uprobes. Throws UsageError when the kernel refuses one; then none is defined. */
export async function defineLines(tracefs: TraceFs, lines: readonly string[]): Promise<void> {
  const refusal = await tracefs.define(lines, "uprobe");
  if (refusal !== null) throw new UsageError(`the kernel refused a probe: ${refusal}`);
}

/** What is placed for a recording. */
export interface ProbeSet {
  kind: ProbeKind;
  /** Names of its events. */
  events: string[];
  /** Defines all of it, or throws UsageError; returns its form, for the manifest. */
  define(tracefs: TraceFs, say: (line: string) => void): Promise<string>;
}

/** The kernel's probes. */
export function kernelSet(probes: KernelProbes): ProbeSet {
  return {
    kind: "kprobe",
    events: probes.placement.placed.map(({ probe }) => probe.event),
    define: (tracefs, say) => defineProbes(tracefs, probes, say),
  };
}

/** Uprobes in a program. */
export function programSet(lines: readonly string[]): ProbeSet {
  return {
    kind: "uprobe",
    events: lines.map((line) => /^\w+:\w+\/(\w+)/.exec(line)?.[1] ?? ""),
    async define(tracefs) {
      await defineLines(tracefs, lines);
      return "uprobes";
    },
  };
}
