/** The life of some guest pages: every write, every sync, and who logged what. */
import { formatPlace } from "../../model/place.ts";
import type { ReplayResult, SyncMark, WatchedWrite } from "../../model/result.ts";
import { causesOf } from "../../vhost/causes.ts";
import { assumeLogging, type Policy, WINDOW } from "../../vhost/policy.ts";
import { inputJson, limitJson, type Tool, toolJson } from "../json/result-json.ts";
import { limitsText } from "./limits-text.ts";
import { byteRange, countOf, hex, PAGE_BYTES, seconds } from "./number-text.ts";
import { policyLabel, queueLabel } from "./queue-text.ts";
import { printable, type TextStyle, wrapText } from "./text-layout.ts";

/** One thing that happened to the watched pages, in time order. */
export type LifeEvent =
  | { kind: "write"; write: WatchedWrite }
  | { kind: "sync"; round: number; mark: SyncMark; lost: readonly number[] };

/** What one policy did for the watched pages. */
export interface PolicyLife {
  name: string;
  alias: string | null;
  /** Writes whose pages it logs. */
  loggedWrites: number;
  /** Rounds in which a watched page was written and not logged. */
  lostRounds: number[];
  /** Distinct watched pages lost in any round. */
  lostPages: number;
}

/** The finished life. */
export interface Life {
  gpa: number;
  len: number;
  events: LifeEvent[];
  /** Writes that were counted and not kept. */
  moreEvents: number;
  writes: number;
  /** Writes outside the logging window: no policy answers for them. */
  outside: number;
  policies: PolicyLife[];
}

/** Collects a life while a replay runs. */
export interface LifeRecorder {
  write(write: WatchedWrite): void;
  /** Ends a round; `mark` null for the one that no sync ends. */
  sync(round: number, mark: SyncMark | null): void;
  life(): Life;
}

/**
 * Watches `len` bytes of whole pages from `gpa`, keeps at most `keep` events. Its memory grows with
 * the watched pages, not with the recording. A page is lost in a round when it was written inside
 * the window and no write of that round that the policy logs touched it. `assumed`: every write is
 * inside the window, otherwise those whose cause does not end in `off` are.
 */
export function recordLife(
  gpa: number,
  len: number,
  policies: readonly { policy: Policy; alias: string | null }[],
  keep: number,
  assumed: boolean,
): LifeRecorder {
  const life: Life = { gpa, len, events: [], moreEvents: 0, writes: 0, outside: 0, policies: [] };
  const written = new Set<number>();
  const inWindow = new Set(causesOf(WINDOW));
  const rows = policies.map(({ policy, alias }) => ({
    logs: new Set(causesOf(assumed ? assumeLogging(policy.logs) : policy.logs)),
    result: { name: policy.name, alias, loggedWrites: 0, lostRounds: [] as number[], lostPages: 0 },
    logged: new Set<number>(),
    everLost: new Set<number>(),
  }));
  const add = (event: LifeEvent) => {
    if (life.events.length < keep) life.events.push(event);
    else life.moreEvents += 1;
  };
  return {
    write(write) {
      life.writes += 1;
      const loggedBy = rows
        .filter(({ logs }) => logs.has(write.cause))
        .map(({ result }) => result.name);
      add({ kind: "write", write: { ...write, loggedBy } });
      const inside = assumed || inWindow.has(write.cause);
      if (!inside) life.outside += 1;
      const pages = watchedPages(write, gpa, len);
      if (inside) for (const gfn of pages) written.add(gfn);
      for (const row of rows) {
        if (!row.logs.has(write.cause)) continue;
        row.result.loggedWrites += 1;
        for (const gfn of pages) row.logged.add(gfn);
      }
    },
    sync(round, mark) {
      const lost = rows.map((row) => {
        const pages = [...written].filter((gfn) => !row.logged.has(gfn));
        for (const gfn of pages) row.everLost.add(gfn);
        if (pages.length > 0) row.result.lostRounds.push(round);
        row.logged.clear();
        return pages.length;
      });
      written.clear();
      if (mark !== null) add({ kind: "sync", round, mark, lost });
    },
    life() {
      life.policies = rows.map((row) => ({ ...row.result, lostPages: row.everLost.size }));
      return life;
    },
  };
}

