/** From a finished replay to its result. */
import { RowSet } from "../../assembly/page-abi.ts";
import { Driver } from "../../assembly/queue-abi.ts";
import { ownAddress, type Queue, readQueues } from "../core/queue-record.ts";
import type {
  DeviceSummary,
  InputSummary,
  Limit,
  LogWindow,
  MachineResult,
  PolicyResult,
  QueueSummary,
  ReplayResult,
} from "../model/result.ts";
import { policyOfProgram } from "../vhost/backends.ts";
import { fitsDevices, ringOf } from "../vhost/policy-row.ts";
import { UNORDERED } from "./clock-limit.ts";
import type { Device } from "./device.ts";
import { withEndNote } from "./end-note.ts";
import { readFindings } from "./finding.ts";
import { withoutIdle } from "./idle-machines.ts";
import { certaintyOf, findLimits, probesSeen } from "./limit.ts";
import type { MachineReplay } from "./machine-replay.ts";
import { withoutCertainty } from "./migration/missing-events.ts";
import { withoutNumbers } from "./not-known.ts";
import type { Replay } from "./run.ts";
import { isSession } from "./sessions.ts";
import { answerable } from "./sufficiency.ts";
import { unseenLimit } from "./unseen-devices.ts";

const hex = (value: bigint): string => `0x${value.toString(16)}`;

const DEFAULT_RUN_LIMIT = 64;

const EVENT_DRIVERS: Readonly<Record<number, string>> = {
  [Driver.VhostUser]: "vhost-user",
  [Driver.VhostUserScsi]: "vhost-user-scsi",
  [Driver.VhostUserBlk]: "vhost-user-blk",
  [Driver.VhostUserNet]: "vhost-user-net",
  [Driver.VhostUserFs]: "vhost-user-fs",
  [Driver.Qemu]: "virtio (QEMU)",
  [Driver.QemuScsi]: "virtio-scsi (QEMU)",
  [Driver.QemuBlk]: "virtio-blk (QEMU)",
};

function queueSummary(queue: Queue): QueueSummary {
  return {
    index: queue.index,
    vq: hex(ownAddress(queue.vq)),
    num: queue.num,
    used: queue.used === null ? null : Number(queue.used),
    popped: queue.popped,
    completed: queue.completed,
    unknownHead: queue.unknownHead,
    rejected: queue.rejected,
    dropped: queue.dropped,
    inFlightAtEnd: queue.inFlight,
    lostCompletions: queue.lostCompletions,
    writeDescriptors: queue.writeDescriptors,
    writeBytes: queue.writeBytes,
  };
}

/** What the events of its queues tell of a device; null: nothing that goes beyond its ioctls. */
function driverName(queues: readonly Queue[]): string | null {
  const driver = Math.max(...queues.map((queue) => queue.driver), Driver.Unknown);
  return EVENT_DRIVERS[driver] ?? null;
}

/** An ioctl, a drain or QEMU named it. */
const isTold = ({ vs, dev }: Device): boolean => vs !== null || dev !== null;

/** The devices of a machine with their queues, in the order in which they appeared. */
function deviceSummaries(run: MachineReplay, queues: readonly Queue[]): DeviceSummary[] {
  const { devices } = run.shared;
  const owns = new Map<Device | null, Queue[]>();
  for (const queue of queues) {
    const device = devices.ofQueue(queue);
    const own = owns.get(device);
    if (own) own.push(queue);
    else owns.set(device, [queue]);
  }
  // What QEMU tells of a back end's device is less than what the back end's own recording does.
  const worked = [...owns.keys()].filter((device) => device?.handed === false).length;
  let recorded = run.devices.some(({ program }) => program !== null) ? worked : 0;
  const listed = run.devices
    .filter((device) => owns.has(device) || isTold(device))
    .filter(({ handed }) => !handed || recorded-- <= 0)
    .sort((a, b) => a.shown - b.shown);
  return listed.map((device) => {
    const own = owns.get(device) ?? [];
    const features = device.features == null ? null : hex(device.features);
    const { program } = device;
    return {
      number: device.shown,
      driver: driverName(own) ?? device.driver ?? "vhost",
      backEnd: program && (policyOfProgram(program, device.ring ?? ringOf(features))?.name ?? null),
      // What messages name by a number has no address.
      dev:
        device.dev === null || device.dev === 0n || isSession(device.dev)
          ? null
          : hex(ownAddress(device.dev)),
      vs: device.vs === null || isSession(device.vs) ? null : hex(device.vs),
      features,
      memory: device.memory.map((region) => ({
        first: Number(region.first),
        last: Number(region.last),
        hva: hex(region.hva),
      })),
      queues: own.map(queueSummary).sort((a, b) => (a.index ?? 1e9) - (b.index ?? 1e9)),
      logging: device.logging,
    };
  });
}

/** recorded, unless nothing in the recording ever switched logging on. */
function chooseWindow(run: MachineReplay): Pick<MachineResult, "window" | "windowWhy"> {
  if (run.options.window !== "auto") return { window: run.options.window, windowWhy: "asked" };
  return run.core.exports.loggingSeen() === 0
    ? { window: "assumed", windowWhy: "never-on" }
    : { window: "recorded", windowWhy: "recorded" };
}

