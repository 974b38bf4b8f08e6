/** Histories: what pictures of a recording are drawn from. docs/history.md describes the bytes. */
import type { Recording } from "../join/recording.ts";
import type { ReplayResult } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { type ReplayOptions, replay } from "../replay/replay.ts";
import type { HistoryLevel } from "./header.ts";
import { HistoryWriter } from "./history-writer.ts";

export { hasMagic } from "./container.ts";
export type {
  HistoryHeader,
  HistoryLevel,
  HistoryMachine,
  HistoryPolicy,
  HistoryQueue,
  HistoryStream,
  LogInterval,
} from "./header.ts";
export { placeText } from "./header.ts";
export type { History, HistoryTable, MachineHistory } from "./read-history.ts";
export { readHistory } from "./read-history.ts";
export type { ColumnName, TableName } from "./tables.ts";
export {
  PAGE_STATES,
  REQUEST_STATES,
  ROUND_SETS,
  SEND_KINDS,
  TABLES,
  VERDICT_SETS,
} from "./tables.ts";

/**
 * Replays a recording and makes a history of its machine, or of that which `sinkMachine` says: the answer,
 * and the document's bytes, not compressed (it is meant to be kept in gzip). Throws what `replay`
 * throws, and UsageError where it is open which of several machines is meant.
 */
export async function makeHistory(
  recording: Recording,
  options: Omit<ReplayOptions, "sink">,
  level: HistoryLevel,
  tool: { name: string; version: string },
): Promise<{ result: ReplayResult; bytes: Uint8Array<ArrayBuffer> }> {
  const writer = new HistoryWriter(level, options.sinkMachine ?? null, options.policies.length);
  const result = await beside(replay)(recording, { ...options, sink: writer });
  return { result, bytes: writer.finish(result, options.policies, tool) };
}
