/** Decompression on other threads, so that reading and replaying go on beside it. */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { portableCodecs } from "../recording/codecs.ts";
import type { Codecs, Decoded, Frame } from "../recording/source.ts";
import type { Reply, Request } from "./zstd-worker.ts";

/** A thread costs about 100 ms of CPU to start: smaller recordings are done before (measured). */
const WORTH_IT = 64 << 20;
/** The replay itself keeps up with no more. */
const MAX_THREADS = 4;
/** Shared memory is taken in pieces of at least this, bytes. */
const PIECE = 1 << 20;

/**
 * Decoders for a compressed recording of `bytes`. `jobs` is how many threads may work, this one
 * included; undefined: as many as there are processors, for a recording that is large enough.
 * Results do not depend on it.
 */
export function codecsFor(bytes: number, jobs: number | undefined): Codecs {
  const zstd: Codecs["zstd"] = async (compressed, size) => (await decoder())(compressed, size);
  const threads = Math.min((jobs ?? defaultJobs(bytes)) - 1, MAX_THREADS);
  if (threads < 1) return { ...portableCodecs, zstd };
  return { ...portableCodecs, zstd, zstdAhead: decoderThreads(threads) };
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
  into: Uint8Array;
  settle: (decoded: Decoded) => void;
}

interface Thread {
  worker: Worker;
  /** Requests under way, oldest first. */
  waiting: Asked[];
}

/** Threads are started at the first request, and do not keep the process when nothing is asked. */
function decoderThreads(count: number): NonNullable<Codecs["zstdAhead"]> {
  let starting: Promise<Thread[]> | undefined;
  // Memory that was given back. New memory for every batch costs more than decompressing it (measured).
  const free: Uint8Array[] = [];
  return async (frames) => {
    starting ??= startThreads(count, free);
    const threads = await starting;
    const thread = threads.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a));
    const bytes = frames.reduce((sum, frame) => sum + frame.size, 0);
    const fits = free.findIndex((piece) => piece.length >= bytes);
    const into =
      fits < 0
        ? new Uint8Array(new SharedArrayBuffer(Math.max(bytes, PIECE)))
        : free.splice(fits, 1)[0]!;
    return new Promise((settle) => {
      if (thread.waiting.length === 0) thread.worker.ref();
      thread.waiting.push({ frames, into, settle });
      const plain = frames.map(({ compressed, size }) => ({ compressed, size }));
      const request: Request = { frames: plain, into };
      thread.worker.postMessage(
        request,
        plain.map(({ compressed }) => compressed.buffer as ArrayBuffer),
      );
    });
  };
}

async function startThreads(count: number, free: Uint8Array[]): Promise<Thread[]> {
  const { Worker } = await import("node:worker_threads");
  return Array.from({ length: count }, () => {
    const worker = new Worker(new URL(import.meta.resolve("#zstd-worker")));
    const thread: Thread = { worker, waiting: [] };
    const answer = (reply: Reply): void => {
      const { frames, into, settle } = thread.waiting.shift()!;
      if (thread.waiting.length === 0) worker.unref();
      settle({ frames: results(reply, frames, into), release: () => void free.push(into) });
    };
    worker.on("message", answer);
    worker.on("error", ({ message }) => {
      for (const { frames } of [...thread.waiting]) answer(frames.map(() => message));
    });
    worker.unref();
    return thread;
  });
}

function results(reply: Reply, frames: readonly Frame[], into: Uint8Array): Decoded["frames"] {
  let at = 0;
  return reply.map((got, i) => {
    const { size } = frames[i]!;
    const part = into.subarray(at, at + size);
    at += size;
    if (typeof got === "string") return new Error(got);
    if (got > size) return new Error(`more than ${size} bytes`);
    return part.subarray(0, got);
  });
}
