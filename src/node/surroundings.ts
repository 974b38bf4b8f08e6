/** What the library asks of Node.js: a temporary file for input that must be read by offset. */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { RandomAccess, Surroundings } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";
import { fileSource } from "./file-source.ts";
import { codecsFor } from "./zstd-threads.ts";

const CHUNK = 1 << 20;

/**
 * `say` gets one line for the user when something is spooled. `jobs`: how many threads may work,
 * see zstd-threads.ts.
 */
export function nodeSurroundings(say: (line: string) => void, jobs?: number): Surroundings {
  return {
    codecs: (bytes) => codecsFor(bytes, jobs),
    beside(name, names) {
      const folder = dirname(name);
      const found = names.find((file) => existsSync(join(folder, file)));
      return found === undefined ? null : fileSource(join(folder, found));
    },
    async spool(name, stream, why): Promise<RandomAccess> {
      say(why);
      const fd = openFor(name);
      const chunk = new Uint8Array(CHUNK);
      let size = 0;
      try {
        while (true) {
          const got = stream.read(chunk);
          const count = typeof got === "number" ? got : await got;
          if (count === 0) break;
          for (let done = 0; done < count; ) done += writeSync(fd, chunk, done, count - done);
          size += count;
        }
      } catch (error) {
        closeSync(fd);
        throw cannotSpool(name, error, size);
      } finally {
        stream.close();
      }
      let closed = false;
      return {
        size,
        readAt: (into, offset) => readSync(fd, into, 0, into.length, offset),
        close() {
          if (!closed) closeSync(fd);
          closed = true;
        },
      };
    },
  };
}

function openFor(name: string): number {
  try {
    return openUnnamed();
  } catch (error) {
    throw cannotSpool(name, error, 0);
  }
}

/** Trouble with the temporary file, told as such; errors of the stream itself stay as they are. */
function cannotSpool(name: string, error: unknown, size: number): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new RecordingError(
    { file: name, at: "" },
    `room for a copy of it in ${tmpdir()}`,
    `${full ? "a full disk" : code} after ${size} bytes`,
  );
}

/** A temporary file that has no name any more, so that nothing is left behind however we end. */
function openUnnamed(): number {
  const folder = mkdtempSync(join(tmpdir(), "vhost-replay-"));
  const path = join(folder, "spool");
  const fd = openSync(path, "wx+", 0o600);
  try {
    unlinkSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return fd;
}
