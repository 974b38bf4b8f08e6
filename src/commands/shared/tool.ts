/** Which version of this package, and which core, is running. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tool } from "../../report/json/result-json.ts";

/** Reads the package's own manifest and core. Throws when the package is incomplete. */
export function readTool(): Tool {
  const require = createRequire(import.meta.url);
  // Loading it takes longer than the rest of a short command.
  const { createHash }: typeof import("node:crypto") = require("node:crypto");
  const manifest: { name: string; version: string } = require("vhost-replay/package.json");
  const core = readFileSync(require.resolve("#core.wasm"));
  return {
    name: manifest.name,
    version: manifest.version,
    wasmSha256: createHash("sha256").update(core).digest("hex"),
  };
}
