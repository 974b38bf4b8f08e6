/**
 * `npm run test:node -- 22 24 [test paths]`: the tests under other versions of Node.js, from npm's
 * packages `node-PLATFORM-ARCH` (what the package `node` installs), kept in a folder that git ignores.
 * Build first. Exit status 1 when one of them fails.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, "node_modules", ".node-versions");

const words = process.argv.slice(2);
const versions = words.filter((word) => /^\d+(\.\d+)*$/.test(word));
const paths = words.filter((word) => !versions.includes(word));
if (versions.length === 0) {
  console.error("usage: npm run test:node -- VERSION… [test paths]");
  process.exit(2);
}

/** The program of a version, installed where it is missing. */
function nodeOf(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const home = join(FOLDER, version);
  const program = join(home, "node_modules", name, "bin", "node");
  if (existsSync(program)) return program;
  mkdirSync(home, { recursive: true });
  // Without a manifest of its own, npm would install into the project.
  writeFileSync(join(home, "package.json"), '{ "private": true }\n');
  const npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", `${name}@${version}`];
  const { status } = spawnSync("npm", npm, { cwd: home, stdio: "inherit" });
  if (status !== 0) throw new Error(`npm could not install ${name}@${version}`);
  return program;
}

let failed = 0;
for (const version of versions) {
  const program = nodeOf(version);
  const env = { ...process.env, PATH: `${dirname(program)}${delimiter}${process.env.PATH}` };
  console.log(`\nNode.js ${spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.trim()}`);
  const vitest = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", ...paths];
  if (spawnSync(program, vitest, { cwd: ROOT, env, stdio: "inherit" }).status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
