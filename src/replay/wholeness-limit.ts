/**
 * Whether a recording is all that was recorded: what its own numbers say, how it ends, and what its
 * events show of others that are not there.
 */
import { Driver } from "../../assembly/queue-abi.ts";
import type { Queue } from "../core/queue-record.ts";
import { counted } from "../model/counted.ts";
import type { InputSummary, Limit, LogWindow } from "../model/result.ts";
import { holdsRequests } from "./end-note.ts";
import type { MachineReplay } from "./machine-replay.ts";

type Add = (code: string, effect: Limit["effect"], text: string, places?: Limit["places"]) => void;

/** Adds the limits that apply. */
export function wholenessLimits(
  run: MachineReplay,
  inputs: readonly InputSummary[],
  queues: readonly Queue[],
  window: LogWindow,
  add: Add,
): void {
  missingLimit(inputs, add);
  cutLimit(run, add);
  endLimit(run, inputs, queues, window, add);
  syncLimits(run, queues, window, add);
  drainLimit(queues, add);
  popLimit(queues, add);
  memoryLimit(run, queues, add);
}

/** Fewer events than an input says that it holds. */
function missingLimit(inputs: readonly InputSummary[], add: Add): void {
  const missing = inputs.flatMap(({ gaps }) => gaps.filter((gap) => gap.missing));
  if (missing.length === 0) return;
  const known = missing.reduce((sum, { lost }) => sum + (lost ?? 0), 0);
  add(
    "events-missing",
    "both",
    `The recording itself says that it holds ${known > 0 ? counted(known, "more event") : "more events"}: it was ` +
      "cut off, or lines of it were left out. Nothing tells what they were: writes, syncs, ioctls.",
    missing.slice(0, 8).map(({ place }) => place),
  );
}

function cutLimit(run: MachineReplay, add: Add): void {
  const cut = run.inputs.filter(({ feed }) => feed.summary().cut).map(({ source }) => source.name);
  if (cut.length === 0) return;
  add(
    "cut-short",
    "more",
    `${cut.join(", ")} ends in the middle of a line or record, which is not replayed: what came then is ` +
      "missing.",
  );
}

/** How the recording ends, where nothing says that this is its end. */
function endLimit(
  run: MachineReplay,
  inputs: readonly InputSummary[],
  queues: readonly Queue[],
  window: LogWindow,
  add: Add,
): void {
  const open = inputs.filter((input) => !input.whole && holdsRequests(input));
  const ofVhost = queues.some(({ driver }) => driver < Driver.Qemu);
  // What was lost before says already that there is more; a device is stopped before QEMU says that
  // its migration is completed.
  const last = run.follower.migrations.at(-1);
  const stopped = last?.from === "qemu" && last.outcome === "completed";
  const lossy = run.gapCount > 0 || inputs.some(({ gaps }) => gaps.length > 0);
  if (open.length === 0 || !ofVhost || stopped || lossy) return;
  const inTheMiddle = [
    // What was popped before the last sync may be a chain that the driver refused and never returns.
    ...(run.core.exports.inFlightWriteBytes(lastSync(run, window)) > 0
      ? ["requests in flight"]
      : []),
    ...(unfetched(run, window) ? ["a log that was written to since its last sync"] : []),
  ];
  if (inTheMiddle.length === 0) return;
  add(
    "end-open",
    "more",
    `${open.map(({ name }) => name).join(", ")} ends with ${inTheMiddle.join(" and ")}, and does not say that this ` +
      "is its end: what came then is missing.",
  );
}

/** Bytes that requests which had not completed at the end may have written. */
export function bytesInFlight(run: MachineReplay): number {
  const { exports } = run.core;
  return exports.inFlightWriteBytes(0n) + exports.elementBytesInFlight();
}

/** Time of the last sync, 0 without one. */
function lastSync(run: MachineReplay, window: LogWindow): bigint {
  const last = run.rounds.get(window)?.findLast(({ sync }) => sync !== null);
  return BigInt(last?.sync?.ns ?? 0);
}

/** Whether the log was on and written to when the last sync was over. */
function unfetched(run: MachineReplay, window: LogWindow): boolean {
  const last = run.rounds.get(window)?.at(-1);
  return run.syncs > 0 && last?.sync === null && (last.written ?? 0) > 0;
}

/** Syncs that are not recorded: rounds of which two count as one. */
function syncLimits(
  run: MachineReplay,
  queues: readonly Queue[],
  window: LogWindow,
  add: Add,
): void {
  if (run.syncsMissing > 0) {
    add(
      "syncs-missing",
      "both",
      `The numbers of the syncs leave out ${counted(run.syncsMissing, "sync")}: what was written before and behind ` +
        "one counts as one round.",
    );
  }
  const covered = run.coveredWithoutSync(window);
  // QEMU marks what its own devices write; that a vhost did it is a what-if.
  if (covered > 0 && queues.some(({ driver }) => driver < Driver.Qemu)) {
    add(
      "syncs-unseen",
      "more",
      `No sync is recorded, and ${counted(covered, "page")} that a policy left out were logged for another write as ` +
        "well: where the log was fetched between the two, they are lost.",
    );
  }
}

/** A queue of which no drain is recorded: what it tells of the log is not known. */
function drainLimit(queues: readonly Queue[], add: Add): void {
  const undrained = queues.filter(
    ({ completed, index, driver }) => completed > 0 && index === null && driver < Driver.VhostUser,
  );
  if (undrained.length === 0) return;
  add(
    "drains-unseen",
    "both",
    `Of ${counted(undrained.length, "queue")} with requests no drain is recorded: whether there was a log, and ` +
      "whether it was on at their pops, is not known.",
  );
}

/** Chains that were taken from the available ring, unseen. */
function popLimit(queues: readonly Queue[], add: Add): void {
  const lost = queues
    .filter(({ driver }) => driver < Driver.VhostUser)
    .reduce((sum, { lostPops }) => sum + lostPops, 0);
  if (lost === 0) return;
  add(
    "pops-lost",
    "both",
    `${counted(lost, "chain")} that were taken from the available ring have no pop in the recording: events are ` +
      "missing there.",
  );
}

/** SET_MEM_TABLE of which the regions are not recorded. */
function memoryLimit(run: MachineReplay, queues: readonly Queue[], add: Add): void {
  const { untranslated } = run.shared.devices;
  if (untranslated === 0 || queues.length === 0) return;
  add(
    "memory-unseen",
    "both",
    `${counted(untranslated, "address")} of a ring lie in no region of a memory table that is recorded: where in guest ` +
      "memory the ring is, is taken from its log address.",
  );
}
