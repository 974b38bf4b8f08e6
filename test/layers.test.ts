/** Dependencies point one way, and the environment stays at the edge: ARCHITECTURE.md. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** First match wins. */
const LAYERS: [RegExp, number][] = [
  [/^assembly\/abi\.ts$|^src\/model\//, 0],
  [/^src\/(bytes|probes\/btf|qemu)\//, 1],
  [/^src\/(core|vhost|probes)\//, 2],
  [/^src\/(formats|memory)\//, 3],
  [/^src\/(join|replay)\//, 4],
  [/^src\/(answers|redact)\//, 5],
  [/^src\/report\//, 6],
  [/^src\/(index|cli|conformance)\.ts$|^src\/(node|commands|web)\//, 7],
];

/** Known arrows upward, to be taken away with the circles. */
const UPWARD = new Set([
  "src/answers/stale-status.ts > src/report/text/migration-text.ts",
  "src/replay/summary.ts > src/answers/identify.ts",
]);

const EDGE = /^src\/(node|commands)\/|^src\/(cli|conformance)\.ts$/;

function layerOf(file: string): number {
  const entry = LAYERS.find(([pattern]) => pattern.test(file));
  if (!entry) throw new Error(`${file} is in no layer`);
  return entry[1];
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

interface Import {
  from: string;
  /** Path in the repository, or the specifier of a package. */
  to: string;
  typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  const pattern = /(?:import|export)\s+(type\s)?[^;'"]*?from\s+"([^"]+)"|import\("([^"]+)"\)/g;
  return [...text.matchAll(pattern)].map((match) => {
    const specifier = match[2] ?? match[3]!;
    const to = specifier.startsWith(".")
      ? relative(ROOT, resolve(ROOT, dirname(file), specifier))
      : specifier;
    return { from: file, to, typeOnly: match[1] !== undefined };
  });
}

const FILES = sources("src");
const IMPORTS = FILES.flatMap(importsOf);

describe("layers", () => {
  test("the reader of imports sees them", () => {
    expect(IMPORTS.length).toBeGreaterThan(FILES.length);
  });

  test("an import never points to a higher layer", () => {
    const upward = IMPORTS.filter(
      ({ from, to, typeOnly }) =>
        !typeOnly &&
        /^(src|assembly)\//.test(to) &&
        layerOf(to) > layerOf(from) &&
        !UPWARD.has(`${from} > ${to}`),
    );
    expect(upward).toEqual([]);
  });

  test("reports never touch the core", () => {
    const touching = IMPORTS.filter(
      ({ from, to, typeOnly }) =>
        !typeOnly && from.startsWith("src/report/") && /^src\/(core|replay)\//.test(to),
    );
    expect(touching).toEqual([]);
  });

  test("node:* is imported at the edge only", () => {
    const inside = IMPORTS.filter(({ from, to }) => to.startsWith("node:") && !EDGE.test(from));
    expect(inside).toEqual([]);
  });

  test("process and console are used at the edge only", () => {
    const users = FILES.filter(
      (file) =>
        !EDGE.test(file) &&
        /\b(process|console)\.\w/.test(
          readFileSync(join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""),
        ),
    );
    expect(users).toEqual([]);
  });

  test("the core imports nothing from the host, and abi.ts nothing at all", () => {
    for (const file of sources("assembly")) {
      for (const { to } of importsOf(file)) expect(to, file).toMatch(/^assembly\//);
    }
    expect(importsOf("assembly/abi.ts")).toEqual([]);
  });

  test("nothing asks which policy it is: another kernel is another row", () => {
    const names =
      /(===|!==|case|includes\(|startsWith\()\s*["'`](linux-|series|unpatched|patched|spdk|dpdk|libvhost|qemu-device|vhost-vsock-fixed)/;
    const data =
      /^src\/vhost\/(kernels|backends|versions|series|policy|policy-row)\.ts$|conformance\.ts$/;
    const asking = [...FILES, ...sources("assembly")].filter(
      (file) => !data.test(file) && names.test(readFileSync(join(ROOT, file), "utf8")),
    );
    expect(asking).toEqual([]);
  });

  test("no file is longer than 700 lines in the core or 400 in the host", () => {
    const tooLong = [...FILES, ...sources("assembly")].filter((file) => {
      const lines = readFileSync(join(ROOT, file), "utf8").split("\n").length;
      return lines > (file.startsWith("assembly/") ? 700 : 400);
    });
    expect(tooLong).toEqual([]);
  });
});
