/** A thread that decompresses zstd frames: what node/zstd-threads.ts asks of it. */
import { parentPort } from "node:worker_threads";
import { discard } from "../bytes/discard.ts";
import { nodeZstd } from "./zstd.ts";
import { COUNT_WORDS, FRAME_WORDS, type Reply, type Request } from "./zstd-request.ts";

const port = parentPort;
if (port === null) throw new Error("bug: not started as a thread");
// Awaited where it is used: a thread that waits before it listens has an event loop that runs empty.
const decoder = nodeZstd();

port.on("message", async (memory: Request) => {
  const reply: Reply = { memory, errors: await decompress(memory) };
  port.postMessage(reply, [memory]);
});

async function decompress(memory: ArrayBuffer): Promise<Reply["errors"]> {
  const decode = await decoder;
  const bytes = new Uint8Array(memory);
  const table = new Int32Array(memory);
  let errors: Reply["errors"] = null;
  for (let i = 0; i < table[0]!; i++) {
    const at = COUNT_WORDS + i * FRAME_WORDS;
    const [from, length, to, size] = table.subarray(at, at + FRAME_WORDS) as unknown as number[];
    try {
      const got = await decode(bytes.subarray(from, from! + length!), size!);
      bytes.set(got.length > size! ? got.subarray(0, size) : got, to);
      table[at + FRAME_WORDS - 1] = got.length;
      discard(got);
    } catch (error) {
      errors ??= {};
      errors[i] = error instanceof Error ? error.message : String(error);
    }
  }
  return errors;
}
