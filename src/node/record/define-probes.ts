/** Defines the probes on this host, in the best form that its kernel takes. */
import { UsageError } from "../../model/place.ts";
import { definition, type Form } from "../../probes/definition.ts";
import type { KernelProbes } from "./kernel-probes.ts";
import type { TraceFs } from "./tracefs.ts";

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
    const refusal = await tracefs.define(lines);
    if (refusal === null) return form;
    refused = refusal;
    if (form !== probes.forms.at(-1)) say(`the kernel refused form ${form}: ${refusal}`);
  }
  throw new UsageError(`the kernel refused a probe: ${refused}`);
}
