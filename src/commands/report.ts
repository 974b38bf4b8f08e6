/** `report`: is this host affected, which pages does each policy leave behind, and who wrote them? */
import { type Answer, ask, type Options, statusOf } from "../answers/affected.ts";
import { worstStatus } from "../answers/machines.ts";
import type { Case } from "../case/case.ts";
import { casesJson } from "../report/json/case-json.ts";
import { reportJson } from "../report/json/report-json.ts";
import type { Tool } from "../report/json/result-json.ts";
import { caseListText, caseText } from "../report/text/case-text.ts";
import { reportText, SHOWN_FINDINGS } from "../report/text/report-text.ts";
import {
  type CommonArguments,
  logPagesOf,
  replayablePolicies,
  windowOf,
} from "./shared/arguments.ts";
import type { OpenedCase } from "./shared/case.ts";
import { type HtmlArguments, htmlBudget, withHtml } from "./shared/html-report.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan } from "./shared/kernel.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface ReportArguments
  extends CommonArguments,
    HtmlArguments,
    Pick<MigrationArguments, "ran"> {
  policy?: string[];
  assumeLogging?: boolean;
  all?: boolean;
  /** Bytes, decimal. */
  logSize?: string;
}

/** Prints the report; returns 0, 1 or 3 (`statusOf`). */
export async function run(api: ReplayApi, io: Io, args: ReportArguments): Promise<number> {
  const answer = await answerOf(api, io, args);
  const shown = args.all ? Number.POSITIVE_INFINITY : SHOWN_FINDINGS;
  const about = {
    // Policies that were chosen are what is asked about.
    asksAffected: args.policy === undefined,
    qemu: args.case?.options.qemu ?? null,
    files: args.case ? caseText(args.case) : [],
  };
  await say(io, args, {
    text: (style) => reportText(answer, style, shown, about),
    json: () => reportJson(api.tool, answer, args.case),
  });
  return statusOf(answer);
}

async function answerOf(api: ReplayApi, io: Io, args: ReportArguments): Promise<Answer> {
  const options: Options = {
    ...(args.policy ? { policies: replayablePolicies(api, io, args, args.policy) } : {}),
    ...{ window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) },
    ...logPagesOf(args.logSize),
  };
  const budget = htmlBudget(args);
  return openSession(api, io, args).ask(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const asked = { ...options, ...(kernel ? { kernel } : {}) };
    return withHtml(api, io, args, budget, (replay) => ask(recording, asked, replay));
  });
}

/** A text names the files of the case itself. */
export const tellsCase = true;

/** Several cases: one sentence for each, and how to open it. */
export async function runMany(
  cases: readonly OpenedCase<ReportArguments>[],
  io: Io,
): Promise<number> {
  const statuses: (0 | 1 | 3)[] = [];
  const answers: { opened: Case; answer: Answer; tool: Tool }[] = [];
  for (const { api, args, case: opened } of cases) {
    const answer = await answerOf(api, io, args);
    statuses.push(statusOf(answer));
    answers.push({ opened, answer, tool: api.tool });
  }
  await say(io, cases[0]!.args, {
    text: (style) => caseListText(answers, style),
    json: () => casesJson(answers.map((one) => reportJson(one.tool, one.answer, one.opened))),
  });
  return worstStatus(statuses);
}
