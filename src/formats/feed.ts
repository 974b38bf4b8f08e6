/**
 * A feed puts one recording's bytes into streams of the core and answers when the core asks about
 * a line, a name or damage. One for each format; they know nothing of what events mean.
 */

import type { ByteStream } from "../bytes/source.ts";
import type { Core } from "../core/core.ts";
import type { Place } from "../model/place.ts";
import type { GapSummary, InputSummary } from "../model/result.ts";
import type { Entries } from "./stated-entries.ts";
import type { Unread } from "./unread.ts";

export interface Feed {
  /** First of the core's streams that belong to this feed, and how many. */
  readonly firstStream: number;
  readonly streams: number;
  /** Puts more bytes (or records) into this stream, or ends it. */
  fill(stream: number): void | Promise<void>;
  /** The core stopped at a line or name of this stream. Throws RecordingError. */
  line(stream: number, newName: boolean): void;
  /** The core met damage in this stream: it is a loss, and the core goes on behind it. */
  damaged(stream: number): void;
  /** A marker that the replay does not know; a feed may learn that it is an event of QEMU. */
  marker?(text: string): void;
  /** Where the record with this `place` stands. */
  place(stream: number, place: number): Place;
  /** `symbol` is the function that a probe of the kernel sat in, not one that a driver's name stands for. */
  probesKernel(ip: bigint): boolean;
  /** Name of the probed function that a record's EVENT_IP means; null when not known. */
  symbol(ip: bigint): string | null | Promise<string | null>;
  /** What is known of the input now: complete when the replay has ended. */
  summary(): FeedSummary;
  /** Name of the buffer that a stream is of, empty for the top one; only where a format has buffers. */
  buffer?(stream: number): string;
  /** Events of these names are only counted from now on. */
  mute?(names: ReadonlySet<string>): void;
  close(): void;
}

export type FeedSummary = Pick<
  InputSummary,
  "format" | "uname" | "clock" | "clockToleranceNs" | "cpus" | "events" | "foreignLines" | "notes"
> & {
  /** Losses that stand in headers, not among the events. */
  gaps: GapSummary[];
  /** It ends in the middle of a line or record, which is not replayed. */
  cut?: boolean;
  /** Pieces that are there and cannot be read. */
  unread: Unread;
  /** At the end, where the format may say how many events it holds. */
  entries?: Entries;
  /** It is made from one that did not say that it was whole. */
  ofPart?: boolean;
};

/** What a format needs to open a feed. */
export interface FeedContext {
  core: Core;
  /** Name for places. */
  file: string;
  /** Position of the input: user-space addresses of two inputs are not the same memory. */
  space: number;
}

/**
 * Puts the next bytes of an input into the core's stream as they are, or ends it, which `onEnd` is told;
 * waits only where it must.
 */
export function fillStream(
  core: Core,
  stream: number,
  bytes: ByteStream,
  onEnd?: () => void,
): void | Promise<void> {
  const { exports } = core;
  const at = exports.fillPtr(stream);
  const room = exports.fillRoom(stream);
  const filled = (count: number): void => {
    if (count > 0) exports.filled(stream, count);
    else {
      exports.ended(stream);
      onEnd?.();
    }
  };
  const got = bytes.read(core.bytes.subarray(at, at + room));
  return typeof got === "number" ? filled(got) : got.then(filled);
}

/** CPUs of the lines that the core has read. */
export function cpusSeen(core: Core): number[] {
  const at = core.exports.cpuSetPtr();
  const bytes = core.bytes;
  const cpus: number[] = [];
  for (let cpu = 0; cpu < 4096; cpu++) {
    if (bytes[at + (cpu >> 3)]! & (1 << (cpu & 7))) cpus.push(cpu);
  }
  return cpus;
}
