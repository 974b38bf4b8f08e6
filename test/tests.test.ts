/** Rules for tests: they run on any machine, however slow, and in a clone alone. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

const TESTS = readdirSync(import.meta.dirname, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.test\.ts$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => file !== import.meta.filename);

/** Lines of tests that a pattern matches, with their places. */
function linesLike(pattern: RegExp): string[] {
  return TESTS.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line, i) =>
        pattern.test(line) ? [`${relative(ROOT, file)}:${i + 1}: ${line}`] : [],
      ),
  );
}

describe("tests", () => {
  test("have no time limits of their own: vitest.config.ts has the one", () => {
    expect(linesLike(/^\s*\},\s*[\d_]{4,}\s*\);$|testTimeout|\btimeout:.*\btest\(/)).toEqual([]);
  });

  test("compare no time of the clock on the wall", () => {
    expect(linesLike(/expect\([^)]*(?:Date|performance)\.now\(\)/)).toEqual([]);
  });

  test("read nothing outside of the repository", () => {
    // A path that climbs above the root: more steps up than the file is deep.
    const climbs = TESTS.flatMap((file) => {
      const depth = relative(ROOT, file).split("/").length - 1;
      const up = [
        ...readFileSync(file, "utf8").matchAll(/import\.meta\.dirname, "((?:\.\.\/?)+)/g),
      ];
      return up
        .filter(([, steps]) => steps!.match(/\.\./g)!.length > depth)
        .map(([text]) => `${relative(ROOT, file)}: ${text}`);
    });
    expect(climbs).toEqual([]);
  });
});
