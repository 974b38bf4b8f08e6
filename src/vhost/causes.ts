/**
 * Masks over causes: who wrote, in which state the log was. Everything that a policy says is one
 * of these. docs/model.md defines the causes, `assembly/page-abi.ts` numbers them.
 */
import { CAUSES, Cause } from "../../assembly/page-abi.ts";

/** Flag and All: of the two switches of the log, only the ring's flag, or only LOG_ALL, was on. */
const STATES = ["Logged", "Late", "Freed", "NoBase", "Off", "Flag", "All"] as const;

/**
 * A set of causes: bit n is cause n. There may be 64 of them, so it is a bigint; masks are made when a
 * replay is set up, and no event is looked at through one.
 */
export type CauseMask = bigint;

/** All causes. */
export const CAUSE_LIST: readonly Cause[] = Array.from({ length: CAUSES }, (_, cause) => cause);

/** The mask of some causes. */
export function mask(...causes: readonly Cause[]): CauseMask {
  return causes.reduce((bits, cause) => bits | (1n << BigInt(cause)), 0n);
}

/** Whether a cause is in a mask. */
export function hasCause(bits: CauseMask, cause: Cause): boolean {
  return ((bits >> BigInt(cause)) & 1n) !== 0n;
}

/** Causes that are no write, only what some vhost logs. */
export const NOT_WRITTEN = mask(
  ...[Cause.RangeLogged, Cause.PartLogged, Cause.PartOff, Cause.PackedAstray, Cause.HeaderAstray],
);

const WRITES = mask(...CAUSE_LIST) & ~NOT_WRITTEN;

function withState(state: (typeof STATES)[number]): CauseMask {
  return mask(...CAUSE_LIST.filter((cause) => Cause[cause]!.endsWith(state)));
}

/** Causes inside the logging window: a write outside it is sent by the migration's first pass. */
export const WINDOW = WRITES & ~withState("Off");

/**
 * The logging window of a policy. drivers/vhost opens it for a ring with the ring's flag, a user-space
 * back end with LOG_ALL.
 */
export function windowOf(logs: CauseMask): CauseMask {
  const other = hasCause(logs, Cause.RingFlag) ? Cause.RingAll : Cause.RingFlag;
  return WINDOW & ~mask(other);
}

/** As if logging had been on throughout: every write counts. */
export const ASSUMED_WINDOW = WRITES;

/**
 * The mask of a policy as if logging had been on throughout: what it logs of a kind of write when
 * the log is on, it logs of every such write.
 */
export function assumeLogging(logs: CauseMask): CauseMask {
  const loggedBy = (cause: Cause): Cause => {
    const who = Cause[cause]!.replace(new RegExp(`(?:${STATES.join("|")})$`), "");
    return Cause[`${who}Logged` as keyof typeof Cause] ?? cause;
  };
  return mask(...CAUSE_LIST.filter((cause) => hasCause(logs, loggedBy(cause))));
}

const NAMES = CAUSE_LIST.map((cause) =>
  Cause[cause]!.replace(/(?<=.)[A-Z]/g, (c) => `-${c}`).toLowerCase(),
);

/** `IoLate` as `io-late`: a cause in JSON and in the reports. */
export function causeName(cause: number): string {
  return NAMES[cause] ?? "?";
}

/** Names of the causes in a mask, in the order of `Cause`. */
export function causesOf(bits: CauseMask): string[] {
  return CAUSE_LIST.filter((cause) => hasCause(bits, cause)).map(causeName);
}

/** The cause of this name (`io-late`) as a mask of one bit; 0 for a name that none has. */
export function causeMask(name: string): CauseMask {
  return mask(...CAUSE_LIST.filter((cause) => causeName(cause) === name));
}
