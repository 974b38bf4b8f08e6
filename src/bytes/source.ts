/**
 * Bytes of a recording, without saying where they come from. `src/node/` makes these from files
 * and standard input; a browser makes them from a File. Both methods may answer at once or with a
 * promise: readers await only what is a promise, once a chunk, never once an event.
 */

/** Bytes in order. */
export interface ByteStream {
  /** Fills `into` from its start as far as it can; returns how many bytes, 0 only at the end. */
  read(into: Uint8Array): number | Promise<number>;
  close(): void;
}

/** Bytes by offset. */
export interface RandomAccess {
  readonly size: number;
  /** Fills `into` with bytes from `offset`; returns how many, fewer than asked only at the end. */
  readAt(into: Uint8Array, offset: number): number | Promise<number>;
  close(): void;
}

/** One input that the user named. */
export interface Source {
  /** As the user wrote it; `<stdin>` for `-`. */
  readonly name: string;
  /** Bytes, where known. */
  readonly size: number | undefined;
  /** A new stream from the first byte. A source that can be read only once throws on the second. */
  stream(): ByteStream;
  /** Access by offset, where the source can give it (a regular file). */
  random?(): RandomAccess;
}

/** A compressed frame, and how many bytes it must give. */
export interface Frame {
  readonly compressed: Uint8Array;
  readonly size: number;
}

/**
 * Decompression of one complete frame whose uncompressed size is known beforehand, as trace.dat
 * stores its sections and chunks. The defaults run in Node.js and in browsers; a host with a
 * faster decoder passes its own.
 */
export interface Codecs {
  /** One or more zstd frames (RFC 8878) of together `size` bytes. May throw anything. */
  zstd(compressed: Uint8Array, size: number): Uint8Array | Promise<Uint8Array>;
  /** One zlib stream (RFC 1950) of `size` bytes. May throw anything. */
  zlib(compressed: Uint8Array, size: number): Uint8Array | Promise<Uint8Array>;
  /**
   * Many zstd frames, elsewhere, while the caller goes on: where there is this, readers ask for
   * frames before they need them. The compressed bytes may be gone afterwards. Never rejects for
   * what is in the frames.
   */
  readonly zstdAhead?: (frames: readonly Frame[]) => Promise<Decoded>;
  /** Says that it will be asked for: what takes a while to start may start. */
  readonly zstdSoon?: () => void;
}

/** What frames gave, in their order. */
export interface Decoded {
  /** Bytes, or why there are none. */
  readonly frames: readonly (Uint8Array | Error)[];
  /** The bytes are not needed any more; their memory is used again. */
  release(): void;
}

/** What a reader may ask of the surroundings it runs in. */
export interface Surroundings {
  /** Decoders for a compressed recording of `bytes`; absent: the portable ones. */
  codecs?(bytes: number): Codecs;
  /**
   * Keeps a stream's bytes where they can be read by offset (a temporary file; memory in a
   * browser). `why` is one line for the user. The caller closes the result, which removes it.
   */
  spool(name: string, stream: ByteStream, why: string): Promise<RandomAccess>;
  /** A file of one of these names beside the named input, where there is such a place. */
  beside?(name: string, names: readonly string[]): Source | null;
}

/** Reads until `into` is full or the stream ends; returns the number of bytes. */
export async function readFully(stream: ByteStream, into: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const got = stream.read(into.subarray(filled));
    const count = typeof got === "number" ? got : await got;
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
