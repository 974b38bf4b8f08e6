/** Decompression on other threads, so that reading and replaying go on beside it. */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { portableCodecs } from "../bytes/codecs.ts";
import { discard } from "../bytes/discard.ts";
import type { Codecs, Decoded, Frame } from "../bytes/source.ts";
import { COUNT_WORDS, FRAME_WORDS, type Reply, type Request } from "./zstd-request.ts";

/** A thread costs about 100 ms of CPU to start: smaller recordings are done hardly sooner (measured). */
const WORTH_IT = 32 << 20;
/** The replay itself keeps up with no more. */
const MAX_THREADS = 4;
/** Memory is taken in pieces of at least this, bytes. */
const PIECE = 2 << 20;

/**
 * Decoders for a compressed recording of `bytes`. `jobs` is how many threads may work, this one
 * included; undefined: as many as there are processors, for a recording that is large enough.
 * Results do not depend on it.
 */
export function codecsFor(bytes: number, jobs: number | undefined): Codecs {
  const zstd: Codecs["zstd"] = async (compressed, size) => (await decoder())(compressed, size);
  const count = Math.min((jobs ?? defaultJobs(bytes)) - 1, MAX_THREADS);
  if (count < 1) return { ...portableCodecs, zstd };
  const threads = new DecoderThreads(count);
  return {
    ...portableCodecs,
    zstd,
    zstdAhead: (frames) => threads.decode(frames),
    zstdSoon: () => void threads.start(),
  };
}

function defaultJobs(bytes: number): number {
  return bytes < WORTH_IT ? 1 : availableParallelism();
}

let loading: Promise<Codecs["zstd"]> | undefined;

function decoder(): Promise<Codecs["zstd"]> {
  loading ??= import("./zstd.ts").then(({ nodeZstd }) => nodeZstd());
  return loading;
}

interface Asked {
  frames: readonly Frame[];
  settle: (decoded: Decoded) => void;
}

interface Thread {
  worker: Worker;
  /** Requests under way, oldest first. */
  waiting: Asked[];
}

/** Threads do not keep the process when nothing is asked of them. */
class DecoderThreads {
  readonly #count: number;
  #starting: Promise<Thread[]> | undefined;
  /** Memory that was given back. New memory for every request costs more than decompressing (measured). */
  readonly #free: ArrayBuffer[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  start(): Promise<Thread[]> {
    this.#starting ??= this.#startAll();
    return this.#starting;
  }

  async decode(frames: readonly Frame[]): Promise<Decoded> {
    const threads = await this.start();
    const thread = threads.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a));
    const memory: Request = this.#pack(frames);
    return new Promise((settle) => {
      if (thread.waiting.length === 0) thread.worker.ref();
      thread.waiting.push({ frames, settle });
      thread.worker.postMessage(memory, [memory]);
    });
  }

  /** Puts the frames into a piece of memory: table, then compressed bytes and room of each. */
  #pack(frames: readonly Frame[]): ArrayBuffer {
    const head = (COUNT_WORDS + frames.length * FRAME_WORDS) * 4;
    const wanted = frames.reduce((sum, frame) => sum + frame.compressed.length + frame.size, head);
    const fits = this.#free.findIndex((piece) => piece.byteLength >= wanted);
    const memory =
      fits < 0
        ? // A whole number of words, for the table.
          new ArrayBuffer((Math.max(wanted, PIECE) + 3) & ~3)
        : this.#free.splice(fits, 1)[0]!;
    const bytes = new Uint8Array(memory);
    const table = new Int32Array(memory);
    table[0] = frames.length;
    let at = head;
    frames.forEach(({ compressed, size }, i) => {
      const room = at + compressed.length;
      bytes.set(compressed, at);
      table.set([at, compressed.length, room, size], COUNT_WORDS + i * FRAME_WORDS);
      discard(compressed);
      at = room + size;
    });
    return memory;
  }

  async #startAll(): Promise<Thread[]> {
    const { Worker } = await import("node:worker_threads");
    return Array.from({ length: this.#count }, () => {
      const worker = new Worker(new URL(import.meta.resolve("#zstd-worker")));
      const thread: Thread = { worker, waiting: [] };
      const next = (): Asked => {
        const asked = thread.waiting.shift()!;
        if (thread.waiting.length === 0) worker.unref();
        return asked;
      };
      worker.on("message", ({ memory, errors }: Reply) => {
        const { frames, settle } = next();
        settle({
          frames: frames.map(({ size }, i) => result(memory, i, size, errors?.[i])),
          release: () => void this.#free.push(memory),
        });
      });
      worker.on("error", ({ message }) => {
        while (thread.waiting.length > 0) {
          const { frames, settle } = next();
          settle({ frames: frames.map(() => new Error(message)), release: () => {} });
        }
      });
      worker.unref();
      return thread;
    });
  }
}

/** What frame `i` of a piece gave, or why nothing. */
function result(
  memory: ArrayBuffer,
  i: number,
  size: number,
  error: string | undefined,
): Uint8Array | Error {
  if (error !== undefined) return new Error(error);
  const at = COUNT_WORDS + i * FRAME_WORDS;
  const [, , to, got] = new Int32Array(memory, at * 4, FRAME_WORDS) as unknown as number[];
  return got! > size
    ? new Error(`more than ${size} bytes`)
    : new Uint8Array(memory).subarray(to, to! + got!);
}
