/** The frames of one CPU's compressed data, one after the other or some of them ahead. */

import { RecordingError } from "../../model/place.ts";
import type { Cursor } from "./cursor.ts";
import {
  checkedFrame,
  decodeFrame,
  type PackedFrame,
  readPacked,
  type SeekableFile,
} from "./decompress.ts";

/** Frames asked for together, and how many bytes they may give; two such batches are under way. */
const BATCH_FRAMES = 16;
const BATCH_BYTES = 1 << 20;
/** All batches of a file together: many CPUs have small ones. */
const AHEAD_BYTES = 16 << 20;

/** A frame that does not decode, and how many bytes it should give. */
export interface DamagedFrame {
  readonly error: RecordingError;
  readonly size: number;
}

export type FrameReader = () => Promise<Uint8Array | DamagedFrame | null>;

/**
 * Reads `count` frames from `cursor`, a frame a call; null at the end. Frames that decode elsewhere are
 * read ahead. Throws where the next frame cannot be found, when everything before it was given.
 */
export function frameReader(cursor: Cursor, file: SeekableFile, count: number): FrameReader {
  const { zstdAhead } = file.codecs;
  if (zstdAhead !== undefined && file.compression === "zstd") {
    return aheadReader(cursor, file, count, zstdAhead);
  }
  let left = count;
  return async () => {
    if (left === 0) return null;
    left--;
    const frame = await readPacked(cursor, file);
    try {
      return await decodeFrame(file, frame);
    } catch (error) {
      return damaged(error, frame);
    }
  };
}

function damaged(error: unknown, { size }: PackedFrame): DamagedFrame {
  if (!(error instanceof RecordingError)) throw error;
  return { error, size };
}

type Ahead = NonNullable<SeekableFile["codecs"]["zstdAhead"]>;
/** A frame's bytes, that it is damaged, or what is to be thrown in its place. */
type Outcome = { given: Uint8Array | DamagedFrame } | { error: unknown };

interface Batch {
  outcomes: Outcome[];
  release(): void;
}

const nothing = (): void => {};

function aheadReader(
  cursor: Cursor,
  file: SeekableFile,
  count: number,
  decode: Ahead,
): FrameReader {
  let left = count;
  let batch: Batch = { outcomes: [], release: nothing };
  const underway: Promise<Batch>[] = [];
  file.readers = (file.readers ?? 0) + 1;

  async function ask(): Promise<void> {
    const room = Math.min(BATCH_BYTES, AHEAD_BYTES / 2 / (file.readers ?? 1));
    const frames: PackedFrame[] = [];
    let failed: Outcome | undefined;
    for (let bytes = 0; left > 0 && frames.length < BATCH_FRAMES && !failed; ) {
      if (frames.length > 0 && bytes >= room) break;
      left--;
      try {
        const frame = await readPacked(cursor, file);
        frames.push(frame);
        bytes += frame.size;
      } catch (error) {
        failed = { error };
        left = 0;
      }
    }
    if (frames.length > 0) underway.push(outcomes(frames));
    if (failed) underway.push(Promise.resolve({ outcomes: [failed], release: nothing }));
  }

  async function outcomes(frames: PackedFrame[]): Promise<Batch> {
    const decoded = await decode(frames);
    const list = frames.map((frame, i): Outcome => {
      try {
        return { given: checkedFrame(file, frame, decoded.frames[i]!) };
      } catch (error) {
        return { given: damaged(error, frame) };
      }
    });
    return { outcomes: list, release: () => decoded.release() };
  }

  return async () => {
    while (underway.length < 2 && left > 0) await ask();
    if (batch.outcomes.length === 0) {
      const next = underway.shift();
      if (next === undefined) return null;
      // What was given before has been used by now.
      batch.release();
      batch = await next;
      if (left > 0) await ask();
    }
    const outcome = batch.outcomes.shift()!;
    if ("error" in outcome) throw outcome.error;
    return outcome.given;
  };
}
