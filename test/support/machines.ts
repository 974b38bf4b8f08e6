/**
 * Several machines in one recording: the streams of their events, each in a process and with kernel
 * addresses of its own, as ftrace text prints them.
 */
import fc from "fast-check";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { eventStreams } from "./oracle/streams.ts";

/** A line of the recording; `machine` null: it is of all of them (a marker, lost events). */
export interface Line {
  machine: number | null;
  event: NormalisedEvent;
}

const ADDRESSES = new Set(["vq", "vs", "dev", "q0", "q1", "iotlb", "file", "iov"]);
const IGNORED = new Set(["event", "ts", "cpu", "pid", "place", "driver"]);
/** The VMM of test/support/guest.ts. */
const VMM = 200;

/** Process of machine number `machine`. */
export function pidOf(machine: number): number {
  return VMM + 1000 * machine;
}

function textOf(event: NormalisedEvent, machine: number, time: string): string {
  if (event.event === "gap") {
    const lost = event.lost === null ? "" : `${event.lost} `;
    return `CPU:${event.cpu} [LOST ${lost}EVENTS]`;
  }
  if (event.event === "marker") {
    return `             sync-9       [000] ..... ${time}: tracing_mark_write: ${event.text}`;
  }
  const pid = event.pid + 1000 * machine;
  const comm = event.pid === VMM ? "qemu" : `vhost-${pidOf(machine)}`;
  const fields = Object.entries(event)
    .filter(([name]) => !IGNORED.has(name))
    .map(([name, value]) => {
      if (!ADDRESSES.has(name) || BigInt(value as string) === 0n) return `${name}=${value}`;
      return `${name}=0x${(BigInt(value as string) + (BigInt(machine) << 44n)).toString(16)}`;
    });
  const symbol = event.event === "ioctl" ? "vhost_scsi_ioctl+0x0/0x9b0 [vhost_scsi]" : "f+0x0/0x10";
  const head = `${comm}-${pid}`.padStart(23);
  return `${head} [00${machine}] ..... ${time}: ${event.event}: (${symbol}) ${fields.join(" ")}`;
}

const isOfAll = ({ event }: NormalisedEvent): boolean => event === "marker" || event === "gap";

/** The VMM takes its device: from here on it is known whose the device is. */
const OWNED: readonly NormalisedEvent[] = [
  {
    ...{ event: "ioctl", ts: "0", cpu: 0, pid: VMM, file: "0xff1855b00000", cmd: 0xaf01 },
    ...{ vs: "0xff1855990000", arg: "0x0", a0: "0x0", a1: "0x0", a2: "0x0", a3: "0x0", a4: "0x0" },
  },
  { event: "ioctl_ret", ts: "0", cpu: 0, pid: VMM, ret: 0 },
];

/** Two to four machines, their events interleaved at random. */
export function machineStreams(): fc.Arbitrary<Line[]> {
  const streams = fc.array(eventStreams(), { minLength: 2, maxLength: 4 });
  return fc.tuple(streams, fc.infiniteStream(fc.nat({ max: 11 }))).map(([all, picks]) => {
    const rest = all.map((events, machine) =>
      [...OWNED, ...events].map((event) => ({ machine: isOfAll(event) ? null : machine, event })),
    );
    const lines: Line[] = [];
    for (const pick of picks) {
      const left = rest.filter((one) => one.length > 0);
      if (left.length === 0) return lines;
      // Runs of one machine, as a worker drains its queue.
      lines.push(...left[pick % left.length]!.splice(0, 1 + (pick % 3)));
    }
    return lines;
  });
}

/** The recording of these lines, each with the time of its place among all of them; `as`: who is who. */
export function recordingOfLines(
  lines: readonly Line[],
  has: (machine: number) => boolean = () => true,
  as: (machine: number) => number = (machine) => machine,
): string {
  const kept = lines.map(({ machine, event }, i) => {
    if (machine !== null && !has(machine)) return "";
    return `${textOf(event, as(machine ?? 0), `   10.${String(i).padStart(6, "0")}`)}\n`;
  });
  return `# tracer: nop\n#\n${kept.join("")}`;
}
