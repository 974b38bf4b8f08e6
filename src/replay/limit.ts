/**
 * What the recording cannot tell, as sentences with a stable code. A limit is listed only when it
 * applies; `effect` says which way it moves the numbers.
 */

import { MAX_MACHINES } from "../../assembly/queue-abi.ts";
import type { Queue } from "../core/queue-record.ts";
import { counted } from "../model/counted.ts";
import type { Certainty, InputSummary, Limit, LogWindow } from "../model/result.ts";
import { backEndLimits } from "./back-end-limit.ts";
import { clockLimit } from "./clock-limit.ts";
import type { MachineReplay } from "./machine-replay.ts";
import { migrationLimits } from "./migration-limit.ts";
import { bytesInFlight, wholenessLimits } from "./wholeness-limit.ts";

const total = (queues: readonly Queue[], key: keyof Queue): number =>
  queues.reduce((sum, queue) => sum + Number(queue[key]), 0);

/** Which of the recipe's probes the recording has any event or format of. */
export function probesSeen(inputs: readonly InputSummary[]): Map<string, number> {
  const seen = new Map<string, number>();
  for (const input of inputs) {
    for (const event of input.events) {
      if (event.kind) seen.set(event.kind, (seen.get(event.kind) ?? 0) + event.count);
    }
  }
  return seen;
}

