/**
 * Text of QEMU's monitor command `info ramblock`. Follows ram_block_format() (system/physmem.c):
 *
 *         Block Name    PSize              Offset               Used              Total                HVA  RO
 *             pc.ram    4 KiB  0x0000000000000000 0x000000000c000000 0x000000000c000000 0x00007f5003e00000  rw
 *
 * The last two columns came with QEMU 8. `Offset` is QEMU's own ram_addr_t, no guest address.
 */

import { quoteFound, RecordingError } from "../model/place.ts";
import { withoutReturns } from "../model/text-ends.ts";
import { LONGEST_LINE, type PlaceOfLine } from "./mtree-text.ts";

/** One RAM block. Bytes. */
export interface RamBlock {
  /** RAMBlock idstr: what migration streams and `ram_save_page` name. */
  name: string;
  pageSize: number;
  /** ram_addr_t of its first byte. */
  ramAddress: number;
  used: number;
  total: number;
  /** Host virtual address of its first byte, up to 2^53; null when the table has no such column. */
  hva: number | null;
  /** Null when the table has no such column. */
  readonly: boolean | null;
}

const HEAD = /^\s*Block Name\s+PSize\s+Offset\s+Used\s+Total(\s+HVA\s+RO)?\s*$/;
const ROW =
  /^\s*(\S.*?)\s+(\d+) (B|KiB|MiB|GiB)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s+0x([0-9a-f]+)\s+(ro|rw))?\s*$/;
const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/**
 * The tables in a text, in order: one for each time the command was run. A table ends at the first
 * line that is blank or a monitor prompt. Throws RecordingError for another line inside a table
 * that cannot be read and for numbers beyond 2^53.
 */
export function parseRamBlocks(text: string, placeOf: PlaceOfLine): RamBlock[][] {
  const tables: RamBlock[][] = [];
  let table: RamBlock[] | null = null;
  let number = 0;
  for (const raw of text.split("\n")) {
    number += 1;
    const line = withoutReturns(raw);
    if (HEAD.test(line)) {
      table = [];
      tables.push(table);
    } else if (table === null) continue;
    else if (line.trim() === "" || line.startsWith("(qemu)")) table = null;
    else table.push(row(line, placeOf, number));
  }
  return tables;
}

function row(line: string, placeOf: PlaceOfLine, number: number): RamBlock {
  const match = line.length > LONGEST_LINE ? null : ROW.exec(line);
  if (!match) {
    throw new RecordingError(
      placeOf(number),
      "a line of info ramblock: name, page size, offset, used, total",
      quoteFound(line),
    );
  }
  const [, name, count, unit, offset, used, total, hva, access] = match;
  const value = (hex: string): number => {
    const parsed = Number.parseInt(hex, 16);
    if (parsed <= Number.MAX_SAFE_INTEGER) return parsed;
    throw new RecordingError(placeOf(number), "numbers below 2^53", `0x${hex}`);
  };
  return {
    name: name!,
    pageSize: Number(count) * UNITS[unit!]!,
    ramAddress: value(offset!),
    used: value(used!),
    total: value(total!),
    hva: hva === undefined ? null : value(hva),
    readonly: access === undefined ? null : access === "ro",
  };
}
