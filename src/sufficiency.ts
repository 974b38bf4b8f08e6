/** Which question a recording can answer, and which probe is missing when it cannot. */
import { probesSeen } from "./limit.ts";
import type { InputSummary, Round, Sufficiency } from "./result.ts";

interface Question {
  question: string;
  /** Probes without which there is no answer, and those without which it is incomplete. */
  needs: string[];
  wants: string[];
  without: string;
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
  },
  {
    question: "Which memory does the guest have?",
    needs: ["mem"],
    wants: [],
    without: "",
  },
];

/** One answer a question. */
export function answerable(
  inputs: readonly InputSummary[],
  rounds: readonly Round[],
): Sufficiency[] {
  const seen = probesSeen(inputs);
  const missing = (probes: readonly string[]): string[] =>
    probes.filter((probe) => (seen.get(probe) ?? 0) === 0);
  const answers: Sufficiency[] = QUESTIONS.map(({ question, needs, wants, without }) => {
    const lacking = missing(needs);
    if (lacking.length > 0) {
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
  answers.push({
    question: "Which pages are stale at the destination?",
    answer: "no",
    why: "page sends and the guest's own writes are not recorded",
  });
  return answers;
}
