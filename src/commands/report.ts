/** `report`: which pages each policy would have left out of the dirty log. */
import { type Answer, ask, statusOf } from "../answers/lost.ts";
import { worstStatus } from "../answers/machines.ts";
import type { Case } from "../case/case.ts";
import { casesJson } from "../report/json/case-json.ts";
import { reportJson } from "../report/json/report-json.ts";
import type { Tool } from "../report/json/result-json.ts";
import { caseListText, caseText } from "../report/text/case-text.ts";
import { reportText, SHOWN_FINDINGS } from "../report/text/report-text.ts";
import { type CommonArguments, replayablePolicies, windowOf } from "./shared/arguments.ts";
import type { OpenedCase } from "./shared/case.ts";
import { type HtmlArguments, htmlBudget, withHtml } from "./shared/html-report.ts";
import type { Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions, say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface ReportArguments extends CommonArguments, HtmlArguments {
  policy?: string[];
  assumeLogging?: boolean;
  all?: boolean;
}

/** Prints the report; returns 0, 1 or 3. */
export async function run(api: ReplayApi, io: Io, args: ReportArguments): Promise<number> {
  const policies = replayablePolicies(api, io, args, args.policy);
  const options = {
    policies,
    window: windowOf(args.assumeLogging, "auto"),
    ...commonOptions(io, args),
  };
  const shown = args.all ? Number.POSITIVE_INFINITY : SHOWN_FINDINGS;
  const budget = htmlBudget(args);
  const answer = await openSession(api, io, args).ask((recording) =>
    withHtml(api, io, args, budget, (replay) => ask(recording, options, replay)),
  );
  await say(io, args, {
    text: (style) => reportText(answer.result, style, shown, args.case ? caseText(args.case) : []),
    json: () => reportJson(api.tool, answer, args.case),
  });
  return statusOf(answer);
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
    const policies = replayablePolicies(api, io, args, args.policy);
    const options = {
      ...{ policies, window: windowOf(args.assumeLogging, "auto") },
      ...commonOptions(io, args),
    };
    const answer = await openSession(api, io, args).ask((recording) =>
      ask(recording, options, api.replay),
    );
    statuses.push(statusOf(answer));
    answers.push({ opened, answer, tool: api.tool });
  }
  await say(io, cases[0]!.args, {
    text: (style) =>
      caseListText(
        answers.map(({ opened, answer }) => ({ opened, result: answer.result })),
        style,
      ),
    json: () => casesJson(answers.map((one) => reportJson(one.tool, one.answer, one.opened))),
  });
  return worstStatus(statuses);
}
