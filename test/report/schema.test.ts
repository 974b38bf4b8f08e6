import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run as explain } from "../../src/commands/explain.ts";
import { run as info } from "../../src/commands/info.ts";
import { run as log } from "../../src/commands/log.ts";
import { run as policies } from "../../src/commands/policies.ts";
import { run as report } from "../../src/commands/report.ts";
import { run as verify } from "../../src/commands/verify.ts";
import { eventJsonLine } from "../../src/report/json/event-json.ts";
import { requestJsonLine } from "../../src/report/json/request-json.ts";
import { event, fakeApi, fakeImage, fakeIo, request, resultOf } from "../support/report-fixture.ts";
import { closedSchema, errorsOf, promisesOf, SCHEMAS, schemaOf } from "../support/schemas.ts";

let scratch = "";

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "vhost-replay-"));
});
afterAll(() => rm(scratch, { recursive: true }));

const PROMISES: Record<string, string[]> = JSON.parse(
  readFileSync(new URL("schema-promises.json", import.meta.url), "utf8"),
);

const args = { recordings: ["m.txt"], json: true };

describe("what a command prints with --json is what its schema says:", () => {
  test("report", async () => {
    const io = fakeIo();
    expect(await report(fakeApi(), io, args)).toBe(1);
    const document = JSON.parse(io.stdout);
    expect(errorsOf("report", document)).toEqual([]);
    expect(document.answer).toBe("pages-lost");
    expect(document.machines).toHaveLength(1);
    expect(document.machines[0].verdict.answer).toBe("pages-lost");
    // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    expect(document.inputs[0].sha256).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(document.machines[0].findings[0].first.gpa).toBe("0x214200");
  });

  test("report without a verdict, without syncs and devices", async () => {
    const io = fakeIo();
    const result = resultOf({ verdict: false, devices: [], rounds: [], findings: [] });
    expect(await report(fakeApi(result), io, args)).toBe(3);
    expect(errorsOf("report", JSON.parse(io.stdout))).toEqual([]);
    expect(JSON.parse(io.stdout).answer).toBe("none");
  });

  test("info", async () => {
    const io = fakeIo();
    expect(await info(fakeApi(), io, args)).toBe(0);
    expect(errorsOf("info", JSON.parse(io.stdout))).toEqual([]);
    expect(
      JSON.parse(io.stdout).machines[0].syncs.map((sync: { number: number }) => sync.number),
    ).toEqual([7, 8]);
  });

  test("explain", async () => {
    const io = fakeIo();
    expect(await explain(fakeApi(), io, { ...args, gpa: "0x214800" })).toBe(0);
    const document = JSON.parse(io.stdout);
    expect(errorsOf("explain", document)).toEqual([]);
    expect(document.range).toEqual({ gpa: "0x214000", len: 4096, pages: 1 });
    expect(
      document.machines[0].policies.map((policy: { lostPages: number }) => policy.lostPages),
    ).toEqual([1, 0]);
  });

  test("requests and dump, a line each", () => {
    expect(errorsOf("requests", JSON.parse(requestJsonLine(request)))).toEqual([]);
    const popless = { ...request, popped: null, used: null, captured: null, cause: null };
    expect(errorsOf("requests", JSON.parse(requestJsonLine(popless)))).toEqual([]);
    expect(errorsOf("dump", JSON.parse(eventJsonLine(event)))).toEqual([]);
  });

  test("policies", async () => {
    const io = fakeIo();
    expect(await policies(fakeApi(), io, { json: true })).toBe(0);
    expect(errorsOf("policies", JSON.parse(io.stdout))).toEqual([]);
  });

  test("verify, equal and different", async () => {
    const observed = join(scratch, "observed");
    await log(fakeApi(), fakeIo(), { ...args, policy: "patched", output: observed });
    const io = fakeIo();
    expect(await verify(fakeApi(), io, { ...args, observed })).toBe(0);
    const document = JSON.parse(io.stdout);
    expect(errorsOf("verify", document)).toEqual([]);
    expect(document.answer).toBe("equal");
    expect(document.policies[0].first).toMatchObject({ gfn: "0x214", side: "missing", number: 8 });
  });

  test("log's index, whose images it describes", async () => {
    const output = join(scratch, "log");
    const io = fakeIo();
    expect(await log(fakeApi(), io, { ...args, policy: "patched", output })).toBe(0);
    const index = JSON.parse(await readFile(join(output, "index.json"), "utf8"));
    expect(errorsOf("log-index", index)).toEqual([]);
    expect(io.stdout).toBe(`${JSON.stringify(index, null, 2)}\n`);
    expect((await readdir(output)).sort()).toEqual(["007.bin", "008.bin", "index.json"]);
    const image = await readFile(join(output, "008.bin"));
    expect(image.length % 8).toBe(0);
    expect([...image]).toEqual([...fakeImage("linux-6.16")]);
    expect(index.images[1]).toMatchObject({ file: "008.bin", number: 8, name: "end", pages: 4 });
    await writeFile(join(output, "mine.txt"), "");
    await expect(log(fakeApi(), fakeIo(), { ...args, policy: "patched", output })).rejects.toThrow(
      "not a folder that log wrote",
    );
    expect(await readdir(output)).toContain("mine.txt");
  });
});

