/** Files as sources. */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import type { ByteStream, RandomAccess, Source } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";

const FILE = "a readable file";

function cannot(name: string, error: unknown): RecordingError {
  const code = (error as NodeJS.ErrnoException).code;
  const found: Record<string, string> = {
    ENOENT: "no such file",
    EACCES: "no permission",
    EISDIR: "a directory",
    EIO: "an input/output error",
  };
  const refused = new RecordingError(
    { file: name, at: "" },
    FILE,
    found[code ?? ""] ?? (error instanceof Error ? error.message : String(error)),
  );
  refused.cause = error;
  return refused;
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
  throw new RecordingError({ file: name, at: "" }, FILE, "a directory");
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

/** A second opening of a pipe would wait for another writer. */
function readOnce(path: string, open: () => ByteStream): Source {
  let taken = false;
  return {
    name: path,
    size: undefined,
    stream() {
      if (taken) {
        throw new RecordingError(
          { file: path, at: "" },
          "a regular file, because this is read twice",
          "a pipe or device",
        );
      }
      taken = true;
      return open();
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
  if (stat.isDirectory()) throw new RecordingError({ file: path, at: "" }, FILE, "a directory");
  const stream = (): ByteStream => reader(path, open(path).fd);
  // tracefs and procfs say 0 for files that have content, and `trace_pipe` consumes what is read.
  if (!stat.isFile() || stat.size === 0) return readOnce(path, stream);
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
