/** Which question a recording can answer, and which probe is missing when it cannot. */

import type { MigrationResult, SendTimes } from "../model/migration-result.ts";
import type { InputSummary, Round, Sufficiency } from "../model/result.ts";
import { probesSeen } from "./limit.ts";

interface Question {
  question: string;
  /** Probes without which there is no answer, and those without which it is incomplete. */
  needs: string[];
  wants: string[];
  without: string;
  /** Other events that answer it, as far as `answer` says. */
  instead?: readonly { event: string; answer: "yes" | "partly"; why: string }[];
}

const QUESTIONS: Question[] = [
  {
    question: "What would vhost-scsi before 6.16 have logged?",
    needs: ["used"],
    wants: ["drain", "rearm", "uflags"],
    without: "flags and avail_event writes, or SET_LOG_BASE, are not seen",
  },
  {
    question: "What would vhost-scsi from 6.16 on have logged?",
    needs: ["used", "desc", "pop"],
    wants: ["drain", "ioctl", "ioctl_ret"],
    without: "whether entries were captured, or freed by a toggle of LOG_ALL, is not seen",
  },
  {
    question: "Which pages did the device write?",
    needs: ["used", "desc", "pop"],
    wants: [],
    without: "",
  },
  {
    question: "When was logging switched on and off?",
    needs: ["ioctl"],
    wants: ["ioctl_ret"],
    without: "whether an ioctl succeeded is not seen",
    instead: [
      {
        ...{ event: "vhost_user_write", answer: "yes" },
        why: "the messages that QEMU sends to a back end",
      },
      {
        ...{ event: "vu_pop_entry", answer: "partly" },
        why: "as the requests of the back end show it, the next one after each change",
      },
    ],
  },
  {
    question: "Which memory does the guest have?",
    needs: ["mem"],
    wants: [],
    without: "",
  },
];

/** The uprobes of user-space back ends that tell what a probe of the kernel tells. */
const IN_BACK_ENDS: Readonly<Record<string, readonly string[]>> = {
  used: ["spdk_used", "vu_fill"],
  desc: ["spdk_desc", "vu_gpa"],
  pop: ["spdk_get", "vu_pop"],
  drain: ["spdk_get", "vu_pop_entry"],
  ioctl: ["message"],
  ioctl_ret: ["message"],
};

const ELEMENT_EVENTS = ["virtqueue_pop", "virtqueue_fill", "address_space_map"];

/** The same of a recording of QEMU's own devices. */
const OF_ELEMENTS: Question[] = [
  {
    question: "Which pages did QEMU's devices write?",
    needs: ELEMENT_EVENTS,
    wants: ["virtio_queue_notify"],
    without: "which device and queue an element is of is not seen",
  },
  {
    question: "What would a vhost have logged in their place?",
    needs: ELEMENT_EVENTS,
    wants: ["global_dirty_changed"],
    without: "when the dirty log was on is not seen",
  },
];

const STALE = "Which pages are stale at the destination?";

/** What a migration's verdict rests on. */
function staleAnswer(
  migrations: readonly MigrationResult[],
  missing: (probes: readonly string[]) => string[],
): Sufficiency {
  const main = migrations.findLast(({ verdicts }) => verdicts.length > 0) ?? migrations.at(-1);
  if (!main) {
    const why = "no migration: no global_dirty_changed event of QEMU, no LOG_ALL";
    return { question: STALE, answer: "no", why };
  }
  if (missing(["used"]).length > 0 && missing(ELEMENT_EVENTS).length > 0) {
    return { question: STALE, answer: "no", why: "what devices wrote is not known" };
  }
  const why: Record<SendTimes, string> = {
    none: `no ram_save_page events${missing(["migration_bitmap_sync_start"]).length > 0 ? ", no syncs of QEMU" : ""}: only bounds`,
    destination: "only arrivals at the destination (ram_load_loop)",
    packets: "packets of multifd: when the first pass sent a page, of later passes nothing",
    source: "page sends, of zeros none (they are in the destination's recording)",
    "source-and-destination": "page sends with zeros",
  };
  const paged = main.sendTimes === "source" || main.sendTimes === "source-and-destination";
  const answer = paged ? "yes" : "partly";
  return { question: STALE, answer, why: why[main.sendTimes] };
}

/** One answer a question. */
export function answerable(
  inputs: readonly InputSummary[],
  rounds: readonly Round[],
  migrations: readonly MigrationResult[],
): Sufficiency[] {
  const seen = probesSeen(inputs);
  const missing = (probes: readonly string[]): string[] =>
    probes.filter((probe) =>
      [probe, ...(IN_BACK_ENDS[probe] ?? [])].every((one) => (seen.get(one) ?? 0) === 0),
    );
  const elements = (seen.get("virtqueue_pop") ?? 0) > 0;
  const probes = QUESTIONS.some(({ needs }) => missing(needs).length < needs.length);
  const asked = [...(probes || !elements ? QUESTIONS : []), ...(elements ? OF_ELEMENTS : [])];
  const answers: Sufficiency[] = asked.map(({ question, needs, wants, without, instead }) => {
    const lacking = missing(needs);
    if (lacking.length > 0) {
      const other = instead?.find(({ event }) => (seen.get(event) ?? 0) > 0);
      if (other) return { question, answer: other.answer, why: other.why };
      return { question, answer: "no", why: `no ${lacking.join(", ")} events` };
    }
    const wanting = missing(wants);
    if (wanting.length > 0) {
      return { question, answer: "partly", why: `no ${wanting.join(", ")} events: ${without}` };
    }
    return { question, answer: "yes", why: "all probes that it needs have events" };
  });
  const syncs = rounds.filter((round) => round.sync !== null).length;
  answers.push({
    question: "In which round was a page lost?",
    answer: syncs > 0 ? "yes" : "no",
    why: syncs > 0 ? `${syncs} sync${syncs === 1 ? "" : "s"}` : "no sync markers; all is one round",
  });
  answers.push(staleAnswer(migrations, missing));
  return answers;
}
