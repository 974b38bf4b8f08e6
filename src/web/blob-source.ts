/** Files that a user drops on a page, as sources; and what the library asks of a browser. */
import type { ByteStream, RandomAccess, Source, Surroundings } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";

/**
 * Bytes that one access by offset reads at once, and how many such blocks are kept. Reading a slice
 * costs about a millisecond whatever its size (measured in Chromium), and the CPUs of a trace.dat are
 * read in turns: a block for each of a dozen.
 */
const BLOCK = 4 << 20;
const BLOCKS = 12;

/** Bytes of a Blob in order, as its own stream gives them. */
function blobStream(name: string, blob: Blob): ByteStream {
  const reader = blob.stream().getReader();
  let piece = new Uint8Array(0);
  let at = 0;
  const next = async (into: Uint8Array): Promise<number> => {
    while (at === piece.length) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw unreadable(name, error);
      });
      if (done) return 0;
      piece = value;
      at = 0;
    }
    return take(into);
  };
  const take = (into: Uint8Array): number => {
    const n = Math.min(into.length, piece.length - at);
    into.set(piece.subarray(at, at + n));
    at += n;
    return n;
  };
  return {
    read: (into) => (at < piece.length ? take(into) : next(into)),
    close() {
      reader.cancel().catch(() => {});
    },
  };
}

/** A file that was moved, changed or forbidden since it was chosen. */
function unreadable(name: string, error: unknown): RecordingError {
  const found = error instanceof Error ? error.message : String(error);
  return new RecordingError({ file: name, at: "" }, "a readable file", found);
}

/** Bytes of a Blob by offset, through the least recently used of a few blocks. */
export function blobRandom(name: string, blob: Blob, block = BLOCK, blocks = BLOCKS): RandomAccess {
  /** In the order of their last use. */
  const cache = new Map<number, Uint8Array>();
  const held = (number: number): Uint8Array | undefined => {
    const bytes = cache.get(number);
    if (bytes) {
      cache.delete(number);
      cache.set(number, bytes);
    }
    return bytes;
  };
  const load = async (number: number): Promise<Uint8Array> => {
    const slice = blob.slice(number * block, (number + 1) * block);
    const bytes = await slice.arrayBuffer().then(
      (buffer) => new Uint8Array(buffer),
      (error: unknown) => {
        throw unreadable(name, error);
      },
    );
    cache.set(number, bytes);
    if (cache.size > blocks) cache.delete(cache.keys().next().value!);
    return bytes;
  };
  /** Copies from one block; returns how many bytes. */
  const copy = (into: Uint8Array, filled: number, offset: number, bytes: Uint8Array): number => {
    const from = offset % block;
    const n = Math.min(into.length - filled, bytes.length - from);
    if (n > 0) into.set(bytes.subarray(from, from + n), filled);
    return Math.max(0, n);
  };
  const rest = async (into: Uint8Array, filled: number, offset: number): Promise<number> => {
    let done = filled;
    while (done < into.length && offset + done < blob.size) {
      const number = Math.floor((offset + done) / block);
      const n = copy(into, done, offset + done, held(number) ?? (await load(number)));
      if (n === 0) break;
      done += n;
    }
    return done;
  };
  return {
    size: blob.size,
    readAt(into, offset) {
      let filled = 0;
      while (filled < into.length && offset + filled < blob.size) {
        const bytes = held(Math.floor((offset + filled) / block));
        if (!bytes) return rest(into, filled, offset);
        const n = copy(into, filled, offset + filled, bytes);
        if (n === 0) break;
        filled += n;
      }
      return filled;
    },
    close: () => cache.clear(),
  };
}

/** A File as a source, by its own name: a page does not know where it lies. */
export function blobSource(name: string, blob: Blob): Source {
  return {
    name,
    size: blob.size,
    stream: () => blobStream(name, blob),
    random: () => blobRandom(name, blob),
  };
}

/** Piece of a spooled stream: a Blob may keep it on disk. */
const SPOOL = 8 << 20;

/**
 * What the library asks of its surroundings, in a browser: room for what must be read by offset is a
 * Blob. `beside`: the other files that were dropped with a recording.
 */
export function webSurroundings(files: readonly Source[] = []): Surroundings {
  return {
    beside: (_, names) => files.find((file) => names.includes(file.name)) ?? null,
    async spool(name, stream) {
      const parts: Blob[] = [];
      const chunk = new Uint8Array(SPOOL);
      try {
        while (true) {
          let filled = 0;
          while (filled < chunk.length) {
            const got = stream.read(chunk.subarray(filled));
            const n = typeof got === "number" ? got : await got;
            if (n === 0) break;
            filled += n;
          }
          if (filled === 0) break;
          parts.push(new Blob([chunk.slice(0, filled)]));
        }
      } finally {
        stream.close();
      }
      return blobRandom(name, new Blob(parts));
    },
  };
}