test("a document with a key too many or too few does not pass", async () => {
  const io = fakeIo();
  await report(fakeApi(), io, args);
  const document = JSON.parse(io.stdout);
  expect(errorsOf("report", { ...document, more: 1 })).not.toEqual([]);
  const { machines: _, ...less } = document;
  expect(errorsOf("report", less)).not.toEqual([]);
});

test("definitions that several schemas have are the same in all of them", () => {
  const seen = new Map<string, unknown>();
  for (const schema of SCHEMAS.map(schemaOf)) {
    for (const [name, definition] of Object.entries(schema.$defs ?? {})) {
      if (seen.has(name)) expect(definition).toEqual(seen.get(name));
      seen.set(name, definition);
    }
  }
  expect(seen.size).toBeGreaterThan(10);
});

/** Files of ours that only we read: docs/history.md, docs/fleet.md. */
const UNDESCRIBED = ["vhost-replay/history/1", "vhost-replay/plan/1"];

test("every document that src writes has its schema, and every promise, too", async () => {
  const src = join(import.meta.dirname, "../../src");
  const files = (await readdir(src, { recursive: true })).filter((file) => file.endsWith(".ts"));
  const texts = await Promise.all(files.map((file) => readFile(join(src, file), "utf8")));
  const written = texts.flatMap((text) =>
    [...text.matchAll(/"(vhost-replay\/[a-z-]+\/\d+)"/g)].map(([, name]) => name!),
  );
  const ids = SCHEMAS.map((name) => `${schemaOf(name).$id}`);
  expect(written.length).toBeGreaterThan(10);
  for (const name of written.filter((one) => !UNDESCRIBED.includes(one)))
    expect(ids, name).toContain(`urn:${name.replaceAll("/", ":")}`);
  expect(Object.keys(PROMISES).filter((id) => !ids.includes(id))).toEqual([]);
});

describe("a schema's number is a promise (docs/schemas.md):", () => {
  test.each(SCHEMAS)("%s promises what its number says", (name) => {
    const schema = schemaOf(name);
    const promised = PROMISES[`${schema.$id}`] ?? [];
    expect(promised, `${schema.$id} is new: add it to schema-promises.json`).not.toEqual([]);
    const now = promisesOf(schema);
    const keyOf = (line: string) => line.split(": ")[0];
    const keys = new Set(promised.map(keyOf));
    const gone = promised.filter((line) => !now.includes(line));
    const added = now.filter((line) => !promised.includes(line));
    const widened = added.filter((line) => keys.has(keyOf(line)));
    expect([...gone, ...widened], "broken promises: the schema needs a new number").toEqual([]);
    expect(added, "new keys: add them to schema-promises.json").toEqual([]);
  });

  test.each(SCHEMAS)("%s names its number in the same way in both places", (name) => {
    const { $id, properties } = schemaOf(name);
    expect($id).toMatch(new RegExp(`^urn:vhost-replay:${name}:[1-9]\\d*$`));
    const written = properties?.schema?.const;
    if (written !== undefined) expect(`urn:${written.replaceAll("/", ":")}`).toBe($id);
  });

  test.each(SCHEMAS.filter((name) => name !== "policy-file"))(
    "%s is open for keys to come",
    (name) => {
      expect(JSON.stringify(schemaOf(name))).not.toContain('"additionalProperties":false');
      expect(JSON.stringify(closedSchema(name))).toContain('"additionalProperties":false');
    },
  );
});
