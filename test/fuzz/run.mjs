/** `npm run fuzz -- --seconds N [--seed S]`: the fuzz test for as long as asked. */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
console.log(`seed ${seed}, ${values.seconds} seconds over all families`);
const limit = String((Number(values.seconds) + 60) * 1000);
const { status } = spawnSync("npx", ["vitest", "run", "test/fuzz", "--testTimeout", limit], {
  stdio: "inherit",
  env: { ...process.env, FUZZ_SECONDS: values.seconds, FUZZ_SEED: seed },
});
process.exitCode = status ?? 1;
