/** `report --html`: the answer as a page, with the history that its pictures are drawn from. */
import type { Replayer } from "../../answers/replayer.ts";
import type { HistoryLevel } from "../../history/index.ts";
import { byteSize } from "../../report/text/number-text.ts";
import { wholeNumber } from "./arguments.ts";
import type { Io } from "./io.ts";
import { type MachineArguments, machineOption } from "./machine-options.ts";
import { packed, pageWith, writeWhole } from "./page-file.ts";
import type { ReplayApi } from "./replay-api.ts";

export interface HtmlArguments extends MachineArguments {
  recordings: string[];
  quiet?: boolean;
  /** File that is written. */
  html?: string;
  /** Most MiB of packed history with single events, decimal. */
  htmlBudget?: string;
}

const DEFAULT_BUDGET = "16";

/** Bytes that a page's history may have. Throws UsageError. */
export function htmlBudget({ htmlBudget: text = DEFAULT_BUDGET }: HtmlArguments): number {
  return wholeNumber(text, "--html-budget", 1 << 20) * 2 ** 20;
}

/**
 * Asks, and writes the page of the same replay. Where single events are more than the budget the
 * recording is replayed once more for its rounds only.
 */
export async function withHtml<A>(
  api: ReplayApi,
  io: Io,
  args: HtmlArguments,
  budget: number,
  question: (replay: Replayer) => Promise<A>,
): Promise<A> {
  const { html } = args;
  if (html === undefined) return question(api.replay);
  const replayed = async (level: HistoryLevel): Promise<{ answer: A; history: Buffer }> => {
    let bytes: Uint8Array = new Uint8Array(0);
    const answer = await question(async (recording, options) => {
      const made = await api.history(recording, { ...options, ...machineOption(args) }, level);
      bytes = made.bytes;
      return made.result;
    });
    return { answer, history: await packed(bytes) };
  };
  let level: HistoryLevel = "events";
  let { answer, history } = await replayed(level);
  if (history.length > budget) {
    level = "rounds";
    ({ answer, history } = await replayed(level));
  }
  const page = await pageWith(history, args.recordings[0] ?? "recording");
  await writeWhole(html, page);
  if (!args.quiet) {
    const why = level === "rounds" ? ", rounds only: single events are beyond the budget" : "";
    io.err(`${html}: ${byteSize(Buffer.byteLength(page))}${why}\n`);
  }
  return answer;
}
