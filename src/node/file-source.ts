/** Files as sources. */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { RecordingError } from "../place.ts";
import type { ByteStream, RandomAccess, Source } from "../recording/source.ts";

function cannot(name: string, error: unknown): RecordingError {
  const code = (error as NodeJS.ErrnoException).code;
  const found: Record<string, string> = {
    ENOENT: "no such file",
    EACCES: "no permission",
    EISDIR: "a directory",
    EIO: "an input/output error",
  };
  return new RecordingError(
    { file: name, at: "" },
    "a readable file",
    found[code ?? ""] ?? (error instanceof Error ? error.message : String(error)),
  );
}

function open(name: string): { fd: number; stat: Stats } {
  try {
    const fd = openSync(name, "r");
    const stat = fstatSync(fd);
    if (!stat.isDirectory()) return { fd, stat };
    closeSync(fd);
  } catch (error) {
    throw cannot(name, error);
  }
  throw new RecordingError({ file: name, at: "" }, "a readable file", "a directory");
}

function reader(name: string, fd: number): ByteStream & RandomAccess {
  let closed = false;
  const readAt = (into: Uint8Array, offset: number | null): number => {
    try {
      return readSync(fd, into, 0, into.length, offset);
    } catch (error) {
      throw cannot(name, error);
    }
  };
  return {
    size: 0,
    read: (into) => readAt(into, null),
    readAt,
    close() {
      if (!closed) closeSync(fd);
      closed = true;
    },
  };
}

/**
 * A file by its path. A regular file can be read by offset and again; a pipe or device only once.
 * Throws RecordingError when it cannot be opened.
 */
export function fileSource(path: string): Source {
  let stat: Stats;
  try {
    stat = statSync(path);
  } catch (error) {
    throw cannot(path, error);
  }
  const stream = (): ByteStream => reader(path, open(path).fd);
  if (!stat.isFile()) return { name: path, size: undefined, stream };
  return {
    name: path,
    size: stat.size,
    stream,
    random(): RandomAccess {
      const opened = open(path);
      return { ...reader(path, opened.fd), size: opened.stat.size };
    },
  };
}
