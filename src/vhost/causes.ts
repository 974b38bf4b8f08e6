/**
 * Masks over causes: who wrote, in which state the log was. Everything that a policy says is one
 * of these. docs/model.md defines the causes, `assembly/abi.ts` numbers them.
 */
import { CAUSES, Cause, NOT_WRITTEN } from "../../assembly/abi.ts";

const STATES = ["Logged", "Late", "Freed", "NoBase", "Off"] as const;

/** All causes as a mask: there are as many as bits in it. */
const ALL = -1;

/** The mask of some causes. */
export function mask(...causes: readonly Cause[]): number {
  return causes.reduce((bits, cause) => bits | (1 << cause), 0);
}

function withState(state: (typeof STATES)[number]): number {
  let bits = 0;
  for (let cause = 0; cause < CAUSES; cause++)
    if (Cause[cause]?.endsWith(state)) bits |= 1 << cause;
  return bits;
}

/** Causes inside the logging window: a write outside it is sent by the migration's first pass. */
export const WINDOW = ALL & ~withState("Off") & ~NOT_WRITTEN;
/** As if logging had been on throughout: every write counts. */
export const ASSUMED_WINDOW = ALL & ~NOT_WRITTEN;

/**
 * The mask of a policy as if logging had been on throughout: what it logs of a kind of write when
 * the log is on, it logs of every such write.
 */
export function assumeLogging(logs: number): number {
  let bits = 0;
  for (let cause = 0; cause < CAUSES; cause++) {
    const who = Cause[cause]!.replace(/(Logged|Late|Freed|NoBase|Off)$/, "");
    if (logs & (1 << Cause[`${who}Logged` as keyof typeof Cause])) bits |= 1 << cause;
  }
  return bits;
}

/** `IoLate` as `io-late`: a cause in JSON and in the reports. */
export function causeName(cause: number): string {
  return (Cause[cause] ?? "?").replace(/(?<=.)[A-Z]/g, (c) => `-${c}`).toLowerCase();
}

/** Names of the causes in a mask, in the order of `Cause`. */
export function causesOf(bits: number): string[] {
  const names: string[] = [];
  for (let cause = 0; cause < CAUSES; cause++)
    if (bits & (1 << cause)) names.push(causeName(cause));
  return names;
}

/** The cause of this name (`io-late`) as a mask of one bit; 0 for a name that none has. */
export function causeMask(name: string): number {
  for (let cause = 0; cause < CAUSES; cause++) if (causeName(cause) === name) return 1 << cause;
  return 0;
}
