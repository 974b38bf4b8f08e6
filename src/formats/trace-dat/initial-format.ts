import { quoteFound, RecordingError } from "../../model/place.ts";
import type { Cursor } from "./cursor.ts";
import { NeedsRandomAccess } from "./needs-random-access.ts";

/** The initial bytes of a trace.dat file. */
export interface InitialFormat {
  version: 6 | 7;
  bigEndian: boolean;
  userLongSize: number;
  /** Bytes. */
  pageSize: number;
  compression: string;
  /** Byte offset of the first options section; 0 in version 6, which has none. */
  optionsOffset: number;
}

const MAGIC = [0x17, 0x08, 0x44, ...new TextEncoder().encode("tracing")];

/**
 * Reads the initial format of trace-cmd.dat.v6(5) and v7(5) and sets the cursor's byte order.
 * @throws RecordingError when this is no trace.dat of version 6 or 7; NeedsRandomAccess for
 *   version 7 when `seekable` is false.
 */
export async function readInitialFormat(cursor: Cursor, seekable: boolean): Promise<InitialFormat> {
  const start = cursor.place();
  const magic = await cursor.take(MAGIC.length, "the magic of a trace.dat");
  if (MAGIC.some((byte, index) => magic[index] !== byte)) {
    throw new RecordingError(start, "the magic of a trace.dat (17 08 44 tracing)");
  }
  const versionPlace = cursor.place();
  const versionText = await cursor.string("the version");
  if (versionText !== "6" && versionText !== "7") {
    throw new RecordingError(versionPlace, "trace.dat version 6 or 7", quoteFound(versionText));
  }
  const version = versionText === "6" ? 6 : 7;
  if (version === 7 && !seekable) {
    throw new NeedsRandomAccess("a trace.dat of version 7 has its index at the end");
  }
  const orderPlace = cursor.place();
  const order = await cursor.u8("the byte order");
  if (order > 1) throw new RecordingError(orderPlace, "byte order 0 or 1", `${order}`);
  cursor.bigEndian = order === 1;
  const longPlace = cursor.place();
  const userLongSize = await cursor.u8("the size of a long");
  if (userLongSize !== 4 && userLongSize !== 8) {
    throw new RecordingError(longPlace, "a long of 4 or 8 bytes", `${userLongSize}`);
  }
  const pagePlace = cursor.place();
  const pageSize = await cursor.u32("the page size");
  // Linux has pages from 4 KiB to 1 MiB (hexagon).
  if (pageSize < 1024 || pageSize > 1024 * 1024 || (pageSize & (pageSize - 1)) !== 0) {
    throw new RecordingError(pagePlace, "a page size from 1 KiB to 1 MiB", `${pageSize}`);
  }
  const format = { version, bigEndian: order === 1, userLongSize, pageSize } as const;
  if (version === 6) return { ...format, compression: "uncompressed", optionsOffset: 0 };
  const compression = await cursor.string("the compression's name");
  await cursor.string("the compression's version");
  // One beyond all files is one behind the end of this one.
  const offset = await cursor.u64("the options' offset");
  return { ...format, compression, optionsOffset: Math.min(Number(offset), 2 ** 52) };
}
