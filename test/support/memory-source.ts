/** Sources over bytes in memory, and a replay of them: what most tests need. */
import { readFileSync } from "node:fs";
import type { ByteStream, RandomAccess, Source, Surroundings } from "../../src/bytes/source.ts";
import { type CoreModule, compileCore } from "../../src/core/core.ts";
import type { MachineResult, ReplayResult } from "../../src/model/result.ts";
import { corePath } from "../../src/node/core-file.ts";
import { type Recording, type ReplayOptions, replay } from "../../src/replay/replay.ts";
import { POLICIES } from "../../src/vhost/policy.ts";

let compiled: Promise<CoreModule> | undefined;

/** The core, compiled once. */
export function coreModule(): Promise<CoreModule> {
  compiled ??= compileCore(readFileSync(corePath()));
  return compiled;
}

/** Bytes as a source that gives at most `chunk` bytes a read. */
export function memorySource(
  name: string,
  content: Uint8Array | string,
  chunk = Number.POSITIVE_INFINITY,
): Source {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  const readAt = (into: Uint8Array, offset: number): number => {
    const n = Math.max(0, Math.min(into.length, bytes.length - offset, chunk));
    into.set(bytes.subarray(offset, offset + n));
    return n;
  };
  return {
    name,
    size: bytes.length,
    stream(): ByteStream {
      let at = 0;
      return {
        read(into) {
          const n = readAt(into, at);
          at += n;
          return n;
        },
        close() {},
      };
    },
    random: (): RandomAccess => ({
      size: bytes.length,
      // Access by offset gives all that was asked for, whatever the chunk.
      readAt: (into, offset) => {
        const n = Math.max(0, Math.min(into.length, bytes.length - offset));
        into.set(bytes.subarray(offset, offset + n));
        return n;
      },
      close() {},
    }),
  };
}

/** Keeps spooled bytes in memory. */
export const memorySurroundings: Surroundings = {
  async spool(name, stream) {
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = new Uint8Array(65536);
      const n = await stream.read(part);
      if (n === 0) break;
      parts.push(part.subarray(0, n));
    }
    return memorySource(name, Buffer.concat(parts)).random!();
  },
};

export async function recordingOf(...sources: Source[]): Promise<Recording> {
  return { sources, surroundings: memorySurroundings, module: await coreModule() };
}

/** The result of a recording of one machine, with what is said of that one. */
export type OneMachine = ReplayResult & MachineResult;

/** Of a recording of one machine. Throws where there are several: they are never one. */
export function ofOne(result: ReplayResult): OneMachine {
  const [machine, ...others] = result.machines;
  if (!machine || others.length > 0) throw new Error(`${result.machines.length} machines`);
  return { ...result, ...machine };
}

/** Replays sources of one machine against all policies under the recorded window. */
export async function replayAll(
  sources: Source[],
  options: Partial<ReplayOptions> = {},
  more: Partial<Recording> = {},
): Promise<OneMachine> {
  return ofOne(await replayMachines(sources, options, more));
}

/** The same of recordings of any number of machines. */
export async function replayMachines(
  sources: Source[],
  options: Partial<ReplayOptions> = {},
  more: Partial<Recording> = {},
): Promise<ReplayResult> {
  return replay(
    { ...(await recordingOf(...sources)), ...more },
    {
      policies: POLICIES.map((policy) => ({ policy, alias: null })),
      window: "recorded",
      ...options,
    },
  );
}

/** `replay` of a recording of one machine. */
export async function replayOne(recording: Recording, options: ReplayOptions): Promise<OneMachine> {
  return ofOne(await replay(recording, options));
}