/** All limits of a replay. */
export function findLimits(
  run: MachineReplay,
  inputs: readonly InputSummary[],
  queues: readonly Queue[],
  window: LogWindow,
): Limit[] {
  const limits: Limit[] = [];
  const add = (code: string, effect: Limit["effect"], text: string, places: Limit["places"] = []) =>
    limits.push({ code, text, effect, places });
  const clock = clockLimit(inputs);
  if (clock) limits.push(clock);
  const unsure = clock ? " Or they only stand in another order, by the clock." : "";

  const idle = run.shared.idlePattern;
  if (idle) {
    add(
      "no-sync-marker",
      null,
      `None of ${counted(run.shared.markers, "marker")} matches the pattern of syncs that was given, ` +
        `${idle.source}: no marker ends a round.`,
    );
  }

  const headerGaps = inputs.flatMap((input) => input.gaps);
  const gaps = [...run.shared.gaps, ...headerGaps];
  const losses = gaps.filter((gap) => !gap.unread && !gap.missing);
  if (losses.length > 0) {
    const known = Math.max(
      run.shared.lostEvents,
      losses
        .filter((gap) => headerGaps.includes(gap))
        .reduce((sum, { lost }) => sum + (lost ?? 0), 0),
    );
    add(
      "events-lost",
      "more",
      known > 0
        ? `The recorder lost at least ${counted(known, "event")}: pages written by them are missing here.`
        : "The recorder lost events, it does not say how many: pages written by them are missing here.",
      losses.slice(0, 8).map((gap) => gap.place),
    );
  }
  const unread = run.inputs.reduce((sum, { feed }) => sum + feed.summary().unread.count, 0);
  if (unread > 0) {
    add(
      "events-unread",
      "more",
      `${counted(unread, "piece")} of the recording cannot be read and may hold events: pages written by ` +
        "them are missing here.",
      gaps
        .filter((gap) => gap.unread)
        .slice(0, 8)
        .map((gap) => gap.place),
    );
  }
  wholenessLimits(run, inputs, queues, window, add);
  const lostCompletions = total(queues, "lostCompletions");
  if (lostCompletions > 0) {
    add(
      "completions-lost",
      "both",
      `${counted(lostCompletions, "completion")} of requests ${lostCompletions === 1 ? "is" : "are"} not in the recording (gaps in the used ` +
        `index): their used-ring writes are known, their descriptors are not.${unsure}`,
    );
  }
  const unknown = queues.filter((queue) => queue.unknownHead > 0);
  if (unknown.length > 0) {
    add(
      "attached-late",
      "more",
      `${counted(total(unknown, "unknownHead"), "request")} completed whose pop is not in the recording ` +
        `(it began later, or events were lost): their descriptors are not known.${unsure}`,
      unknown
        .slice(0, 8)
        .map((queue) => run.placeOf(queue.firstUnknown.stream, queue.firstUnknown.place)),
    );
  }
  if (total(queues, "captureUnknown") > 0) {
    add(
      "capture-unknown",
      "fewer",
      `For ${counted(total(queues, "captureUnknown"), "request")} it is not recorded whether logging was on ` +
        "when they were popped; they count as popped without it.",
    );
  }
  const inFlight = total(queues, "inFlight");
  if (inFlight > 0) {
    const bytes = bytesInFlight(run);
    const open = `${counted(inFlight, "request")} had not completed at the end`;
    // Without a write descriptor nothing but the used ring is still to be written.
    if (bytes === 0) add("in-flight", null, `${open}, without a descriptor that it may write to.`);
    else {
      add(
        "in-flight",
        "more",
        `${open}; they may have written up to ${counted(bytes, "byte")} that count nowhere.`,
      );
    }
  }
  for (const [policy, page] of run.beyondLog) {
    add(
      "beyond-log",
      null,
      `${policy} sets a bit for page 0x${page.toString(16)}, behind the end of the log that QEMU allocates for ` +
        "this memory map: it changes other memory of the VMM.",
    );
  }
  if (total(queues, "unplaced") > 0) {
    add(
      "elements-unplaced",
      "both",
      `${counted(total(queues, "unplaced"), "used element")} of a ring in order: their slots are not known, ` +
        "because the chains of their packets were not seen.",
    );
  }
  if (total(queues, "noBuffer") > 0) {
    add(
      "event-without-buffer",
      "more",
      `${counted(total(queues, "noBuffer"), "event")} had no writable buffer: vhost-scsi writes it to the address of ` +
        "an earlier chain, which no kernel logs.",
    );
  }
  if (total(queues, "outOfRange") > 0) {
    add(
      "out-of-range",
      null,
      `${counted(total(queues, "outOfRange"), "write")} lie beyond 16 TiB of guest memory and count nowhere.`,
    );
  }
  if (total(queues, "badRing") > 0) {
    add(
      "bad-ring",
      "both",
      `No virtqueue has the ring size of ${counted(total(queues, "badRing"), "event")} (a power of two, at most ` +
        "32768): what was written to that ring counts nowhere.",
    );
  }
  if (run.unattributed > 0) {
    add(
      "unattributed",
      null,
      `${counted(run.unattributed, "write")} came after 65536 first writes of a round: their lost pages ` +
        "count in the totals but in no finding.",
    );
  }
  if (run.core.exports.orphans() > 0) {
    add(
      "orphan-descriptors",
      "more",
      `${counted(run.core.exports.orphans(), "descriptor")} were translated without a pop that takes them.`,
    );
  }
  machineLimits(run, add);
  const refused =
    run.core.exports.refusedThreads() +
    run.core.exports.refusedQueues() +
    run.shared.devices.refused;
  if (refused > 0) {
    add(
      "too-many",
      "more",
      `${counted(refused, "event")} of threads beyond 12288 or queues beyond 16384 are not replayed.`,
    );
  }
  const strays = run.core.exports.popsWithoutAQueue();
  if (strays > 0) {
    add(
      "pops-without-queue",
      "more",
      `${counted(strays, "pop")} of threads of which no drain and no descriptor was seen before: if they took ` +
        "a chain, it is not known.",
    );
  }
  if (run.shared.devices.unanswered > 0) {
    add(
      "ioctls-unanswered",
      "both",
      `${counted(run.shared.devices.unanswered, "ioctl")} never returned in the recording: whether they took effect is not known.`,
    );
  }
  if (run.shared.devices.unentered > 0) {
    add(
      "ioctls-unseen",
      "both",
      `${counted(run.shared.devices.unentered, "ioctl")} returned whose entry is not in the recording: what they ` +
        "changed is not known.",
    );
  }
  for (const text of run.plan.differing) add("repeat-differs", "more", text);
  const disorder = inputs.reduce((sum, input) => sum + input.outOfOrder, 0);
  if (disorder > 0) {
    add(
      "out-of-order",
      "both",
      `${counted(disorder, "event")} stand more than 1024 events away from where their time belongs.`,
    );
  }
  if (inputs.length > 1 && inputs.some((input) => input.clock === null)) {
    add(
      "clock-unknown",
      "both",
      "Not every input says what clock it is on; what nothing else tells was taken for the same clock as " +
        "the others', or with clock pairs for CLOCK_MONOTONIC.",
    );
  }
  if (queues.some((queue) => queue.completed > 0)) {
    add(
      "write-upper-bound",
      "fewer",
      "A request counts with all pages of its write descriptors; a short or failed read writes fewer.",
    );
    const told = run.follower.migrations.some(({ sendTimes }) => sendTimes !== "none");
    if (window === "recorded" && !told) {
      add(
        "no-send-times",
        "fewer",
        "A lost page is stale at the destination only if it was sent before it was written and nothing " +
          "dirtied it later; page sends and the guest's own writes are not in this recording.",
      );
    }
  }
  backEndLimits(run.shared.devices.sessions, queues, run.core.exports.basesAssumedTotal(), add);
  migrationLimits(run, queues, add);
  return limits;
}

