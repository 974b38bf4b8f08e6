/** The output blocks of the README, the tour and what upstream should hear are what the commands print. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const TOUR = readFileSync(join(ROOT, "docs/tour.md"), "utf8");
const STORY = readFileSync(join(ROOT, "docs/story.md"), "utf8");
const UPSTREAM = readFileSync(join(ROOT, "docs/upstream.md"), "utf8");
/** A block that ends in `…` is the beginning of what is printed. */
const CUT = "\n…";
const BLOCKS = [
  ...`${README}${TOUR}${UPSTREAM}${STORY}`.matchAll(
    /```console\n\$ npx vhost-replay (.*)\n([\s\S]*?)\n```/g,
  ),
].map((match) => ({ args: match[1]!, output: match[2]! }));

describe("README", () => {
  test("has output blocks", () => {
    expect(BLOCKS.length).toBeGreaterThanOrEqual(5);
  });

  test.each(BLOCKS)("vhost-replay $args prints what stands there", ({ args, output }) => {
    const run = spawnSync(process.execPath, [join(ROOT, "dist/cli/cli.js"), ...args.split(" ")], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    if (output.endsWith(CUT)) {
      const shown = output.slice(0, -CUT.length);
      expect(run.stdout.slice(0, shown.length + 1)).toBe(`${shown}\n`);
    } else expect(run.stdout.trimEnd()).toBe(output);
  });

  test("is short: long outputs are in the tour", () => {
    expect(README.split("\n").length).toBeLessThanOrEqual(121);
  });

  test("its shell commands name scripts that exist", () => {
    const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts;
    for (const [, name] of README.matchAll(/npm run (\w+)/g)) expect(scripts).toHaveProperty(name!);
  });
});
