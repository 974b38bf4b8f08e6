/** The document of `attribute --json`. Schema: schema/attribute.schema.json. */
import type { Answer, Attribution, LostByQueue, PageSet } from "../../answers/attribute.ts";
import type { MachineResult } from "../../model/result.ts";
import { attributeSentence } from "../text/attribute-text.ts";
import {
  inputJson,
  type KeysOf,
  limitJson,
  machineJson,
  optionsJson,
  runJson,
  type Tool,
  toolJson,
} from "./result-json.ts";

/** `vhost-replay/attribute/2`. */
export function attributeJson(tool: Tool, { asked, result, attributions }: Answer) {
  return {
    schema: "vhost-replay/attribute/2",
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    machines: result.machines.map((machine, i) => attributionJson(machine, attributions[i]!)),
  };
}

function attributionJson(machine: MachineResult, attribution: Attribution) {
  return {
    ...machineJson(machine),
    sentence: attributeSentence(attribution, machine),
    verdict: machine.verdict,
    certainty: machine.certainty,
    window: attribution.window,
    windowWhy: attribution.windowWhy,
    written: machine.written,
    lost: attribution.lost,
    prefix: attribution.prefix,
    prefixes: attribution.prefixes.map(({ upTo, lost }) => ({ upTo, lost })),
    patches: attribution.patches.map(({ number, title, pages }) => ({ number, title, pages })),
    sets: attribution.sets.map((set) => ({ patches: [...set.patches], ...pagesJson(set) })),
    unsaved: {
      ...pagesJson(attribution.unsaved),
      causes: attribution.unsaved.causes.map(lostJson),
    },
    unlisted: attribution.unlisted,
    queues: attribution.queues.map(lostJson),
    moreFindings: attribution.moreFindings,
    limits: machine.limits.map(limitJson),
  } satisfies KeysOf<Attribution>;
}

function pagesJson(set: PageSet) {
  return { pages: set.pages, runs: set.runs.map(runJson), moreRuns: set.moreRuns };
}

function lostJson(lost: LostByQueue) {
  return {
    device: lost.device,
    queue: lost.queue,
    cause: lost.cause,
    pages: lost.pages,
    requests: lost.requests,
    patches: lost.patches === null ? null : [...lost.patches],
  } satisfies KeysOf<LostByQueue>;
}
