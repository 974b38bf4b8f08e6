/** How a field of an event goes into an event record: the words of the tables of probes. */
import type { EventKind } from "../../assembly/event-abi.ts";

/** Where a field goes: offset and size in the record; `optional` when the replay can do without. */
export interface FieldTarget {
  name: string;
  target: number;
  size: 1 | 2 | 4 | 8;
  /** Signed in JSON and when widened. */
  signed?: true;
  optional?: true;
  /** Other names that recipes give it. */
  aliases?: readonly string[];
}

export interface ProbeKind {
  kind: EventKind;
  /** The name in the recipe; also the `event` of NDJSON. */
  name: string;
  fields: FieldTarget[];
  /** Names under which other recipes know it; their events are told by all of their fields. */
  aliases?: readonly string[];
  /** The fields alone identify it (otherwise the name or the probed function must). */
  distinct: boolean;
}

export const u64 = (name: string, target: number): FieldTarget => ({ name, target, size: 8 });
export const u32 = (name: string, target: number): FieldTarget => ({ name, target, size: 4 });
export const s32 = (name: string, target: number): FieldTarget => ({
  name,
  target,
  size: 4,
  signed: true,
});
export const u16 = (name: string, target: number): FieldTarget => ({ name, target, size: 2 });
export const u8 = (name: string, target: number): FieldTarget => ({ name, target, size: 1 });
export const optional = (field: FieldTarget): FieldTarget => ({ ...field, optional: true });

/** The same field under other names. */
export const called = (field: FieldTarget, ...aliases: string[]): FieldTarget => ({
  ...field,
  aliases,
});
