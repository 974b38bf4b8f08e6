/** Takes the events out of the ring buffer into a file: through trace-cmd, or by reading tracefs. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../model/place.ts";
import { GROUP } from "../../probes/definition.ts";
import { checked } from "../../probes/outside-value.ts";
import { errorCode, type Host } from "./host.ts";
import { identify, type ProcessId } from "./record-state.ts";
import type { TraceFs } from "./tracefs.ts";

export interface Recorder {
  /** Name of the file in the bundle. */
  readonly file: string;
  /** How it records, for the manifest. */
  readonly how: "trace-cmd" | "tracefs";
  /** Of trace-cmd. */
  readonly version: string | null;
  /** The process that does it, when it is not this one. */
  readonly child: ProcessId | null;
  /** Why it ended by itself; null while it records. */
  readonly failure: Error | null;
  /** Bytes written so far. */
  bytes(): number;
  /** Ends it, with everything that is in the ring buffer. Throws when the recording is not whole. */
  stop(): Promise<void>;
  /** Ends it at once; what it has written is of no use. */
  abandon(): Promise<void>;
}

/** Nothing read for so long while tracing is off: the ring buffer is empty. */
const IDLE = 20;
const CHUNK = 1 << 16;
/** Time for which the reader keeps others of this process from running, in ms. */
const SLICE = 50;

/** Reads `trace_pipe`, text, into a file whose first lines say what it is. */
export function tracefsRecorder(host: Host, tracefs: TraceFs, folder: string): Recorder {
  const file = "trace.txt";
  const out = openSync(join(folder, file), "wx", 0o600);
  const pipe = openSync(
    `${tracefs.instance}/trace_pipe`,
    constants.O_RDONLY | constants.O_NONBLOCK,
  );
  const chunk = new Uint8Array(CHUNK);
  let bytes = writeSync(out, "# tracer: nop\n#\n# vhost-replay record; clock mono\n");
  let failure: Error | null = null;
  let stopping = false;
  let abandoned = false;

  /** Moves what there is; returns how many bytes. */
  const move = (): number => {
    let count = 0;
    try {
      count = readSync(pipe, chunk);
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") throw error;
    }
    for (let done = 0; done < count; ) done += writeSync(out, chunk, done, count - done);
    bytes += count;
    return count;
  };
  const work = (async () => {
    let idle = 0;
    try {
      while (!abandoned && !(stopping && idle >= IDLE && tracefs.waiting() === 0)) {
        const until = Date.now() + SLICE;
        let moved = 0;
        for (let got = move(); got > 0; got = move()) {
          moved += got;
          if (Date.now() > until) break;
        }
        idle = moved > 0 ? 0 : idle + 1;
        await host.pause(moved > 0 ? 0 : 10);
      }
      if (!abandoned) fsyncSync(out);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    } finally {
      closeSync(pipe);
      closeSync(out);
    }
  })();
  return {
    file,
    how: "tracefs",
    version: null,
    child: null,
    get failure() {
      return failure;
    },
    bytes: () => bytes,
    async stop() {
      tracefs.set("tracing_on", "0");
      stopping = true;
      await work;
      if (failure) throw failure;
    },
    async abandon() {
      abandoned = true;
      await work;
    },
  };
}

/**
 * Ends trace-cmd when this process ends, however it ends: the shell waits for the end of its
 * standard input, whose other side we hold. (POSIX: a job in the background ignores SIGINT, but
 * trace-cmd installs a handler of its own.)
 */
const WRAPPER = 'umask 077; "$@" </dev/null & p=$!; read x; kill -INT $p 2>/dev/null; wait $p';
const START_TIMEOUT = 60_000;

/** Runs `trace-cmd record` on our instance. Throws UsageError when it does not start. */
export async function traceCmdRecorder(
  host: Host,
  tracefs: TraceFs,
  folder: string,
  { bufferKib, traceCmd }: { bufferKib: number; traceCmd: string },
): Promise<Recorder> {
  const file = "trace.dat";
  const instance = tracefs.instance.slice(tracefs.instance.lastIndexOf("/") + 1);
  const child = spawn(
    "sh",
    [
      ...["-c", WRAPPER, "sh", traceCmd, "record", "-q", "-k", "-o", file],
      ...["-B", instance, "-C", "mono", "-b", checked("number of KiB", bufferKib), "-e", GROUP],
    ],
    { cwd: folder, detached: true, stdio: ["pipe", "pipe", "pipe"] },
  );
  const ended = whenEnded(child);
  let failure: Error | null = null;
  let stopping = false;
  void ended.then(({ status, words }) => {
    if (!stopping) failure = new UsageError(`trace-cmd ended (${status}): ${words}`);
  });
  const enabled = `${tracefs.instance}/events/${GROUP}/enable`;
  for (const start = Date.now(); host.read(enabled).trim() !== "1"; await host.pause(20)) {
    if (failure) throw failure;
    if (Date.now() - start > START_TIMEOUT) {
      child.stdin.end();
      throw new UsageError("trace-cmd does not start to record; try --recorder tracefs");
    }
  }
  return {
    file,
    how: "trace-cmd",
    version: versionOf(traceCmd),
    child: child.pid === undefined ? null : identify(child.pid),
    get failure() {
      return failure;
    },
    bytes: () => sizeOfFiles(folder, file),
    async stop() {
      stopping = true;
      child.stdin.end();
      const { status, words } = await ended;
      if (failure) throw failure;
      if (sizeOfFiles(folder, file) === 0 || /No space left/.test(words)) {
        throw new UsageError(`trace-cmd wrote no recording (${status}): ${words}`);
      }
      const fd = openSync(join(folder, file), "r");
      fsyncSync(fd);
      closeSync(fd);
    },
    async abandon() {
      stopping = true;
      child.stdin.end();
      await ended;
    },
  };
}

/** `3.1.6`, as the program tells it. */
function versionOf(traceCmd: string): string | null {
  const { stdout } = spawnSync(traceCmd, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return /version (\S+)/.exec(stdout ?? "")?.[1] ?? null;
}

function whenEnded(child: ChildProcess): Promise<{ status: string; words: string }> {
  let words = "";
  const hear = (text: Buffer): void => {
    words = (words + text.toString()).slice(-2000);
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  child.stdin?.on("error", () => {});
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ status: error.message, words }));
    child.on("close", (code, signal) =>
      resolve({
        status: signal ?? `status ${code}`,
        words: words.trim().replaceAll(/\s*\n\s*/g, "; "),
      }),
    );
  });
}

/** The file, and the parts for each CPU that trace-cmd makes it of. */
function sizeOfFiles(folder: string, file: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(file)) continue;
    try {
      bytes += statSync(join(folder, name)).size;
    } catch (error) {
      // A part that was just put into the whole.
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  return bytes;
}
