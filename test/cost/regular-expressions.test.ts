/**
 * Every regular expression takes linear time, or what it is given is bounded: `recheck` looks for a
 * text on which it takes the square, and more. A recording, a map and a list of events are all somebody
 * else's texts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkSync } from "recheck";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
/** Milliseconds that recheck may think about one. */
const PATIENCE = 20_000;

/** What bounds the text of those that are not linear, or that recheck cannot decide: file and reason. */
const BOUNDED: Record<string, string> = {
  "src/bytes/foreign.ts": "the first lines of a file, 64 KiB at most",
  "src/conformance.ts": "names of folders",
  "src/conformance-migrations.ts": "names of files",
  "src/formats/event-line.ts": "lines of 4096 characters at most",
  "src/formats/format-file.ts": "declarations of 1024 characters at most",
  "src/formats/ftrace-dialects.ts": "the first lines of a file, 64 KiB at most",
  "src/formats/other-line.ts": "lines of 4096 characters at most",
  "src/formats/stated-entries.ts": "lines of 4096 characters at most",
  "src/join/clock-pair.ts": "lines of 1024 characters at most",
  "src/memory/mtree-text.ts": "lines of 1024 characters at most",
  "src/memory/ramblock-text.ts": "lines of 1024 characters at most",
  "src/node/record/recorder.ts": "the last 2000 characters of what trace-cmd says",
  "src/node/record/tracefs.ts": "kprobe_profile of the kernel, our lines of it",
  "src/probes/back-end-cost.ts": "the first 256 characters of a line",
  "src/probes/outside-value.ts": "values of 1024 characters at most",
  "src/vhost/kernel-source.ts": "repetitions of at most 40 characters",
};

interface Literal {
  file: string;
  source: string;
  flags: string;
}

/** A literal behind what an expression can follow; comments are blanked first. */
const LITERAL =
  /(?<=[(=,:[!&|?;{}]\s*|return\s|^\s+)\/(?![*/])((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/gm;

function literals(folder: string): Literal[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return literals(file);
    const text = readFileSync(join(ROOT, file), "utf8")
      .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")
      .replaceAll(/`[^`\n]*`/g, "``");
    return [...text.matchAll(LITERAL)].map((match) => ({
      file,
      source: match[1]!,
      flags: match[2]!,
    }));
  });
}

const FOUND = literals("src");
const check = ({ source, flags }: Literal) =>
  checkSync(source, flags, { timeout: PATIENCE, attackTimeout: PATIENCE });

describe("regular expressions", () => {
  test("are found, and one that takes the square is told", () => {
    expect(FOUND.length).toBeGreaterThan(150);
    expect(check({ file: "", source: "(\\w+)\\s*$", flags: "" }).status).toBe("vulnerable");
  });

  test("take linear time where their text is not bounded", () => {
    const slow = FOUND.filter(({ file }) => !(file in BOUNDED)).flatMap((literal) => {
      const found = check(literal);
      if (found.status === "safe") return [];
      const what = found.status === "vulnerable" ? found.complexity.summary : found.status;
      return [`${literal.file}: /${literal.source}/: ${what}`];
    });
    expect(slow).toEqual([]);
  });

  test("with a bound are still there", () => {
    const files = new Set(FOUND.map(({ file }) => file));
    for (const file of Object.keys(BOUNDED)) expect(files, file).toContain(file);
  });
});
