/**
 * The policies: which writes a given vhost logs. A kernel is a row of data; nothing in the code
 * asks which kernel it is. docs/model.md defines the causes.
 */
import { CAUSES, Cause } from "../../assembly/abi.ts";
import { UsageError } from "../place.ts";

export interface Policy {
  /** `linux-6.16`. */
  name: string;
  /** Other names of the same row. */
  aliases: string[];
  /** One line for people. */
  title: string;
  /** Causes whose pages this vhost logs, as a mask over `Cause`. */
  logs: number;
  /** What the row rests on: sources read, runs measured. */
  evidence: string[];
}

const mask = (...causes: Cause[]): number => causes.reduce((bits, cause) => bits | (1 << cause), 0);

/** log_used() and its callers: used element, used idx, flags, avail_event (vhost.c). */
const USED_RING = mask(Cause.RingLogged, Cause.NotifyLogged);
/** vhost_scsi_complete_cmd_work() … with the entries captured at pop (scsi.c, 6.16). */
const DESCRIPTORS = mask(Cause.IoLogged, Cause.CtlLogged, Cause.EvtLogged);

/** All policies, in the order in which the kernels came. */
export const POLICIES: readonly Policy[] = [
  {
    name: "linux-6.1",
    aliases: ["unpatched"],
    title: "vhost-scsi before 6.16: logs the used ring, never a write descriptor",
    logs: USED_RING,
    evidence: [
      "drivers/vhost/scsi.c of 6.1 calls vhost_get_vq_desc() with no log array",
      "equal to the log that 6.1.176 wrote, bit for bit, at every sync (docs/evidence.md)",
    ],
  },
  {
    name: "linux-6.16",
    aliases: ["patched"],
    title: "vhost-scsi 6.16 to 7.1: also every write descriptor, captured at pop",
    logs: USED_RING | DESCRIPTORS,
    evidence: [
      "41cff026cff5, e5e6b15b0dad, c2c5c259aad6, a94c96a352b5, ac9dcca23615 (v6.16)",
      "equal to the log that 6.16.12 wrote, bit for bit, at every sync (docs/evidence.md)",
    ],
  },
  {
    name: "linux-7.2",
    aliases: [],
    title: "vhost-scsi 7.2: as 6.16, and SET_LOG_BASE waits for requests in flight",
    logs: USED_RING | DESCRIPTORS,
    evidence: [
      "22598f55a4c2 flushes after device ioctls: completions move, what is logged does not",
      "equal to the log that 7.2.13 wrote, bit for bit, at every sync (docs/evidence.md)",
    ],
  },
];

/** The policy of this name or alias. Throws UsageError that names the known ones. */
export function findPolicy(name: string): Policy {
  const policy = POLICIES.find((row) => row.name === name || row.aliases.includes(name));
  if (policy) return policy;
  const known = POLICIES.flatMap((row) => [row.name, ...row.aliases]).join(", ");
  throw new UsageError(`unknown policy "${name}"; known are ${known}`);
}

const STATES = ["Logged", "Late", "Freed", "NoBase", "Off"] as const;

/** All causes as a mask. */
const ALL = (1 << CAUSES) - 1;

function withState(state: (typeof STATES)[number]): number {
  let bits = 0;
  for (let cause = 0; cause < CAUSES; cause++)
    if (Cause[cause]?.endsWith(state)) bits |= 1 << cause;
  return bits;
}

/** Causes inside the logging window: a write outside it is sent by the migration's first pass. */
export const WINDOW = ALL & ~withState("Off");
/** As if logging had been on throughout: every write counts. */
export const ASSUMED_WINDOW = ALL;

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