function policyResults(
  run: MachineReplay,
  window: LogWindow,
  devices: readonly DeviceSummary[],
): PolicyResult[] {
  const limit = run.options.runLimit ?? DEFAULT_RUN_LIMIT;
  return run.rows.flatMap((row, i) => {
    if (row.window !== window) return [];
    const { policy, alias } = run.options.policies[row.policy]!;
    const lost = run.core.runs(i, RowSet.EverLost, limit);
    return {
      name: policy.name,
      alias,
      title: policy.title,
      whatIf: policy.drivers !== undefined && !fitsDevices(policy, devices),
      logged: run.core.count(i, RowSet.EverLogged),
      lost: run.core.count(i, RowSet.EverLost),
      stillLost: run.core.count(i, RowSet.Stale),
      lostRuns: lost.runs,
      moreLostRuns: lost.more,
    };
  });
}

/** The result of a replay that has run to its end. */
export function summariseResult(replay: Replay, inputs: InputSummary[]): ReplayResult {
  // Once: the core lists the queues of all machines.
  const queues = new Map<number, Queue[]>();
  for (const queue of readQueues(replay.core)) {
    const own = queues.get(queue.machine + 1);
    if (own) own.push(queue);
    else queues.set(queue.machine + 1, [queue]);
  }
  const all = replay.machines.map((machine) =>
    summariseMachine(machine.use(), inputs, queues.get(machine.number) ?? []),
  );
  const { machines, notes } = withoutIdle(all);
  return {
    inputs: [...inputs.map(withEndNote), ...replay.plan.destinations, ...replay.plan.repeated].map(
      (input, i) => ({
        ...input,
        gaps: [...input.gaps, ...(i === 0 ? replay.gaps : [])],
        notes: i === 0 ? [...input.notes, ...replay.plan.notes, ...notes] : input.notes,
      }),
    ),
    machines,
    eventsReplayed: replay.core.exports.eventsReplayed(),
  };
}

/** What is said of one machine, which the core is asked about. */
function summariseMachine(
  run: MachineReplay,
  inputs: InputSummary[],
  queues: readonly Queue[],
): MachineResult {
  const devices = deviceSummaries(run, queues);
  const { window, windowWhy } = chooseWindow(run);
  const rounds = run.rounds.get(window) ?? [];
  const limits = findLimits(run, inputs, queues, window);
  const unseen = unseenLimit(run.follower.vhosts.all, inputs, devices);
  if (unseen) limits.splice(limits[0]?.code === UNORDERED ? 1 : 0, 0, unseen);
  const sufficiency = answerable(
    [...inputs, ...run.plan.destinations],
    rounds,
    run.follower.migrations,
  );
  const certainty = certaintyOf(limits);
  const { findings, more } = readFindings(run, window, certainty);
  const firstRow = run.rows.findIndex((row) => row.window === window);
  const verdict = carriesVerdict(inputs, queues, limits);
  const known: MachineResult = {
    ...run.identity,
    devices,
    ...{ window, windowWhy },
    written: firstRow < 0 ? 0 : run.core.count(firstRow, RowSet.EverWritten),
    policies: policyResults(run, window, devices),
    rounds,
    moreRounds: run.moreRounds,
    migrations: withoutCertainty(run.follower.migrations, limits),
    findings,
    moreFindings: more,
    ...{ limits, sufficiency, certainty, verdict },
  };
  return verdict ? known : withoutNumbers(known);
}

/** A verdict needs completions and their descriptors; adds the limit that says what is missing. */
function carriesVerdict(
  inputs: readonly InputSummary[],
  queues: readonly Queue[],
  limits: Limit[],
): boolean {
  const seen = probesSeen(inputs);
  const no = (text: string): boolean => {
    limits.unshift({ code: "no-verdict", text, effect: null, places: [] });
    return false;
  };
  if (seen.size === 0) return no("The recording has no event of the recipe's probes.");
  const completions = queues.reduce((sum, queue) => sum + queue.completed + queue.unknownHead, 0);
  if (completions === 0) return no("No request completes in the recording.");
  if (queues.every((queue) => queue.completed === 0)) {
    return no(
      "Of every request that completes the pop is not in the recording, so its descriptors are not known.",
    );
  }
  const count = (kind: string): number => seen.get(kind) ?? 0;
  const addressed = queues.some(
    (queue) => queue.popped > queue.unmapped && queue.driver >= Driver.Qemu,
  );
  if (!addressed && count("virtqueue_pop") > 0 && count("used") === 0) {
    return no(
      "Without address_space_map events (QEMU 10.0 and later) it is not known where elements lie in " +
        "guest memory.",
    );
  }
  const chains = [
    ["desc", "pop"],
    ["spdk_get", "spdk_desc"],
    ["vu_gpa", "vu_pop"],
  ];
  const descriptors = chains.some((probes) => probes.every((probe) => count(probe) > 0));
  if (!descriptors && !addressed) {
    return no(
      "Without desc and pop events only used-ring writes are known, not what requests wrote.",
    );
  }
  return true;
}