function watchedPages(write: WatchedWrite, gpa: number, len: number): number[] {
  const from = Math.floor(Math.max(write.gpa, gpa) / PAGE_BYTES);
  const to = Math.ceil(Math.min(write.gpa + write.len, gpa + len) / PAGE_BYTES);
  return Array.from({ length: Math.max(to - from, 0) }, (_, index) => from + index);
}

/** For people; the first line is the answer. Ends in a line feed. */
export function explainText(life: Life, result: ReplayResult, style: TextStyle): string {
  const pages = life.len / PAGE_BYTES;
  const what = `${byteRange(life.gpa, life.len)} (${countOf(pages, "page")})`;
  const lines = [
    style.bold(
      life.writes === 0
        ? `${what}: no write in this recording.`
        : `${what}: ${countOf(life.writes, "write")}${outsideText(life)}.`,
    ),
  ];
  if (life.writes > 0) {
    lines.push("", ...life.policies.flatMap((p) => wrapText(policyText(p), "  ", "    ")), "");
  }
  for (const event of life.events) lines.push(...eventLines(event, life, result));
  if (life.moreEvents > 0) lines.push(`and ${countOf(life.moreEvents, "more event")} (--limit)`);
  if (lines.at(-1) !== "") lines.push("");
  lines.push(...limitsText(result.limits, style));
  return `${lines.join("\n")}\n`;
}

function outsideText(life: Life): string {
  if (life.outside === 0) return "";
  if (life.outside === life.writes) return ", all while logging was off";
  return `, ${life.outside} of them while logging was off`;
}

function policyText(policy: PolicyLife): string {
  const label = policyLabel(policy);
  const logged = `${label}: logs ${countOf(policy.loggedWrites, "write")}`;
  if (policy.lostPages === 0) return `${logged}, loses no page`;
  const rounds = countOf(policy.lostRounds.length, "round");
  return `${logged}, loses ${countOf(policy.lostPages, "page")} in ${rounds}`;
}

function eventLines(event: LifeEvent, life: Life, result: ReplayResult): string[] {
  if (event.kind === "sync") {
    const name = `sync ${event.mark.number} ${printable(event.mark.name)}`.trimEnd();
    const lost = event.lost.flatMap((pages, index) =>
      pages > 0 ? [`${life.policies[index]!.name} lost ${countOf(pages, "page")}`] : [],
    );
    const tail = lost.length > 0 ? `: ${lost.join(", ")}` : "";
    return [
      `${seconds(event.mark.ns).padStart(14)}  ${name}${tail}`,
      `${" ".repeat(16)}${printable(formatPlace(event.mark.place))}`,
    ];
  }
  return writeLines(event.write, result);
}

/** One write in two lines: what, and where in the recording. */
export function writeLines(write: WatchedWrite, result: Pick<ReplayResult, "devices">): string[] {
  const queue = queueLabel(result.devices, write.device, write.queue);
  const who = [
    write.request === null ? "" : `request ${write.request}`,
    write.head === null ? "" : `head ${write.head}`,
  ].filter((part) => part !== "");
  const logged =
    write.loggedBy.length === 0 ? "logged by none" : `logged by ${write.loggedBy.join(", ")}`;
  const what = [`${byteRange(write.gpa, write.len)}`, `${write.cause}, ${queue}`, ...who, logged];
  const from = write.popPlace === null ? "" : `, popped at ${formatPlace(write.popPlace)}`;
  const indent = " ".repeat(16);
  return [
    ...wrapText(what.join(", "), `${seconds(write.ns).padStart(14)}  write `, indent),
    ...wrapText(printable(`${formatPlace(write.place)}${from}`), indent, indent),
  ];
}

/** `vhost-replay/explain/1`. */
export function explainJson(
  tool: Tool,
  options: { policies: string[]; window: string; syncMarker: string | null },
  life: Life,
  result: ReplayResult,
) {
  return {
    schema: "vhost-replay/explain/1",
    tool: toolJson(tool),
    options: { policies: options.policies, window: options.window, syncMarker: options.syncMarker },
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
