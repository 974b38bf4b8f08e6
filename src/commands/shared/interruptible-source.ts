/**
 * Sources that let the event loop run now and then, and stop when they are told to. Files are read
 * without waiting, so without this an interrupt would be noticed only at the end. They also hash
 * what passes through when it can be read only once.
 */
import type { Hash } from "node:crypto";
import { createRequire } from "node:module";
import type { ByteStream, RandomAccess, Source } from "../../bytes/source.ts";

/** Loading node:crypto takes longer than a short command: only where bytes are hashed. */
function sha256(): Hash {
  const crypto: typeof import("node:crypto") = createRequire(import.meta.url)("node:crypto");
  return crypto.createHash("sha256");
}

/** Milliseconds of reading between two looks at the event loop. */
const BREATH = 50;

/** A source with the hash of its bytes. */
export interface WatchedSource extends Source {
  /** SHA-256 of all bytes as given, hex; null when they were not all seen and are gone. */
  sha256(): Promise<string | null>;
  /** Bytes that were read so far, over all streams. */
  bytesRead(): number;
}

/** Wraps a source; reading throws the signal's reason after an abort. */
export function interruptibleSource(
  source: Source,
  signal: AbortSignal | undefined,
): WatchedSource {
  const breathe = breather(signal);
  const tally = { bytes: 0 };
  let seen: { hash: Hash; ended: boolean } | undefined;
  const rereadable = source.random !== undefined;
  const watched: WatchedSource = {
    name: source.name,
    size: source.size,
    stream() {
      const stream = source.stream();
      if (rereadable || seen) return breathingStream(stream, breathe, tally);
      seen = { hash: sha256(), ended: false };
      return breathingStream(hashingStream(stream, seen), breathe, tally);
    },
    bytesRead: () => tally.bytes,
    async sha256() {
      if (!rereadable) return seen?.ended ? seen.hash.copy().digest("hex") : null;
      return hashOf(breathingStream(source.stream(), breathe, { bytes: 0 }), source.size);
    },
  };
  if (source.random === undefined) return watched;
  return { ...watched, random: () => breathingAccess(source.random!(), breathe, tally) };
}

/** Gives a promise when it is time to let the event loop run, otherwise undefined. */
function breather(signal: AbortSignal | undefined): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    signal?.throwIfAborted();
    if (performance.now() - last < BREATH) return undefined;
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        last = performance.now();
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      });
    });
  };
}

type Breathe = ReturnType<typeof breather>;

interface Tally {
  bytes: number;
}

function counted(got: number | Promise<number>, tally: Tally): number | Promise<number> {
  if (typeof got !== "number") return got.then((count) => counted(count, tally));
  tally.bytes += got;
  return got;
}

function breathingStream(stream: ByteStream, breathe: Breathe, tally: Tally): ByteStream {
  return {
    read(into) {
      const pause = breathe();
      const read = () => counted(stream.read(into), tally);
      return pause ? pause.then(read) : read();
    },
    close: () => stream.close(),
  };
}

function breathingAccess(access: RandomAccess, breathe: Breathe, tally: Tally): RandomAccess {
  return {
    size: access.size,
    readAt(into, offset) {
      const pause = breathe();
      const read = () => counted(access.readAt(into, offset), tally);
      return pause ? pause.then(read) : read();
    },
    close: () => access.close(),
  };
}

function hashingStream(stream: ByteStream, seen: { hash: Hash; ended: boolean }): ByteStream {
  const note = (into: Uint8Array, count: number) => {
    if (count > 0) seen.hash.update(into.subarray(0, count));
    else if (into.length > 0) seen.ended = true;
    return count;
  };
  return {
    read(into) {
      const count = stream.read(into);
      return typeof count === "number" ? note(into, count) : count.then((n) => note(into, n));
    },
    close: () => stream.close(),
  };
}

/** Bytes that are hashed at once; a small file takes a small buffer: thousands of them are hashed in a row. */
const HASH_CHUNK = 1 << 20;

async function hashOf(stream: ByteStream, size = HASH_CHUNK): Promise<string> {
  const hash = sha256();
  const chunk = new Uint8Array(Math.min(Math.max(size, 4096), HASH_CHUNK));
  try {
    for (;;) {
      const got = stream.read(chunk);
      const count = typeof got === "number" ? got : await got;
      if (count === 0) return hash.digest("hex");
      hash.update(chunk.subarray(0, count));
    }
  } finally {
    stream.close();
  }
}
