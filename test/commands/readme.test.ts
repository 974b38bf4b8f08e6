/** The README's output blocks are what the commands print. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const BLOCKS = [...README.matchAll(/```console\n\$ npx vhost-replay (.*)\n([\s\S]*?)\n```/g)].map(
  (match) => ({ args: match[1]!, output: match[2]! }),
);

describe("README", () => {
  test("has output blocks", () => {
    expect(BLOCKS.length).toBeGreaterThanOrEqual(3);
  });

  test.each(BLOCKS)("vhost-replay $args prints what stands there", ({ args, output }) => {
    const run = spawnSync(process.execPath, [join(ROOT, "dist/cli/cli.js"), ...args.split(" ")], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    expect(run.stdout.trimEnd()).toBe(output);
  });

  test("its shell commands name scripts that exist", () => {
    const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts;
    for (const [, name] of README.matchAll(/npm run (\w+)/g)) expect(scripts).toHaveProperty(name!);
  });
});
