/** The document of `identify --json`. Schema: schema/identify.schema.json. */
import type { SyncDifference } from "../../answers/identify.ts";
import { type Answer, bestOf, statusOf } from "../../answers/identify-answer.ts";
import { identifySentence, residueSentence } from "../text/identify-text.ts";
import { hex } from "../text/number-text.ts";
import {
  inputJson,
  type KeysOf,
  limitJson,
  machineJson,
  optionsJson,
  type Tool,
  toolJson,
} from "./result-json.ts";

const ANSWERS = { 0: "explained", 1: "unexplained", 3: "none" } as const;

/** Pages that a sync of the residue lists. */
const LISTED_PAGES = 64;

/** `vhost-replay/identify/2`. */
export function identifyJson(tool: Tool, answer: Answer) {
  const { asked, result, identification } = answer;
  const machine = result.machines[0]!;
  return {
    schema: "vhost-replay/identify/2",
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    machine: machineJson(machine),
    observed: answer.observed,
    answer: ANSWERS[statusOf(answer)],
    sentence: identifySentence(answer),
    best: bestOf(identification).map((row) => row.policy),
    window: machine.window,
    certainty: machine.certainty,
    syncs: identification.syncs,
    ranking: identification.ranking.map((row) => ({
      rank: row.rank,
      policy: row.policy,
      syncsEqual: row.syncsEqual,
      syncs: row.syncs,
      missing: row.missing,
      extra: row.extra,
      ties: [...row.ties],
      whatIf: !row.fits,
    })),
    residue: {
      causes: answer.causes.map((cause) => ({
        side: cause.side,
        causes: [...cause.causes],
        neighbour: cause.neighbour,
        pages: cause.pages,
        syncs: cause.syncs,
        sentence: residueSentence(cause),
      })),
      unexplained: answer.unexplained,
      syncs: identification.residue.map(differenceJson),
      moreSyncs: identification.moreResidue,
    },
    withoutImage: [...answer.withoutImage],
    withoutSync: [...answer.withoutSync],
    limits: machine.limits.map(limitJson),
  };
}

function differenceJson(sync: SyncDifference) {
  const gfns = (pages: number[]): string[] => pages.slice(0, LISTED_PAGES).map(hex);
  return {
    number: sync.number,
    name: sync.name,
    round: sync.round,
    missing: sync.missing,
    extra: sync.extra,
    missingGfns: gfns(sync.missingPages),
    extraGfns: gfns(sync.extraPages),
    caveats: [...sync.caveats],
  } satisfies KeysOf<SyncDifference, "missingPages" | "extraPages">;
}
