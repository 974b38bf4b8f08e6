/** Every bound of the sources stands in docs/bounds.md, by its name and value, and nothing else does. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
/** A constant that bounds something is called so. */
const BOUND =
  /^(?:export )?const ((?:MAX|MOST|LONGEST|LEAST)(?:_[A-Z_]+)?|[A-Z_]+_LIMIT)(?:: \w+)? = ([^;]+);/gm;

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? sources(path) : path.endsWith(".ts") ? [path] : [];
  });
}

/** `file: NAME value, NAME value`, of every file that has bounds. */
function boundsOfSources(): string[] {
  return [...sources("assembly"), ...sources("src")].flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    const bounds = [...text.matchAll(BOUND)].map(([, name, value]) => `${name} ${value}`);
    return bounds.length === 0 ? [] : [`* \`${file}\`: ${bounds.join(", ")}`];
  });
}

test("docs/bounds.md lists all bounds", () => {
  const listed = readFileSync(join(ROOT, "docs/bounds.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("* `"));
  expect(listed).toEqual(boundsOfSources());
  expect(listed.length).toBeGreaterThan(80);
});

test("docs/findings.md, which tells what a user meets, leads there", () => {
  expect(readFileSync(join(ROOT, "docs/findings.md"), "utf8")).toContain("(bounds.md)");
});
