/** Names of devices, queues and policies in text. */
import type { DeviceSummary, PolicyResult, Round } from "../../model/result.ts";
import { printable } from "./text-layout.ts";

/**
 * `control`, `event`, `io 3` for vhost-scsi (VHOST_SCSI_VQ_*, drivers/vhost/scsi.c), `queue 1` for
 * the others; the device's number goes before it where there are several.
 */
export function queueLabel(
  devices: readonly DeviceSummary[],
  device: number,
  queue: number | null,
): string {
  const prefix = devices.length > 1 ? `dev ${device} ` : "";
  if (queue === null) return `${prefix}unknown`;
  const { driver } = devices[device] ?? {};
  if (driver !== "vhost-scsi" && driver !== "vhost-user-scsi") return `${prefix}queue ${queue}`;
  return `${prefix}${queue === 0 ? "control" : queue === 1 ? "event" : `io ${queue}`}`;
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
