/** Places that a new thing has (docs/extending.md): one that was forgotten is named here. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { EventKind } from "../assembly/event-abi.ts";
import { Cause } from "../assembly/page-abi.ts";
import * as library from "../src/index.ts";
import { causeText, writerText } from "../src/report/text/cause-text.ts";
import { CAUSE_LIST, causeMask, causeName, hasCause, NOT_WRITTEN } from "../src/vhost/causes.ts";
import { POLICIES } from "../src/vhost/policy.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

function files(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `${folder}/${file}`);
}

const CORE = files("assembly").filter((file) => !/(?:^|\/)(?:\w+-)?abi\.ts$/.test(file));
const HOST = files("src");
const coreText = CORE.map(read).join("\n");
/** Where causes are given: not what the pages do with one, nor where one is compared. */
const marksText = CORE.filter((file) => !file.startsWith("assembly/pages/"))
  .map(read)
  .join("\n")
  .replace(/[=!]= Cause\.\w+/g, "");

describe("a cause", () => {
  test.each(CAUSE_LIST.map(causeName))("%s has words in report/text/cause-text.ts", (name) => {
    expect(writerText(name), "who").not.toBe(name);
    if (!name.endsWith("-logged")) expect(causeText(name), "when").not.toBe(writerText(name));
  });

  test.each(CAUSE_LIST.map((cause) => [Cause[cause]!]))(
    "%s is marked in assembly/device or known",
    (name) => {
      const named = new RegExp(`\\bCause\\.${name}\\b`).test(marksText);
      // Where the log's state is added to a cause: logged, without a base, off.
      const first = Cause[Cause[name as keyof typeof Cause] - (/Off$/.test(name) ? 2 : 1)];
      const added =
        /(?:NoBase|Off)$/.test(name) &&
        first === name.replace(/NoBase$|Off$/, "Logged") &&
        new RegExp(`\\bCause\\.${first}\\b`).test(marksText);
      expect(named || added).toBe(true);
    },
  );

  test.each(CAUSE_LIST.map(causeName))("%s is defined in docs/model.md", (name) => {
    const text = read("docs/model.md");
    const [who = "", ...rest] = name.split("-");
    const state = rest.join("-");
    const words = (word: string): boolean => new RegExp(`\\*${word}\\*|\\b${name}\\b`).test(text);
    expect(words(who) && words(state), `*${who}* and *${state}*, or ${name}`).toBe(true);
  });

  test("has its cross in the table of docs/model.md", () => {
    const rows = read("docs/model.md")
      .split("\n")
      .map((line) => line.split("|").map((cell) => cell.trim()));
    const states = rows.find((row) => row[2] === "logged")!.slice(2, -1);
    for (const row of rows) {
      const who = /^\*\*(\w+)\*\* \w/.exec(row[1] ?? "")?.[1];
      if (who === undefined || row.length !== states.length + 3) continue;
      const own = states.filter((state) => causeMask(`${who}-${state}`) !== 0n);
      expect(
        states.filter((_, i) => row[i + 2] === "x"),
        `docs/model.md: ${who}`,
      ).toEqual(own);
    }
  });

  test("of a request's descriptors stands in WHOLE of assembly/pages/rows.ts, or in WHOLE_OFF", () => {
    const text = read("assembly/pages/rows.ts");
    const masked = (name: string): string[] => {
      const list = new RegExp(`const ${name}: u64 =([^;]*);`).exec(text)![1]!;
      return [...list.matchAll(/Cause\.(\w+)/g)].map(([, cause]) => cause!).sort();
    };
    const own = CAUSE_LIST.map((cause) => Cause[cause]!).filter((name) =>
      /^(?:Io|Ctl|Evt)(?!NoBase|Beyond)/.test(name),
    );
    expect(masked("WHOLE")).toEqual(own.filter((name) => !name.endsWith("Off")).sort());
    expect(masked("WHOLE_OFF")).toEqual(own.filter((name) => name.endsWith("Off")).sort());
  });

  /** Written where every vhost logs something else, or nothing. */
  const NEVER_LOGGED = ["stray-logged", "packed-left-out"];

  test("is logged by some policy (src/vhost), but where no vhost does", () => {
    const logged = POLICIES.reduce((bits, { logs }) => bits | logs, 0n);
    const never = CAUSE_LIST.filter((cause) => !hasCause(logged, cause)).map(causeName);
    expect(never.filter((name) => !/-(?:no-base|off)$/.test(name))).toEqual(NEVER_LOGGED);
  });

  test("what no write is, some policy logs", () => {
    const logged = POLICIES.reduce((bits, { logs }) => bits | logs, 0n);
    const unused = CAUSE_LIST.filter((cause) => hasCause(NOT_WRITTEN & ~logged, cause));
    expect(unused.map(causeName).filter((name) => !name.endsWith("-off"))).toEqual([]);
  });
});

