/** What a recording says of the host that it was made on, without reading its events. */
import { HEAD_BYTES, Head } from "../bytes/head.ts";
import { traceDatVersion } from "../bytes/signatures.ts";
import type { Source, Surroundings } from "../bytes/source.ts";
import { Core, type CoreModule } from "../core/core.ts";
import { openInputs } from "./open-inputs.ts";

/** `uname -a` in the header of an uncompressed trace.dat; null for other forms. Throws RecordingError. */
export async function recordedUname(
  source: Source,
  module: CoreModule,
  surroundings: Surroundings,
): Promise<string | null> {
  if (!source.random) return null;
  const access = source.random();
  const bytes = new Uint8Array(HEAD_BYTES);
  const count = await access.readAt(bytes, 0);
  access.close();
  if (traceDatVersion(new Head(bytes.subarray(0, count))) === null) return null;
  const [input] = await openInputs(await Core.create(module, 0), [source], surroundings);
  const { uname } = input!.feed.summary();
  input!.feed.close();
  return uname ?? null;
}
