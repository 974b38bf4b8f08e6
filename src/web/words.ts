/** The answer in words and numbers: the sentences are those of the command line. */
import { mainMigration } from "../answers/stale.ts";
import { hasStates } from "../history/page-states.ts";
import { countPages } from "../model/page-runs.ts";
import type { InputSummary, Limit, MachineResult, Round } from "../model/result.ts";
import { findingsText } from "../report/text/finding-text.ts";
import { migrationText, staleSentence } from "../report/text/migration-text.ts";
import { byteSize, countOf, seconds } from "../report/text/number-text.ts";
import { queueLabel } from "../report/text/queue-text.ts";
import { textStyle } from "../report/text/text-layout.ts";
import { verdictSentence } from "../report/text/verdict.ts";
import type { Case } from "./case.ts";
import type { PolicySummary, RoundSummary, Summary } from "./protocol.ts";

const PLAIN = textStyle(false);

/** Everything that a page shows beside its pictures. */
export function summarise(one: Case): Summary {
  const { history, machine } = one;
  const { result } = machine;
  const migration = mainMigration(result);
  const told = migration?.from === "qemu" ? migration : null;
  const lost = verdictSentence(result);
  const view = one.view();
  return {
    inputs: result.inputs.map((input) => ({ name: input.name, about: aboutInput(input) })),
    lead: told ? staleSentence(told, result) : lost,
    bad: told
      ? (told.verdicts[0]?.worst ?? 0) > 0
      : result.verdict && (result.policies[0]?.lost ?? 0) > 0,
    more: told ? [lost] : [],
    timeline: told
      ? [
          migrationText({ ...told, verdicts: [] }, PLAIN)
            .join(" ")
            .replace(/\s+/g, " "),
        ]
      : [],
    policies: result.policies.map((policy) => policySummary(policy, result)),
    rounds: result.rounds.map(roundSummary),
    moreRounds: result.moreRounds,
    findings: result.policies
      .map((policy) => ({
        policy: policy.name,
        lines: findingsText(result, policy, Number.POSITIVE_INFINITY, PLAIN).slice(2),
      }))
      .filter(({ lines }) => lines.length > 0),
    limits: result.limits.map(({ text, effect }) => ({ text, effect: EFFECTS[effect ?? "none"] })),
    queues: machine.queues.map(({ device, index }, number) => ({
      number,
      label: queueLabel(result.devices, device, index),
    })),
    level: history.level,
    tool: `${history.tool.name} ${history.tool.version}`,
    mode: one.mode,
    hasStates: hasStates(machine),
    hasSends: machine.table("sends").length > 0,
    requests: machine.table("requests").length,
    overLogged: result.policies.map((_, i) =>
      result.rounds.reduce((sum, { policies }) => sum + (policies[i]?.extra ?? 0), 0),
    ),
    lanes: view.last,
    begin: one.begin,
    end: one.end,
    view,
    last: one.last(),
  };
}

const EFFECTS: Record<NonNullable<Limit["effect"]> | "none", string> = {
  more: "the true numbers may be higher",
  fewer: "the true numbers may be lower",
  both: "the true numbers may be higher or lower",
  none: "",
};

function aboutInput({ format, compression, size, firstNs, lastNs, events }: InputSummary): string {
  const total = events.reduce((sum, { count }) => sum + count, 0);
  return [
    format,
    ...compression,
    ...(size === null ? [] : [byteSize(size)]),
    ...(firstNs === null || lastNs === null ? [] : [`${seconds(firstNs)} to ${seconds(lastNs)} s`]),
    countOf(total, "event"),
  ].join(", ");
}

function policySummary(
  policy: MachineResult["policies"][number],
  result: MachineResult,
): PolicySummary {
  const verdict = mainMigration(result)?.verdicts.find((one) => one.policy === policy.name);
  const known = verdict !== undefined && verdict.best !== null;
  return {
    name: policy.name,
    alias: policy.alias,
    title: policy.title,
    logged: policy.logged,
    lost: policy.lost,
    stillLost: policy.stillLost,
    verdict: verdict
      ? {
          best: verdict.best,
          possibly: known
            ? countPages(verdict.likelyStale) + countPages(verdict.possiblyStale)
            : null,
          healed: known
            ? verdict.healed.reduce((sum, { runs }) => sum + countPages(runs), 0)
            : null,
          whatIf: verdict.whatIf,
        }
      : null,
  };
}

function roundSummary({ index, sync, written, policies, bitmapSync }: Round): RoundSummary {
  return {
    index,
    sync: sync === null ? "end of recording" : `${sync.number} ${sync.name}`.trim(),
    seconds: sync === null ? "" : seconds(sync.ns),
    written,
    sent: bitmapSync?.sent ?? null,
    policies: policies.map(({ logged, lost }) => ({ logged, lost })),
  };
}

/** Options of the command line, as the page calls them. */
const CALLED: Readonly<Record<string, string>> = {
  "clock-offset": "a clock offset",
  "clock-pairs": "clock pairs",
  "clock-tolerance": "a clock tolerance",
  mtree: "a memory map (the answer to info mtree -f)",
  "trace-events": "the file trace-events-all",
  ran: "the policy that ran",
  policy: "a policy",
};

/** A message without options of the command line: they are fields of the form here. */
export function withoutOptions(message: string): string {
  return message
    .replace(/--clock-offset \S+=SECONDS/g, "a clock offset for this file")
    .replace(/--mtree FILE, the answer to info mtree -f/g, "the answer to info mtree -f")
    .replace(
      /--([a-z][a-z-]*)(?: FILE)?/g,
      (_, name: string) => CALLED[name] ?? name.replaceAll("-", " "),
    );
}
