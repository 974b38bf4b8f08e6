/** What a recording of user-space back ends cannot tell, or what their log is worth, as limits. */
import { Driver } from "../../assembly/queue-abi.ts";
import type { Queue } from "../core/queue-record.ts";
import { counted } from "../model/counted.ts";
import type { Limit } from "../model/result.ts";
import type { Sessions } from "./sessions.ts";

/** Of a round: completions count as logged, and nothing tells whether there was a log. */
export const BASE_ASSUMED =
  "no SET_LOG_BASE is recorded: the log is taken to be there whenever LOG_ALL is on";

/** Whether a queue is one of a user-space back end. */
export function inUserSpace({ driver }: Pick<Queue, "driver">): boolean {
  return driver >= Driver.VhostUser && driver <= Driver.VhostUserFs;
}

/** Adds the limits of these queues. */
export function backEndLimits(
  sessions: Pick<Sessions, "unlinked">,
  queues: readonly Queue[],
  basesAssumed: number,
  add: (code: string, effect: Limit["effect"], text: string) => void,
): void {
  const user = queues.filter(inUserSpace);
  if (user.length === 0) return;
  const sum = (key: "beyondLog" | "lateTables" | "slotUnknown" | "splitHeaders"): number =>
    user.reduce((total, queue) => total + queue[key], 0);
  if (sum("beyondLog") > 0) {
    add(
      "log-too-short",
      null,
      `${counted(sum("beyondLog"), "range")} of what a back end writes while logging is on end behind the log: SPDK and ` +
        "DPDK drop such a range whole, libvhost-user aborts on an assertion (vu_log_write()).",
    );
  }
  if (sum("lateTables") > 0) {
    add(
      "table-not-first",
      null,
      `${counted(sum("lateTables"), "chain")} with an indirect table behind another descriptor: SPDK refuses them, and ` +
        "logs nothing of them but the used ring.",
    );
  }
  if (sum("splitHeaders") > 0) {
    add(
      "header-in-pieces",
      null,
      `${counted(sum("splitHeaders"), "packet")} with a virtio-net header in several descriptors: DPDK logs the pieces ` +
        "behind the address of the first (copy_vnet_hdr_to_desc()).",
    );
  }
  if (sum("slotUnknown") > 0) {
    add(
      "packed-slots",
      "both",
      `${counted(sum("slotUnknown"), "used descriptor")} of a packed ring of several pages: the recording began later, or ` +
        "events are lost, so the slot in the ring is not known.",
    );
  }
  if (user.some((queue) => queue.used === null && queue.completed > 0)) {
    add(
      "ring-unknown",
      "more",
      "No SET_VRING_ADDR of some queues is in the recording: where their rings lie is not known, and what is " +
        "written there is missing.",
    );
  }
  if (sessions.unlinked > 0) {
    add(
      "session-unlinked",
      "both",
      `${counted(sessions.unlinked, "session")} of SPDK whose messages are not in the recording, or fit several ` +
        "connections: their log state and rings are not known.",
    );
  }
  if (basesAssumed > 0) {
    add(
      "log-base-unseen",
      "fewer",
      "No SET_LOG_BASE of a back end is in the recording: the log is taken to be there whenever LOG_ALL is on.",
    );
  }
}
