/** docs/laws.md against those who cite it: no number that is not there, no law that nobody tests. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

function files(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "fixtures" ? [] : files(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** Numbers of the laws, in the order of the document. */
const LAWS = [...read("docs/laws.md").matchAll(/^\| ([A-Z]\d+) \|/gm)].map((match) => match[1]!);

/** Laws that a text cites: `C12`, and all of `C10 to C12`. */
function cited(text: string): string[] {
  const single = [...text.matchAll(/\bC\d{1,2}\b/g)].map((match) => match[0]);
  const ranges = [...text.matchAll(/\bC(\d{1,2}) to C(\d{1,2})\b/g)].flatMap(([, from, to]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => `C${Number(from) + i}`),
  );
  return [...single, ...ranges];
}

/** Titles of tests and of tables of tests: a range in a comment cites, but tests nothing. */
const titles = files("test")
  .map((file) => read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""))
  .flatMap((text) => [...text.matchAll(/["'`](C\d{1,2}\b[^"'`\n]*)/g)].map((match) => match[1]!))
  .flatMap(cited);

describe("laws", () => {
  test("no number is given twice, and they stand in order", () => {
    expect(LAWS.length).toBeGreaterThan(80);
    expect(new Set(LAWS).size).toBe(LAWS.length);
    const numbers = LAWS.filter((law) => law.startsWith("C")).map((law) => Number(law.slice(1)));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  });

  test("whoever cites a law cites one that is there", () => {
    const wrong = [...files("src"), ...files("assembly"), ...files("test")]
      .filter((file) => file !== "test/laws.test.ts")
      .flatMap((file) => cited(read(file)).map((law) => `${file}: ${law}`))
      .filter((line) => !LAWS.includes(line.slice(line.indexOf(": ") + 2)));
    expect(wrong).toEqual([]);
  });

  test("a document that is cited is one of the repository", () => {
    const there = new Set(
      [".", "docs", "bench", "traces", "traces/lab"].flatMap((folder) =>
        readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".md")),
      ),
    );
    const cites = /\b[\w-]+\.md\b/g;
    const outside = [...files("src"), ...files("assembly"), ...files("test")].flatMap((file) =>
      [...read(file).matchAll(cites)].map((match) => match[0]).filter((name) => !there.has(name)),
    );
    expect(outside).toEqual([]);
  });

  test("every law has a test in whose title it stands", () => {
    expect(LAWS.filter((law) => law.startsWith("C") && !titles.includes(law))).toEqual([]);
  });
});
