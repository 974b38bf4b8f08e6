/** The document of `explain --json`. Schema: schema/explain.schema.json. */
import type { Answer, Life, LifeEvent } from "../../answers/life.ts";
import type { Step } from "../../answers/page-travel.ts";
import { PAGE_BYTES } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type { WatchedWrite } from "../../model/result.ts";
import { hex } from "../text/number-text.ts";
import { inputJson, limitJson, optionsJson, type Tool, toolJson } from "./result-json.ts";

/** `vhost-replay/explain/1`. */
export function explainJson(tool: Tool, { asked, result, life, travel, verdicts }: Answer) {
  return {
    schema: "vhost-replay/explain/1",
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    range: { gpa: hex(life.gpa), len: life.len, pages: life.len / PAGE_BYTES },
    writes: life.writes,
    writesOutsideWindow: life.outside,
    policies: life.policies.map((policy) => ({
      name: policy.name,
      alias: policy.alias,
      loggedWrites: policy.loggedWrites,
      lostPages: policy.lostPages,
      lostRounds: policy.lostRounds,
    })),
    events: life.events.map((event) => lifeEventJson(event, life)),
    moreEvents: life.moreEvents,
    travel: travel && {
      source: travel.source.map(stepJson),
      destination: travel.destination.map(stepJson),
      more: travel.more,
    },
    verdicts,
    limits: result.limits.map(limitJson),
  };
}

function lifeEventJson(event: LifeEvent, life: Life) {
  if (event.kind === "write") return { kind: "write", ...writeJson(event.write) };
  return {
    kind: "sync",
    ns: event.mark.ns,
    place: formatPlace(event.mark.place),
    round: event.round,
    number: event.mark.number,
    name: event.mark.name,
    lost: life.policies.map((policy, index) => ({
      policy: policy.name,
      pages: event.lost[index] ?? 0,
    })),
  };
}

function stepJson({ kind, ns, place, gfn }: Step) {
  return { kind, ns, place, gfn: gfn === null ? null : hex(gfn) };
}

/** A write of a watched range. */
export function writeJson(write: WatchedWrite) {
  return {
    ns: write.ns,
    place: formatPlace(write.place),
    round: write.round,
    cause: write.cause,
    gpa: hex(write.gpa),
    len: write.len,
    device: write.device,
    queue: write.queue,
    head: write.head,
    request: write.request,
    popNs: write.popNs,
    popPlace: write.popPlace === null ? null : formatPlace(write.popPlace),
    loggedBy: [...write.loggedBy],
  };
}
