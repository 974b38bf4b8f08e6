/** Policies described by their user. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { CAUSE_LIST, causeName, causesOf } from "../../src/vhost/causes.ts";
import { findPolicy, refusal } from "../../src/vhost/policy.ts";
import { readPolicyFile } from "../../src/vhost/policy-file.ts";

const PLACE = { file: "acme.json", at: "" };
const SCHEMA = JSON.parse(
  readFileSync(join(import.meta.dirname, "../..", "schema", "policy-file.schema.json"), "utf8"),
);
const valid = new Ajv2020().compile(SCHEMA);
const read = (file: unknown) => readPolicyFile(JSON.stringify(file), PLACE);

describe("a policy file", () => {
  test("names the patches that a vendor took", () => {
    const policy = read({ name: "acme-5.14", base: "linux-6.1", patches: [7, 1, 2, 4, 5, 6] });
    expect(policy.name).toBe("acme-5.14");
    expect(policy.series?.patches).toEqual([1, 2, 4, 5, 6, 7]);
    expect(causesOf(policy.logs & ~findPolicy("linux-6.1").logs)).toEqual([
      ...["io-logged", "io-beyond", "io-refused"],
    ]);
  });
  test("changes a switch of its base", () => {
    const policy = read({ name: "a", base: "linux-6.16", switches: { freeOnOff: false } });
    expect(causesOf(policy.logs ^ findPolicy("linux-6.16").logs)).toEqual(["io-freed"]);
  });
  test("may name causes instead", () => {
    expect(causesOf(read({ name: "a", logs: ["io-late", "ring-logged"] }).logs)).toEqual([
      "ring-logged",
      "io-late",
    ]);
  });
  test("may name every cause, and its schema knows them all", () => {
    const all = CAUSE_LIST.map(causeName);
    expect(SCHEMA.properties.logs.items.enum, "schema/policy-file.schema.json").toEqual(all);
    expect(causesOf(read({ name: "a", logs: all }).logs)).toEqual(all);
  });
  test("may stand on another vhost", () => {
    const policy = read({ name: "a", base: "spdk-split", note: "our fork" });
    expect([policy.logs, policy.note]).toEqual([findPolicy("spdk-split").logs, "our fork"]);
  });
  test("of a kernel that would halt is read, and has no numbers", () => {
    expect(refusal(read({ name: "acme", base: "linux-6.6", patches: [5, 6, 7] }))).toMatch(/BUG/);
  });

  const WRONG: [string, unknown, RegExp][] = [
    ["without a name", { base: "linux-6.1" }, /acme.json:name: expected a name/],
    [
      "with a name of the table",
      { name: "linux-6.16", base: "linux-6.1" },
      /:name: .*no policy has/,
    ],
    ["with a name that is a version", { name: "linux-6.2", base: "linux-6.1" }, /:name: /],
    ["with a base that nobody knows", { name: "a", base: "windows" }, /:base: .*"windows"/],
    ["with patch 11", { name: "a", patches: [11] }, /:patches: expected numbers from 1 to 10/],
    ["with half a patch", { name: "a", patches: [1.5] }, /:patches: /],
    ["with patches as a text", { name: "a", patches: "1-3" }, /:patches: expected a list/],
    ["with an unknown key", { name: "a", patches: [], pathces: [] }, /:pathces: expected only/],
    ["with an unknown cause", { name: "a", logs: ["io-maybe"] }, /:logs: .*"io-maybe"/],
    ["with causes and patches", { name: "a", logs: [], patches: [] }, /:logs: .*not both/],
    ["with nothing but a name", { name: "a" }, /:base: /],
    [
      "with an unknown switch",
      { name: "a", patches: [], switches: { speed: 1 } },
      /:switches.speed/,
    ],
    [
      "with a switch that inherits",
      { name: "a", patches: [], switches: { constructor: 1 } },
      /:switches.c/,
    ],
    [
      "with a wrong value",
      { name: "a", patches: [], switches: { flush: "yes" } },
      /:switches.flush/,
    ],
    ["that is a list", [], /one JSON object/],
    ["that is null", null, /one JSON object/],
  ];
  test.each(WRONG)("%s is refused, naming the key", (_, file, message) => {
    expect(() => read(file)).toThrow(RecordingError);
    expect(() => read(file)).toThrow(message);
  });
  test("that is no JSON, or too long, is refused", () => {
    expect(() => readPolicyFile("{name", PLACE)).toThrow(RecordingError);
    expect(() => readPolicyFile(" ".repeat(70000), PLACE)).toThrow(/at most 65536/);
  });

  test("the shipped schema accepts what is read, and refuses what its form shows to be wrong", () => {
    expect(valid({ name: "acme-5.14", base: "linux-6.1", patches: [1, 2, 4, 5, 6, 7] })).toBe(true);
    expect(valid({ name: "a", logs: ["io-late"] })).toBe(true);
    expect(valid({ name: "a", base: "linux-6.1", switches: { flush: true } })).toBe(true);
    // What only the table of policies can tell is not the schema's to know.
    const byTable = /name of the table|name that is a version|nobody knows/;
    for (const [what, file] of WRONG) {
      if (!byTable.test(what)) expect(valid(file), what).toBe(false);
    }
  });
});
