/**
 * `npm run fuzz -- --seconds N [--seed S] [--family NAME]…`: the fuzz test, each family for as long as
 * asked. An input that takes longer than a minute is one that hangs, and is told.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** Seconds that one input may take; the machine may be busy. */
const PATIENCE = 120;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    family: { type: "string", multiple: true, default: [] },
  },
});
const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
const folder = mkdtempSync(join(tmpdir(), "vhost-replay-fuzz-"));
const at = join(folder, "at");
console.log(`seed ${seed}, ${values.seconds} seconds a family`);
const limit = String((Number(values.seconds) + 2 * PATIENCE) * 1000);
const args = ["vitest", "run", "test/fuzz", "--testTimeout", limit, "--disableConsoleIntercept"];
const child = spawn("npx", args, {
  stdio: "inherit",
  detached: true,
  env: {
    ...process.env,
    FUZZ_SECONDS: values.seconds,
    FUZZ_SEED: seed,
    FUZZ_FAMILIES: values.family.join(","),
    FUZZ_AT: at,
  },
});
const watch = setInterval(() => {
  const since = statSync(at, { throwIfNoEntry: false })?.mtimeMs;
  if (since === undefined || Date.now() - since < PATIENCE * 1000) return;
  console.log(`hung: ${readFileSync(at, "utf8")}`);
  process.kill(-child.pid, "SIGKILL");
}, 5000);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.kill(-child.pid, "SIGKILL"));
}
child.on("close", (status) => {
  clearInterval(watch);
  rmSync(folder, { recursive: true });
  process.exitCode = status ?? 1;
});
