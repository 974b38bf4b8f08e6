/** The document of `explain --json`. Schema: schema/explain.schema.json. */
import type { Answer, Life, LifeEvent, PageLife } from "../../answers/life.ts";
import type { Step } from "../../answers/page-travel.ts";
import { PAGE_BYTES } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type { MachineResult } from "../../model/result.ts";
import type { WatchedWrite } from "../../model/told.ts";
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

/** `vhost-replay/explain/2`. */
export function explainJson(tool: Tool, { asked, result, lives }: Answer) {
  const { gpa, len } = lives[0]!;
  return {
    schema: "vhost-replay/explain/2",
    tool: toolJson(tool),
    options: optionsJson(asked),
    inputs: result.inputs.map(inputJson),
    range: { gpa: hex(gpa), len, pages: len / PAGE_BYTES },
    machines: result.machines.map((machine, i) => lifeJson(machine, lives[i]!)),
  };
}

function lifeJson(machine: MachineResult, life: PageLife) {
  return {
    ...machineJson(machine),
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
    travel: life.travel && {
      source: life.travel.source.map(stepJson),
      destination: life.travel.destination.map(stepJson),
      more: life.travel.more,
    },
    verdicts: life.verdicts,
    limits: machine.limits.map(limitJson),
  } satisfies KeysOf<PageLife, "gpa" | "len" | "outside">;
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
  } satisfies KeysOf<WatchedWrite, "machine">;
}
