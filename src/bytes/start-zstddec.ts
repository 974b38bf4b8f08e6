import { holdingLoop } from "./hold-loop.ts";

/**
 * Starts a decoder of the package zstddec without `fetch`. Where there is one it fetches its own code
 * from a data: URL: Node.js loads a whole HTTP client for that (measured: 70 ms of CPU, as much as two
 * thirds of the start of Node.js itself), and a page whose Content-Security-Policy forbids connections
 * cannot. Without `fetch` it takes the bytes from `Buffer.from(text, "base64")`, which a browser has
 * not; the package looks for both before it first waits, so they are as they were right after.
 */
export function startZstddec(decoder: { init(): Promise<unknown> }): Promise<unknown> {
  const surroundings: { Buffer?: unknown; fetch?: unknown } = globalThis;
  const { fetch } = surroundings;
  const ownBuffer = surroundings.Buffer === undefined;
  surroundings.fetch = undefined;
  if (ownBuffer) surroundings.Buffer = { from: bytesOfBase64 };
  try {
    return holdingLoop(decoder.init());
  } finally {
    surroundings.fetch = fetch;
    if (ownBuffer) delete surroundings.Buffer;
  }
}

/** The bytes of base64 text without white space. */
function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
