/** Dependencies point one way, and the environment stays at the edge: ARCHITECTURE.md. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/**
 * The rooms by floor, in the order of the data flow, `bytes formats join replay answers report
 * commands`, with the rooms beside it where their imports put them. A file may import from its own
 * room and from lower floors; types count.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["abi", "model"],
  ["bytes", "vhost", "qemu", "probes"],
  ["core", "memory"],
  ["formats"],
  ["join"],
  ["replay", "case", "minimize"],
  ["answers", "fleet", "history", "redact"],
  ["report", "node", "export", "index.ts"],
  ["commands", "web", "conformance-migrations.ts"],
  ["cli.ts", "conformance.ts", "rows.ts"],
];

const EDGE = /^src\/(node|commands)\/|^src\/(cli|rows|conformance(-migrations)?)\.ts$/;

const ABI = readdirSync(join(ROOT, "assembly"))
  .filter((name) => /^(?:\w+-)?abi\.ts$/.test(name))
  .map((name) => `assembly/${name}`);

/** The room of a file of src/: its folder there, or itself; `abi` for what both compilers read. */
function roomOf(file: string): string {
  return ABI.includes(file) ? "abi" : file.split("/")[1]!;
}

function floorOf(file: string): number {
  const floor = FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)));
  if (floor < 0) throw new Error(`${file} is in no room of FLOORS`);
  return floor;
}

/** The first circle of imports among these files, in the order of the imports; empty: none. */
function circleOf(imports: readonly Import[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] => {
    const at = path.indexOf(file);
    if (at >= 0) return path.slice(at);
    if (done.has(file)) return [];
    path.push(file);
    for (const to of targets.get(file) ?? []) {
      const circle = visit(to);
      if (circle.length > 0) return circle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of targets.keys()) {
    const circle = visit(file);
    if (circle.length > 0) return circle;
  }
  return [];
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

/** The core's folders, lowest first; what lies beside them conducts: merge, sync, machine, index. */
const CORE_FLOORS = ["base", "known", "decode", "pages", "migration", "device"];

/** The core's imports, of files with their extension. */
const CORE = sources("assembly")
  .flatMap(importsOf)
  .map((one) => ({ ...one, to: one.to.endsWith(".ts") ? one.to : `${one.to}.ts` }))
  .filter(({ to }) => !ABI.includes(to));

function coreFloor(file: string): number {
  const [, folder, inside] = file.split("/");
  const floor = CORE_FLOORS.indexOf(folder!);
  if (inside !== undefined && floor < 0) throw new Error(`${file} is on no floor of the core`);
  return inside === undefined ? CORE_FLOORS.length : floor;
}

const FILES = sources("src");
const IMPORTS = FILES.flatMap(importsOf);

describe("layers", () => {
  test("the reader of imports sees them", () => {
    expect(IMPORTS.length).toBeGreaterThan(FILES.length);
  });

  test("there are at most ten floors, and every room stands on one", () => {
    expect(FLOORS.length).toBeLessThanOrEqual(10);
    const rooms = new Set(FILES.map(roomOf));
    expect(FLOORS.flat().filter((room) => room !== "abi" && !rooms.has(room))).toEqual([]);
    for (const file of FILES) expect(floorOf(file), file).toBeGreaterThanOrEqual(0);
  });

  test("an import points to its own room or to a lower floor, that of a type too", () => {
    const upward = IMPORTS.filter(({ to }) => /^(src|assembly)\//.test(to))
      .filter(({ from, to }) => roomOf(to) !== roomOf(from) && floorOf(to) >= floorOf(from))
      .map(({ from, to }) => `${from} > ${to}`);
    expect(upward).toEqual([]);
  });

  test("no files import each other in a circle, on the host or in the laboratory", () => {
    const own = IMPORTS.filter(({ to }) => to.startsWith("src/"));
    expect(circleOf(own)).toEqual([]);
    expect(circleOf(sources("traces/lab/host").flatMap(importsOf))).toEqual([]);
  });

  test("text for people knows no JSON", () => {
    const json = IMPORTS.filter(
      ({ from, to }) => from.startsWith("src/report/text/") && to.startsWith("src/report/json/"),
    );
    expect(json).toEqual([]);
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

  test("the core imports nothing from the host, and the words of both sides nothing at all", () => {
    for (const file of sources("assembly")) {
      for (const { to } of importsOf(file)) expect(to, file).toMatch(/^assembly\//);
    }
    for (const file of ABI) expect(importsOf(file), file).toEqual([]);
  });

  test("the core's folders are layers, with the conductors on top", () => {
    const upward = CORE.filter(({ from, to }) => coreFloor(to) > coreFloor(from));
    expect(upward.map(({ from, to }) => `${from} > ${to}`)).toEqual([]);
  });

  test("no files of the core import each other in a circle", () => {
    expect(CORE.length).toBeGreaterThan(100);
    expect(circleOf(CORE)).toEqual([]);
  });

  test("nothing asks which policy it is: another kernel is another row", () => {
    const names =
      /(===|!==|case|includes\(|startsWith\()\s*["'`](linux-|series|unpatched|patched|spdk(?!_)|dpdk|libvhost|qemu-device|vhost-vsock-fixed)/;
    const data =
      /^src\/vhost\/(kernels|backends|versions|series|policy|policy-row)\.ts$|conformance\.ts$/;
    const asking = [...FILES, ...sources("assembly")].filter(
      (file) => !data.test(file) && names.test(readFileSync(join(ROOT, file), "utf8")),
    );
    expect(asking).toEqual([]);
  });

  test("no file is longer than 400 lines", () => {
    const tooLong = [...FILES, ...sources("assembly")].filter((file) => {
      const lines = readFileSync(join(ROOT, file), "utf8").split("\n").length;
      return lines > 400;
    });
    expect(tooLong).toEqual([]);
  });
});
