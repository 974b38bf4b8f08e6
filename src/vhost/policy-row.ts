/** The shape of a policy, and how a row is made from the switches of a kernel. */
import type { CauseMask } from "./causes.ts";
import { RING_PACKED } from "./message.ts";
import { type Series, seriesFatal, seriesLogs, seriesNotes } from "./series.ts";

/** How a vhost logs, for people; what it logs is in `Policy.logs`. */
export interface LoggingManner {
  /** Which pages of a request's write descriptors. */
  pages: string;
  /** Order of logging against publishing the used element. */
  order: string;
  /** When the descriptors are taken for the log. */
  capture: "pop" | "completion" | "never";
  /** Whether used->flags and avail_event are logged. */
  notify: boolean;
  /** What becomes of a page beyond the end of the log. */
  outOfRange: string;
}

/** Layout of a virtqueue: virtio 1.2, 2.7 and 2.8. */
export type Ring = "split" | "packed";

/** Programs whose probes a recording can be of. */
export type BackEndProgram = "libvhost-user" | "spdk" | "dpdk";

export interface Policy {
  /** `linux-6.16`. */
  name: string;
  /** Other names of the same row. */
  aliases: string[];
  /** One line for people. */
  title: string;
  /** Causes whose pages this vhost logs, as a mask over `Cause`. */
  logs: CauseMask;
  /** What the row rests on: sources read, runs measured. */
  evidence: string[];
  /** Drivers whose recordings it can be the answer to; for all others it is a what-if. */
  drivers?: readonly string[];
  /** The only kind of ring that it is about; both where left out. */
  ring?: Ring;
  /** The program in user space that logs so, where probes can be placed in it. */
  program?: BackEndProgram;
  /** The switches that `logs` was computed from; a back end has none. */
  series?: Series;
  manner?: LoggingManner;
  /** What a reader of its numbers should know. */
  note?: string;
  /** Why there are no numbers: what would happen instead. */
  fatal?: string;
}

/** Drivers of drivers/vhost that a recording can be of. */
export const KERNEL_DRIVERS: readonly string[] = ["vhost-scsi", "vhost-net", "vhost-vsock"];

const BEYOND_KERNEL = "written past the end until the store faults, then the rest is skipped";

/** A row for a kernel with these switches; mask, manner and warnings follow from them. */
export function seriesPolicy(
  series: Series,
  row: Pick<Policy, "name" | "title" | "evidence"> & { aliases?: string[]; note?: string },
): Policy {
  const fatal = seriesFatal(series);
  const notes = [...seriesNotes(series), ...(row.note === undefined ? [] : [row.note])];
  const logs = seriesLogs(series);
  const descriptors = series.patches.some((patch) => patch >= 7 && patch <= 9);
  const policy: Policy = {
    name: row.name,
    aliases: row.aliases ?? [],
    title: row.title,
    logs,
    evidence: row.evidence,
    drivers: KERNEL_DRIVERS,
    series,
    manner: {
      pages: descriptors ? "every write descriptor, full length" : "no write descriptor",
      order: descriptors ? "used ring, then descriptors" : "used ring",
      capture: descriptors ? series.capture : "never",
      notify: true,
      outOfRange: BEYOND_KERNEL,
    },
  };
  if (notes.length > 0) policy.note = notes.join("; ");
  if (fatal !== null) policy.fatal = fatal;
  return policy;
}

/** The ring that the features of a device name; null: they are not known. */
export function ringOf(features: string | null): Ring | null {
  if (features === null) return null;
  return BigInt(features) & RING_PACKED ? "packed" : "split";
}

/** Whether a recording of these devices can be of this vhost, by their drivers and rings. */
export function fitsDevices(
  policy: Policy,
  devices: readonly { driver: string; features: string | null }[],
): boolean {
  const rings = devices.map(({ features }) => ringOf(features));
  const ring = policy.ring;
  const other = ring !== undefined && rings.length > 0 && rings.every((own) => own && own !== ring);
  return !other && fitsDrivers(policy, [...new Set(devices.map(({ driver }) => driver))]);
}

/**
 * Whether a recording of these drivers can be of this vhost. Where nothing names the driver, any
 * vhost of the kernel can be it.
 */
export function fitsDrivers(policy: Policy, drivers: readonly string[]): boolean {
  const own = policy.drivers ?? [];
  const named = drivers.filter((driver) => driver !== "vhost");
  return named.length === 0
    ? own.some((driver) => KERNEL_DRIVERS.includes(driver))
    : named.some((driver) => own.includes(driver));
}
