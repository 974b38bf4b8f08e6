/** Names of devices, queues and policies in text. */
import type { DeviceSummary, PolicyResult, Round } from "../../model/result.ts";
import { printable } from "./text-layout.ts";

/**
 * `control`, `event`, `io 3` for vhost-scsi (VHOST_SCSI_VQ_*, drivers/vhost/scsi.c), `queue 1` for
 * the others; the device's number goes before it where it is not the only one of a recording.
 */
export function queueLabel(
  devices: readonly DeviceSummary[],
  device: number,
  queue: number | null,
): string {
  const prefix = devices.length > 1 || device > 0 ? `dev ${device} ` : "";
  return `${prefix}${queueName(devices.find(({ number }) => number === device)?.driver, queue)}`;
}

/** The same without the device. */
export function queueName(driver: string | undefined, queue: number | null): string {
  if (queue === null) return "unknown";
  if (driver !== "vhost-scsi" && driver !== "vhost-user-scsi") return `queue ${queue}`;
  return queue === 0 ? "control" : queue === 1 ? "event" : `io ${queue}`;
}

/** `linux-6.1 (unpatched)`. */
export function policyLabel(policy: Pick<PolicyResult, "name" | "alias">): string {
  return policy.alias === null ? policy.name : `${policy.name} (${policy.alias})`;
}

/** What ended a round: `sync 3 after-io`, or the end of the recording. */
export function roundEnd(round: Round | undefined): string {
  if (!round?.sync) return "end of recording";
  return `sync ${round.sync.number} ${printable(round.sync.name)}`.trimEnd();
}
