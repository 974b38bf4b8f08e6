/**
 * What is wrong with a recording, or with what was recorded? `lint`. Each fault has its places, and what it means
 * for the verdict.
 */
import { counted } from "../model/counted.ts";
import type { GpaRange } from "../model/pages.ts";
import { formatPlace } from "../model/place.ts";
import type { DeviceSummary, MachineResult, ReplayResult } from "../model/result.ts";
import type { RequestRecord } from "../model/told.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import {
  type Fault,
  InFlightAtToggle,
  KEPT_PLACES,
  neverRead,
  switchesOf,
} from "./log-protocol.ts";
import { type MachineOptions, machineNumber, selectMachines } from "./machines.ts";
import type { Replayer } from "./replayer.ts";

export type { Fault } from "./log-protocol.ts";

export type Options = Pick<CommonOptions, "signal" | keyof MachineOptions>;

export interface Answer extends CommonAnswer {
  /** One list a machine, in the order of `result.machines`; faults of the protocol first. */
  faults: Fault[][];
}

/** Reads the recording twice: which requests lie wrongly is known once the devices are. Throws what `replay` throws. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  const wanted = await machineNumber(recording, options, base, run);
  const result = selectMachines(await run(recording, base), options);
  const machines = result.machines.map((machine) => new MachineLint(machine, result));
  const byNumber = new Map(machines.map((lint) => [lint.machine.number, lint]));
  await run(recording, {
    ...base,
    onRequest(request) {
      if (wanted === null || request.machine === wanted)
        byNumber.get(request.machine)?.add(request);
    },
  });
  return { asked, result, faults: machines.map((lint) => lint.faults()) };
}

/** 0: no fault. 1: some. 3: no event of a device, so nothing could be looked at. */
export function statusOf({ faults, result }: Pick<Answer, "faults" | "result">): 0 | 1 | 3 {
  if (result.machines.every(({ devices }) => devices.length === 0)) return 3;
  return faults.some((list) => list.length > 0) ? 1 : 0;
}

/** Limits of a replay that are faults of the recording, and not what every recording leaves open. */
const RECORDING_FAULTS: ReadonlySet<string> = new Set([
  ...["events-lost", "events-unread", "attached-late", "capture-unknown", "orphan-descriptors"],
  ...["pops-without-queue", "ioctls-unanswered", "ioctls-unseen", "out-of-order", "clock-unknown"],
  ...[
    "clock-unordered",
    "no-sync-marker",
    "destination-differs",
    "zeros-incomplete",
    "repeat-differs",
  ],
  ...["log-base-unseen", "session-unlinked", "ring-unknown", "devices-unseen", "no-verdict"],
]);
/** Limits that tell of something that guest, VMM or back end should not do. */
const PROTOCOL_FAULTS: ReadonlySet<string> = new Set([
  ...["bad-ring", "out-of-range", "beyond-log", "log-too-short", "table-not-first"],
  ...["event-without-buffer"],
]);

/** Probes of the recipe for a vhost of the kernel, and what is not known without one. */
const NEEDED: readonly (readonly [kind: string, without: string])[] = [
  ["ioctl", "when logging went on, and what memory and rings the guest has"],
  ["ioctl_ret", "whether an ioctl succeeded"],
  ["drain", "whether logging was on when a request was popped"],
  ["desc", "where a request wrote"],
  ["pop", "which descriptors are of which request"],
  ["used", "which requests completed, and when"],
  ["uflags", "writes to the used flags"],
  ["rearm", "writes to avail_event"],
];

/** Whether the map has every byte; a descriptor may go on in the next region (translate_desc()). */
function isWithin(memory: DeviceSummary["memory"], { gpa, len }: GpaRange): boolean {
  const end = gpa + Math.max(1, len);
  for (let at = gpa; at < end; ) {
    const region = memory.find(({ first, last }) => at >= first && at <= last);
    if (!region) return false;
    at = region.last + 1;
  }
  return true;
}

class MachineLint {
  readonly machine: MachineResult;
  readonly #result: ReplayResult;
  readonly #inFlight: InFlightAtToggle;
  readonly #devices: ReadonlyMap<number, DeviceSummary>;
  readonly #outside: string[] = [];
  #outsideCount = 0;
  readonly #twice: string[] = [];
  #twiceCount = 0;