describe("an event of QEMU", () => {
  /** For people alone: `dump` and `events` show them. */
  const SHOWN = ["QCancel"];

  test("has somebody who reads its kind", () => {
    const host = HOST.filter((file) => !file.startsWith("src/qemu/")).map(read);
    const text = [coreText, ...host].join("\n");
    const unread = Object.keys(EventKind).filter(
      (kind) => /^Q/.test(kind) && !new RegExp(`\\bEventKind\\.${kind}\\b`).test(text),
    );
    expect(unread).toEqual(SHOWN);
  });
});

describe("a file of src", () => {
  /** What the package gives to programs, and programs themselves. */
  const ENTRIES = [
    ...["src/cli.ts", "src/conformance.ts", "src/web/worker.ts", "src/node/zstd-worker.ts"],
    ...[...read("package.json").matchAll(/dist\/(src\/[\w/-]+)\.js/g)].map(
      ([, file]) => `${file}.ts`,
    ),
  ];
  const texts = new Map(HOST.map((file) => [file, read(file)]));
  const imported = new Set(
    [...texts].flatMap(([file, text]) =>
      [...text.matchAll(/(?:from|import\(|import|new URL\()\s*"(\.[^"]+)"/g)].map(([, path]) =>
        relative(ROOT, join(ROOT, dirname(file), path!)),
      ),
    ),
  );

  test("is imported by another: a format, a section, a command that nobody calls is forgotten", () => {
    const alone = HOST.filter((file) => !imported.has(file) && !ENTRIES.includes(file));
    expect(alone.filter((file) => !/\/page\/(?:main|index)\.ts$/.test(file))).toEqual([]);
  });

  test("exports nothing that nobody takes", () => {
    const all = [...texts.values()].join("\n");
    const tests = [...files("test"), ...files("traces")].map(read).join("\n");
    const unused = [...texts].flatMap(([file, text]) => {
      if (ENTRIES.includes(file) || /^src\/(?:commands|answers)\/[\w-]+\.ts$/.test(file)) return [];
      const names = [...text.matchAll(/^export (?:async )?(?:function\*?|const|class) (\w+)/gm)];
      return names
        .map((match) => match[1]!)
        .filter((name) => {
          const word = new RegExp(`\\b${name}\\b`, "g");
          const uses = all.match(word)!.length;
          // Its own declaration is one.
          return uses < 2 && !tests.match(word);
        })
        .map((name) => `${file}: ${name}`);
    });
    expect(unused).toEqual([]);
  });
});

describe("a question", () => {
  const questions = files("src/answers").filter((file) =>
    /^export async function ask\b/m.test(read(file)),
  );

  test("says its status, and is a name of the library", () => {
    const index = read("src/index.ts");
    expect(questions.length).toBeGreaterThan(10);
    for (const file of questions) {
      expect(read(file), `${file}: statusOf`).toMatch(/^export function statusOf\b/m);
      expect(index, `src/index.ts: ${file}`).toContain(`"./${relative("src", file)}"`);
    }
  });

  test("is asked by test/support/ask-all.mjs, as a program would", () => {
    const asked = read("test/support/ask-all.mjs");
    const names = Object.entries(library).filter(
      ([, one]) => typeof one === "object" && one !== null && "ask" in one,
    );
    expect(names.length).toBe(questions.length);
    for (const [name] of names) expect(asked, name).toContain(`ask("${name}"`);
  });
});

describe("a command", () => {
  const names = files("src/commands")
    .map((file) => /^src\/commands\/([\w-]+)\.ts$/.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .filter((name) =>
      /^export async function run\b|^export function run\b/m.test(read(`src/commands/${name}.ts`)),
    );

  test("is in the program, in the README and has options that --help tells", () => {
    const program = read("src/commands/program.ts");
    const readme = read("README.md");
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) {
      expect(program, `src/commands/program.ts: ${name}`).toContain(`import("./${name}.ts")`);
      expect(readme, `README.md: ${name}`).toMatch(new RegExp(`^\\|.*\`${name}\\b`, "m"));
    }
  });
});
