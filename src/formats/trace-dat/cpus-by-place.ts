/**
 * Which data of a buffer are of which CPU, where the option that says it is lost: trace-cmd writes the
 * CPUs in order, each from a page of the file on.
 */
import { CPU_LIMIT, type CpuRange } from "./cpu-data.ts";
import type { SeekableFile } from "./decompress.ts";
import type { Section } from "./sections-7.ts";

/** Of the numbers in front of chunks: how many; of each, two sizes. */
const COUNT_BYTES = 4;
const CHUNK_BYTES = 8;

/** The data in a buffer's section, as far as they are there. CPUs without data have no number here. */
export async function cpusByPlace(
  file: SeekableFile,
  section: Section,
  pageSize: number,
  subBufferSize: number,
): Promise<CpuRange[]> {
  const end = Math.min(section.end, file.random.size);
  const first = Math.ceil(section.start / pageSize) * pageSize;
  const ends = section.compressed
    ? await chunkEnds(file, first, end, pageSize)
    : await pageEnds(file, first, end, subBufferSize);
  const ranges: CpuRange[] = [];
  let offset = first;
  for (const next of ends.slice(0, CPU_LIMIT)) {
    // The size that is stated leaves out the number of chunks.
    const size = next - offset - (section.compressed ? COUNT_BYTES : 0);
    if (size > 0) ranges.push({ cpu: ranges.length, offset, size });
    offset = section.compressed ? Math.ceil(next / pageSize) * pageSize : next;
  }
  // What is missing of the last one is behind the end of the file.
  const last = ranges.at(-1);
  if (last && section.end > end) ranges[ranges.length - 1] = { ...last, size: last.size + 1 };
  return ranges;
}

async function numberAt(file: SeekableFile, offset: number): Promise<number> {
  const bytes = new Uint8Array(4);
  const got = await file.random.readAt(bytes, offset);
  return got < 4 ? 0 : new DataView(bytes.buffer).getUint32(0, !file.bigEndian);
}

/** Ends of the CPUs' chunks: each CPU's stand behind their number. */
async function chunkEnds(
  file: SeekableFile,
  first: number,
  end: number,
  pageSize: number,
): Promise<number[]> {
  const ends: number[] = [];
  for (let at = first; at + COUNT_BYTES + CHUNK_BYTES <= end; ) {
    const count = await numberAt(file, at);
    if (count === 0) break;
    let next = at + COUNT_BYTES;
    for (let chunk = 0; chunk < count && next < end; chunk++) {
      next += CHUNK_BYTES + (await numberAt(file, next));
    }
    ends.push(Math.min(next, end));
    at = Math.ceil(next / pageSize) * pageSize;
  }
  return ends;
}

/** Ends of the CPUs' pages: the time of a page is that of the one before it, or later. */
async function pageEnds(
  file: SeekableFile,
  first: number,
  end: number,
  subBufferSize: number,
): Promise<number[]> {
  const ends: number[] = [];
  const time = new Uint8Array(8);
  const view = new DataView(time.buffer);
  let before = 0n;
  for (let at = first; at + time.length <= end; at += subBufferSize) {
    await file.random.readAt(time, at);
    const now = view.getBigUint64(0, !file.bigEndian);
    if (now < before) ends.push(at);
    before = now;
  }
  return end > first ? [...ends, end] : ends;
}
