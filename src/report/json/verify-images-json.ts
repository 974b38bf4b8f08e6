/** The document of `verify --source-dump --json`. Schema: schema/verify-images.schema.json. */
import { type Answer, type ImageFacts, statusOf } from "../../answers/image-comparison.ts";
import type { ToldSet } from "../../answers/page-set.ts";
import { imagesSentence } from "../text/verify-images-text.ts";
import { ownersJson } from "./owners-json.ts";
import {
  inputJson,
  limitJson,
  machineJson,
  optionsJson,
  runJson,
  type Tool,
  toolJson,
} from "./result-json.ts";

const ANSWERS = { 0: "explained", 1: "unexplained", 3: "none" } as const;

/** `vhost-replay/verify-images/2`. */
export function verifyImagesJson(tool: Tool, images: Answer) {
  const { asked, result } = images;
  const machine = result.machines[0]!;
  return {
    schema: "vhost-replay/verify-images/2",
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    machine: machineJson(machine),
    answer: ANSWERS[statusOf(images)],
    sentence: imagesSentence(images),
    source: imageJson(images.source),
    destination: imageJson(images.destination),
    sentPages: images.sentPages,
    notes: [...images.notes],
    compared: images.compared,
    differing: setJson(images.differing),
    onlyInSource: setJson(images.onlyInSource),
    onlyInDestination: setJson(images.onlyInDestination),
    inNeither: setJson(images.inNeither),
    policies: images.policies.map(({ name, alias, verdict }) => ({
      name,
      alias,
      answer: verdict.answer,
      classes: verdict.classes.map((one) => ({
        class: one.class,
        pages: one.pages,
        differing: one.differing,
        equal: one.equal,
        uncompared: one.uncompared,
      })),
      unexplained: setJson(verdict.unexplained),
      staleEqual: setJson(verdict.staleEqual),
      staleSent: verdict.staleSent === null ? null : { ...verdict.staleSent },
    })),
    limits: machine.limits.map(limitJson),
  };
}

function imageJson(image: ImageFacts) {
  return {
    name: image.name,
    format: image.format,
    pages: image.pages,
    notes: [...image.notes],
  };
}

function setJson(set: ToldSet) {
  return {
    pages: set.pages,
    runs: set.runs.map(runJson),
    moreRuns: set.moreRuns,
    owners: set.owners === null ? null : ownersJson(set.owners),
  };
}
