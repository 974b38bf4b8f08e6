/** A thread that decompresses zstd frames: what node/zstd-threads.ts asks of it. */
import { parentPort } from "node:worker_threads";
import { discard } from "../recording/discard.ts";
import type { Frame } from "../recording/source.ts";
import { nodeZstd } from "./zstd.ts";

/** Frames to decompress into `into`, which is shared memory with room for all of them. */
export interface Request {
  frames: Frame[];
  into: Uint8Array;
}
/** How many bytes each frame gave, each at the end of those before; a text where one gave none. */
export type Reply = (number | string)[];

const port = parentPort;
if (port === null) throw new Error("bug: not started as a thread");
const decode = await nodeZstd();
port.on("message", async ({ frames, into }: Request) => {
  const reply: Reply = [];
  let at = 0;
  for (const { compressed, size } of frames) {
    try {
      const got = await decode(compressed, size);
      into.set(got.length > size ? got.subarray(0, size) : got, at);
      reply.push(got.length);
      discard(got);
    } catch (error) {
      reply.push(error instanceof Error ? error.message : String(error));
    }
    at += size;
  }
  port.postMessage(reply);
});
