/** What node/zstd-threads.ts and node/zstd-worker.ts say to each other. */

/**
 * Frames to decompress, all in one piece of memory that changes hands and comes back: i32 count, then
 * for each frame i32 {offset of its bytes, how many, offset of its room, how large}. The answer
 * replaces the last one by how many bytes it gave, which may be more than there was room for.
 *
 * Memory that is shared instead is copied by a slow loop of atomic reads and writes, on both sides
 * (measured: a fifth of the replay of a long recording).
 */
export type Request = ArrayBuffer;
/** The piece comes back; the texts stand for frames that gave nothing, by their number. */
export interface Reply {
  memory: ArrayBuffer;
  errors: Record<number, string> | null;
}
/** Of the table: words before the first frame, and of each frame. */
export const COUNT_WORDS = 1;
export const FRAME_WORDS = 4;
