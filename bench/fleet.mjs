/**
 * What a fleet costs beside its replays: `node bench/fleet.mjs [cases]`, many small cases, a thousand in one
 * process, against the same recordings replayed one after the other by the library. CPU seconds of all
 * threads; the two take turns, so that a busy machine is busy for both.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const ROOT = join(import.meta.dirname, "..");
const CLI = join(ROOT, "dist/cli/cli.js");
const RECORDING = join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz");

/** Cases of one process. */
const BLOCK = 1000;

/** The library alone, in a process of its own so that neither warms the other. */
const REPLAYS = `
  import { readdirSync } from "node:fs";
  import { choosePolicies, replay } from ${JSON.stringify(join(ROOT, "dist/src/index.js"))};
  import { fileSource, loadCore, nodeSurroundings } from ${JSON.stringify(join(ROOT, "dist/src/node/index.js"))};
  const module = await loadCore();
  const surroundings = nodeSurroundings(() => {});
  const policies = choosePolicies(["unpatched", "patched"]);
  const [from, to] = process.argv.slice(1).map(Number);
  for (const name of readdirSync("rec").sort().slice(from, to)) {
    const recording = { sources: [fileSource("rec/" + name)], surroundings, module };
    await replay(recording, { policies, window: "auto", runLimit: Infinity });
  }`;

/** CPU seconds of a child, by what the system says of it. */
function cpuOf(args, cwd) {
  const run = spawnSync(
    "bash",
    ["-c", `TIMEFORMAT='%U %S'; time "$0" "$@"`, process.execPath, ...args],
    {
      cwd,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    },
  );
  const [user, system] = run.stderr.trim().split("\n").at(-1).split(" ").map(Number);
  if (run.status !== 0) throw new Error(run.stderr);
  return user + system;
}

const cases = Number(process.argv[2] ?? 10_000);
const folder = mkdtempSync(join(tmpdir(), "bench-fleet-"));
try {
  mkdirSync(join(folder, "rec"));
  const text = gunzipSync(readFileSync(RECORDING)).toString();
  for (let i = 0; i < cases; i++) {
    const name = `host-${String(i).padStart(5, "0")}.txt`;
    writeFileSync(join(folder, "rec", name), `# ${name}\n${text}`);
  }
  const names = readdirSync(join(folder, "rec")).map((name) => join("rec", name));
  const plan = spawnSync(
    process.execPath,
    [CLI, "fleet", "plan", "-o", "plan.ndjson", "--root", "rec", ...names],
    { cwd: folder, encoding: "utf8" },
  );
  if (plan.status !== 0) throw new Error(plan.stderr);
  let replays = 0;
  let fleet = 0;
  for (let from = 0; from < cases; from += BLOCK) {
    const to = Math.min(cases, from + BLOCK);
    replays += cpuOf(["--input-type=module", "-e", REPLAYS, `${from}`, `${to}`], folder);
    const index = `${from}-${to - 1}`;
    const run = ["fleet", "run", "plan.ndjson", "-o", "parts", "--root", "rec", "--index", index];
    fleet += cpuOf([CLI, ...run], folder);
  }
  const row = (what, seconds) => console.log(`${what.padEnd(34)} ${seconds.toFixed(1)} s`);
  row(`${cases} replays, by the library`, replays);
  row("fleet run: the same, with parts", fleet);
  console.log(`ratio ${(fleet / replays).toFixed(2)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
