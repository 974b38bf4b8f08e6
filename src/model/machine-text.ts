/** Machines as an error lists them. */
import type { MachineResult } from "./result.ts";

/** Machines that an error names. */
const NAMED = 8;

/** Which machines a recording holds, for an error. */
export function machinesText(machines: readonly MachineResult[]): string {
  const named = machines.slice(0, NAMED).map(({ number, pid, name }) => {
    const facts = [...(pid === null ? [] : [`PID ${pid}`]), ...(name === null ? [] : [name])];
    return facts.length === 0 ? `${number}` : `${number} (${facts.join(", ")})`;
  });
  const more = machines.length - named.length;
  return `the recording holds machine ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
