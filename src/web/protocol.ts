/** What the page and its worker say to each other. */
import type { StripNumbers } from "./draw/strip-numbers.ts";
import type { Strip } from "./draw/strips.ts";
import type { View } from "./draw/view.ts";

/** What a user says about the files. */
export interface Form {
  policies: string[];
  window: "recorded" | "assumed" | "auto";
  /** Name of the policy that ran, or empty. */
  ran: string;
  /** Lines `realtime=… monotonic=…`, or empty. */
  clockPairs: string;
  /** By file: seconds to add to its times; empty: none given. */
  offsets: Record<string, string>;
}

export interface ChosenFile {
  name: string;
  file: Blob;
}

/** Where a panel's pictures are drawn: `last` is the one of the last rounds. */
export type PanelName = "main" | "last";

export interface Panel {
  name: PanelName;
  from: number;
  to: number;
  /** CSS pixels. */
  width: number;
  mapHeight: number;
}

export interface DrawRequest {
  type: "draw";
  id: number;
  panels: Panel[];
  first: number;
  last: number;
  policy: number;
  mode: "states" | "activity";
  over: boolean;
  dark: boolean;
  ratio: number;
  selected: number | null;
  cursor: number | null;
}

/** Which requests a table has. */
export interface RequestFilter {
  queue: number | null;
  state: number | null;
  /** Only such as wrote this page. */
  page: number | null;
  from: number | null;
  to: number | null;
}

/** Pages that are stale or possibly stale at the end, under one policy. */
export interface ComparisonRow {
  policy: string;
  here: number;
  there: number;
  both: number;
  onlyHere: number;
  onlyThere: number;
  /** Runs as ranges of addresses, the first ones. */
  runsHere: string;
  runsThere: string;
}

export interface Comparison {
  /** What is compared with. */
  name: string;
  rows: ComparisonRow[];
}

export type ToWorker =
  | { type: "start"; core: ArrayBuffer; tool: { name: string; version: string } }
  | { type: "open"; files: ChosenFile[]; form: Form }
  | { type: "compare"; files: ChosenFile[]; form: Form }
  | { type: "history"; name: string; bytes: Uint8Array | Blob }
  | { type: "canvas"; panel: PanelName; strips: OffscreenCanvas; map: OffscreenCanvas }
  | DrawRequest
  | { type: "counts"; policy: number; over: boolean; view: View; at: number }
  | {
      type: "locate";
      x: number;
      y: number;
      view: View;
      width: number;
      height: number;
      policy: number;
      over: boolean;
    }
  | { type: "page"; page: number; policy: number }
  | { type: "filter"; filter: RequestFilter }
  | { type: "rows"; from: number; count: number };

/** A policy's numbers; null: not known. */
export interface PolicySummary {
  name: string;
  alias: string | null;
  title: string;
  logged: number | null;
  lost: number | null;
  stillLost: number | null;
  /** Of the migration, where there is one. */
  verdict: {
    best: number | null;
    possibly: number | null;
    healed: number | null;
    whatIf: boolean;
  } | null;
}

export interface RoundSummary {
  index: number;
  sync: string;
  seconds: string;
  written: number | null;
  sent: number | null;
  policies: { logged: number | null; lost: number | null }[];
}

/** Everything that is shown in words, and how pictures begin. */
export interface Summary {
  inputs: { name: string; about: string }[];
  lead: string;
  /** The first policy left pages stale, or out of its log. */
  bad: boolean;
  more: string[];
  timeline: string[];
  policies: PolicySummary[];
  rounds: RoundSummary[];
  moreRounds: number;
  findings: { policy: string; lines: string[] }[];
  limits: { text: string; effect: string }[];
  queues: { number: number; label: string }[];
  level: "events" | "rounds";
  tool: string;
  /** No states of pages: activity is what there is to see. */
  mode: "states" | "activity";
  hasStates: boolean;
  hasSends: boolean;
  requests: number;
  /** Pages that each policy logged and nothing wrote, over all rounds. */
  overLogged: number[];
  lanes: number;
  begin: number;
  end: number;
  view: View;
  /** The last rounds of a migration: a panel of its own. */
  last: { from: number; to: number } | null;
}

/** A page under the pointer. */
export interface Located {
  page: number;
  lane: number;
  ns: number;
  lines: string[];
}

export interface LifeRow {
  seconds: string;
  what: string;
  who: string;
  place: string;
  kind: "write" | "send" | "state" | "sync";
  state: number;
}

export interface PageLife {
  page: number;
  lane: number;
  verdict: string;
  rows: LifeRow[];
  more: number;
}

export interface RequestRow {
  serial: number;
  queue: string;
  head: string;
  popped: string;
  completed: string;
  micros: string;
  state: string;
  cause: string;
  written: string;
  read: string;
  place: string;
}

export type FromWorker =
  | { type: "progress"; words: string; share: number | null }
  | { type: "files"; files: { name: string; said: string; used: boolean }[] }
  | { type: "opened"; summary: Summary }
  | { type: "failed"; message: string }
  | { type: "compared"; comparison: Comparison | null; message: string | null }
  | {
      type: "drawn";
      id: number;
      ticks: { y: number; address: string }[];
      strips: Strip[];
      /** In the colours for a dark ground. */
      dark: boolean;
      millis: number;
    }
  | { type: "counts"; counts: number[]; at: string; strips: StripNumbers }
  | { type: "located"; found: Located | null }
  | { type: "page"; life: PageLife | null }
  | { type: "filtered"; count: number }
  | { type: "rows"; from: number; rows: RequestRow[] };
