/** The header of a history: everything that is not many. */
import type { LogWindow, MachineResult, ReplayResult } from "../model/result.ts";
import type { Extent } from "./container.ts";
import type { TableName } from "./tables.ts";

export const SCHEMA = "vhost-replay/history/1";

/** `events`: every write, request and send; `rounds`: only what each round wrote and logged. */
export type HistoryLevel = "events" | "rounds";

export interface HistoryHeader {
  schema: typeof SCHEMA;
  tool: { name: string; version: string };
  level: HistoryLevel;
  /** What times in columns are counted from: nanoseconds on the recording's clock, decimal. */
  originNs: string;
  /** Names of the causes, by number; `written` false: no write, only what some vhost logs instead. */
  causes: { name: string; written: boolean }[];
  /** By number: how a place in `stream` columns is written, see `placeText`. */
  streams: HistoryStream[];
  machines: HistoryMachine[];
}

export interface HistoryStream {
  /** Base name of the input. */
  file: string;
  /** What stands before the number, and in which base that is: `:` and 10, `:cpu1+0x` and 16. */
  before: string;
  radix: number;
}

/** What the replay said of one machine, and of its recordings. */
export type HistoryResult = MachineResult & Pick<ReplayResult, "inputs" | "eventsReplayed">;

/** One guest: its answer, and the columns about it. */
export interface HistoryMachine {
  /** From 1. */
  number: number;
  pid: number | null;
  name: string | null;
  /** The whole answer, without the lists of pages: these are columns. */
  result: HistoryResult;
  window: LogWindow;
  policies: HistoryPolicy[];
  queues: HistoryQueue[];
  logging: LogInterval[];
  /** When events were lost: nanoseconds on the recording's clock, decimal. */
  gaps: string[];
  tables: Record<TableName, { rows: number; columns: Record<string, Extent> }>;
}

export interface HistoryPolicy {
  name: string;
  alias: string | null;
  title: string;
  /** Numbers of the causes whose writes count for it, in this window. */
  counts: number[];
  /** Numbers of the causes that it logs, in this window. */
  logs: number[];
  /** Its bit in the column `rows` of `states`. */
  row: number;
  /** Its rows of `rounds`, logged and written: policies with the same causes share them. */
  loggedRow: number;
  writtenRow: number;
}

/** By number, as in columns. */
export interface HistoryQueue {
  device: number;
  index: number | null;
}

/** The dirty log of a device (LOG_ALL), or of one ring of it (VHOST_VRING_F_LOG), was on. */
export interface LogInterval {
  device: number;
  /** Null: the device's. */
  ring: number | null;
  fromNs: string;
  /** Null: to the end of the recording. */
  toNs: string | null;
}

/** A place as it is written everywhere else: `trace.txt:227`. Null: not known. */
export function placeText(
  streams: readonly HistoryStream[],
  stream: number,
  place: number,
): string | null {
  const known = streams[stream];
  return known ? `${known.file}${known.before}${place.toString(known.radix)}` : null;
}