/** What is not told of whose the pages are. */
function machineLimits(
  run: MachineReplay,
  add: (code: string, effect: Limit["effect"], text: string) => void,
): void {
  const { whose, devices, idleDevices } = run.shared;
  if (idleDevices.size > 0) {
    add(
      "idle-devices",
      null,
      `Ioctls name ${counted(idleDevices.size, "device")} of other processes, and no request of ` +
        "such a process is in the recording: it is none of its machines.",
    );
  }
  if (run.notTold) {
    add(
      "machines-not-told",
      "both",
      "Nothing in the recording tells whether all devices of this machine are of one: no name vhost-PID " +
        "of a worker, no ioctls of their process, no memory map. Pages of two machines may count as one's.",
    );
  }
  if (whose.evidence.contradictions > 0 || whose.crowded > 0) {
    add(
      "machines-not-told",
      "both",
      whose.crowded > 0
        ? `There are more than ${MAX_MACHINES} machines; the others are taken for the last one.`
        : "What the recording tells of its machines contradicts itself: two that were replayed apart " +
            "turned out to be one.",
    );
  }
  if (devices.links.ambiguous > 0 || devices.links.differing > 0) {
    add(
      "device-not-told",
      "both",
      "Where struct vhost_dev lies in the driver's structure is not known, so for some device it is not " +
        "known which ioctls are its own: SET_FEATURES and CLEAR_ENDPOINT of it are not replayed.",
    );
  }
}

/** Limits that are said of every recording, or that concern sends and not the dirty log. */
const APART: ReadonlySet<string> = new Set([
  "write-upper-bound",
  "no-send-times",
  "in-flight",
  "zero-pages-unseen",
  "arrival-times",
  "destination-differs",
  "zeros-incomplete",
  "ram-assumed",
  "shared-chunk",
]);

/** What the limits do to the counts of lost pages. */
export function certaintyOf(limits: readonly Limit[]): Certainty {
  const loosening = limits.filter((limit) => !APART.has(limit.code));
  const more = loosening.some((limit) => limit.effect === "more");
  const fewer = loosening.some((limit) => limit.effect === "fewer");
  if ((more && fewer) || loosening.some((limit) => limit.effect === "both")) return "bounds";
  return more ? "lower" : fewer ? "upper" : "exact";
}