  constructor(machine: MachineResult, result: ReplayResult) {
    this.machine = machine;
    this.#result = result;
    this.#devices = new Map(machine.devices.map((device) => [device.number, device]));
    this.#inFlight = new InFlightAtToggle(
      new Map(machine.devices.map((device) => [device.number, switchesOf(device).toggles])),
    );
  }

  add(request: RequestRecord): void {
    this.#inFlight.add(request);
    const place = request.popped?.place ?? request.used?.place;
    if (place === undefined) return;
    const memory = this.#devices.get(request.device)?.memory ?? [];
    const spans = [...request.reads, ...request.writes];
    if (memory.length > 0 && !spans.every((span) => isWithin(memory, span))) {
      this.#outsideCount++;
      if (this.#outside.length < KEPT_PLACES) this.#outside.push(formatPlace(place));
    }
    if (request.state === "dropped") {
      this.#twiceCount++;
      if (this.#twice.length < KEPT_PLACES) this.#twice.push(formatPlace(place));
    }
  }

  faults(): Fault[] {
    return [...this.#protocol(), ...this.#recording()];
  }

  #protocol(): Fault[] {
    const faults: Fault[] = [];
    const add = (code: string, text: string, places: readonly string[], count = places.length) => {
      if (count === 0) return;
      faults.push({ code, kind: "protocol", text, count, places: places.slice(0, KEPT_PLACES) });
    };
    const switches = this.machine.devices.map(switchesOf);
    const all = (of: (one: (typeof switches)[number]) => string[]): string[] =>
      switches.flatMap(of);
    add(
      "log-all-without-base",
      "LOG_ALL was set before SET_LOG_BASE",
      all((one) => one.withoutBase),
    );
    const { requests, places } = this.#inFlight;
    const flying = counted(requests, "request");
    add("toggle-in-flight", `${flying} in flight when LOG_ALL was switched`, [...places], requests);
    add(
      "ring-without-flag",
      "a ring in use had its log flag off while LOG_ALL was on",
      all((one) => one.ringsOff),
    );
    const unread = switches.flatMap(({ toggles }) => neverRead(this.machine, toggles));
    add("log-never-read", "LOG_ALL was on, and no sync of the log is recorded meanwhile", unread);
    const lost = this.machine.devices
      .flatMap(({ queues }) => queues)
      .reduce((sum, queue) => sum + queue.lostCompletions, 0);
    add(
      "used-index-gap",
      `${counted(lost, "used element")} left out: the used index jumps`,
      [],
      lost,
    );
    const twice = counted(this.#twiceCount, "request");
    add(
      "head-never-returned",
      `${twice} never returned: the head was offered again, or the endpoint cleared`,
      this.#twice,
      this.#twiceCount,
    );
    const outside = counted(this.#outsideCount, "request");
    add(
      "outside-memory-map",
      `${outside} with a descriptor outside of the memory map, as it was last`,
      this.#outside,
      this.#outsideCount,
    );
    faults.push(...this.#ofLimits(PROTOCOL_FAULTS, "protocol"));
    return faults;
  }

  #recording(): Fault[] {
    const faults = this.#ofLimits(RECORDING_FAULTS, "recording");
    const seen = new Set(
      this.#result.inputs.flatMap(({ events }) => events.map(({ kind }) => kind)),
    );
    const drivers = this.machine.devices.filter(({ driver }) =>
      /^vhost-(scsi|net|vsock)$/.test(driver),
    );
    if (drivers.length === 0) return faults;
    for (const [kind, without] of NEEDED) {
      if (seen.has(kind)) continue;
      const text = `no event of the probe ${kind}: it is not known ${without}`;
      faults.push({ code: "probe-missing", kind: "recording", text, count: 1, places: [] });
    }
    return faults;
  }

  #ofLimits(codes: ReadonlySet<string>, kind: Fault["kind"]): Fault[] {
    return this.machine.limits
      .filter(({ code }) => codes.has(code))
      .map(({ code, text, places }) => {
        const shown = places.slice(0, KEPT_PLACES).map(formatPlace);
        return { code, kind, text, count: Math.max(1, places.length), places: shown };
      });
  }
}
