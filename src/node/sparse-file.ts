/** Files whose long runs of zeros are holes. */
import { open, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { UsageError } from "../model/place.ts";

/** A block of most file systems: a smaller hole saves nothing. */
const BLOCK = 4096;
/** Left free for everything else. */
const SPARE = 1 << 20;
const ZEROS = Buffer.alloc(BLOCK);

/**
 * Writes a file in which blocks of zeros take no room. Throws UsageError, before anything is written,
 * when the disk cannot hold the rest, and errors of system calls.
 */
export async function writeSparse(path: string, content: Uint8Array): Promise<void> {
  const runs = runsOf(content);
  const needed = runs.reduce((sum, run) => sum + run.end - run.begin, 0);
  const { bavail, bsize } = await statfs(dirname(path));
  if (needed + SPARE > bavail * bsize) {
    throw new UsageError(`${path}: needs ${needed} bytes, and the disk has ${bavail * bsize} left`);
  }
  const file = await open(path, "w");
  try {
    for (const { begin, end } of runs) {
      for (let at = begin; at < end; ) {
        at += (await file.write(content, at, end - at, at)).bytesWritten;
      }
    }
    await file.truncate(content.length);
  } finally {
    await file.close();
  }
}

/** The blocks with something in them, those beside each other as one. */
function runsOf(content: Uint8Array): { begin: number; end: number }[] {
  const runs: { begin: number; end: number }[] = [];
  for (let begin = 0; begin < content.length; begin += BLOCK) {
    const end = Math.min(begin + BLOCK, content.length);
    if (ZEROS.compare(content, begin, end, 0, end - begin) === 0) continue;
    const last = runs.at(-1);
    if (last?.end === begin) last.end = end;
    else runs.push({ begin, end });
  }
  return runs;
}
