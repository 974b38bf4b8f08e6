/** Plans, parts and their merge: laws of the merge, and what is not known. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIndexes, indexOfTask, parseIndexes } from "../../src/fleet/index-list.ts";
import { fleetStatus, mergeParts } from "../../src/fleet/merge.ts";
import { decodePages, encodePages } from "../../src/fleet/page-set.ts";
import { type OkPart, PART_SCHEMA, type Part, readPart, writePart } from "../../src/fleet/part.ts";
import { makePlan, PlanError, readPlan, writePlan } from "../../src/fleet/plan.ts";
import { errorsOf } from "../support/schemas.ts";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
const TOOL = { version: "1.2.3", core: "c0" };
const OPTIONS = { policies: ["linux-6.1", "linux-6.16"], window: "auto" as const };

const planOf = (count: number, labels: (i: number) => Record<string, string> = () => ({})) =>
  makePlan(
    Array.from({ length: count }, (_, i) => ({
      name: `host-${String(i).padStart(3, "0")}`,
      files: [{ name: `host-${i}/trace.dat`, bytes: i, changed: 1 }],
      labels: labels(i),
    })),
    TOOL,
    OPTIONS,
    digest,
  );

type Plan = ReturnType<typeof planOf>;

/** A part of a case in which linux-6.1 loses these pages and linux-6.16 none. */
function okPart(plan: Plan, index: number, pages: number[], content = `sha-${index}`): OkPart {
  const entry = plan.entries[index]!;
  const set = encodePages(pages.map((gfn) => ({ gfn, pages: 1 })));
  const policy = (name: string, lost: number) => ({
    name,
    logged: 0,
    lost,
    lostPages: lost > 0 ? set : "",
    stale: null,
    possiblyStale: null,
    stalePages: "",
  });
  return {
    schema: PART_SCHEMA,
    id: entry.id,
    name: entry.name,
    labels: entry.labels,
    tool: TOOL,
    options: OPTIONS,
    inputs: [],
    content,
    status: "ok",
    machines: [
      {
        number: 1,
        verdict: true,
        mayBeMore: [],
        mayBeLess: [],
        written: pages.length,
        migrations: 0,
        policies: [policy("linux-6.1", pages.length), policy("linux-6.16", 0)],
      },
    ],
  };
}

const failedPart = (plan: Plan, index: number): Part => {
  const { machines: _, ...head } = okPart(plan, index, []);
  return { ...head, status: "failed", content: null, error: "trace.dat: expected a recording" };
};

describe("indexes", () => {
  test("lists are written as schedulers read them, and read back", () => {
    expect(formatIndexes([3, 7, 19, 20, 21, 24])).toBe("3,7,19-21,24");
    expect(parseIndexes("3,7,19-21")).toEqual([
      { first: 3, last: 3 },
      { first: 7, last: 7 },
      { first: 19, last: 21 },
    ]);
    for (const wrong of ["", "a", "3-", "5-3", "1,,2", "-1", "1 2"])
      expect(parseIndexes(wrong), wrong).toBeNull();
  });

  test.each([
    "SLURM_ARRAY_TASK_ID",
    "JOB_COMPLETION_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "BATCH_TASK_INDEX",
    "CLOUD_RUN_TASK_INDEX",
  ])("%s gives a task its index", (variable) => {
    expect(indexOfTask({ [variable]: "12" })).toEqual({ variable, value: "12" });
    expect(indexOfTask({ OTHER: "12" })).toBeNull();
  });
});

describe("sets of pages", () => {
  const runs = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 2 ** 33 }), fc.integer({ min: 1, max: 2 ** 20 })), {
      maxLength: 60,
    })
    .map((gaps) => {
      let end = 0;
      return gaps.map(([gap, pages]) => {
        const gfn = end + gap;
        end = gfn + pages;
        return { gfn, pages };
      });
    });

  test("are read back as they were written", () => {
    fc.assert(
      fc.property(runs, (set) => {
        expect(decodePages(encodePages(set))?.toArray()).toEqual(set);
      }),
    );
  });

  test("a text that is none is refused, cut off anywhere or changed", () => {
    expect(decodePages("!")).toBeNull();
    expect(decodePages("gA==")).toBeNull();
    expect(decodePages("//////////////8=")).toBeNull();
  });

  test("a set of many runs needs no deep call", () => {
    const many = Array.from({ length: 200_000 }, (_, i) => ({ gfn: 2 * i + 1, pages: 1 }));
    expect(decodePages(encodePages(many))?.pages).toBe(200_000);
  });
});

describe("plans", () => {
  test("the order of the arguments changes nothing", () => {
    const cases = planOf(5).entries.map(({ name, files, labels }) => ({ name, files, labels }));
    const backwards = makePlan(cases.toReversed(), TOOL, OPTIONS, digest);
    expect(writePlan(backwards)).toBe(writePlan(planOf(5)));
  });

  test("an id changes with a file's size, the core and the options, and with nothing else", () => {
    const entry = planOf(1).entries[0]!;
    const planned = { name: entry.name, files: entry.files, labels: {} };
    const idOf = (...[tool, options, files]: [typeof TOOL, typeof OPTIONS, typeof entry.files]) =>
      makePlan([{ ...planned, files }], tool, options, digest).entries[0]!.id;
    const { files } = planned;
    expect(idOf(TOOL, OPTIONS, files)).toBe(entry.id);
    expect(idOf({ ...TOOL, core: "c1" }, OPTIONS, files)).not.toBe(entry.id);
    expect(idOf(TOOL, { ...OPTIONS, policies: ["linux-6.1"] }, files)).not.toBe(entry.id);
    expect(idOf(TOOL, OPTIONS, [{ ...files[0]!, bytes: 9 }])).not.toBe(entry.id);
  });

  test("a plan is read back; a damaged line is named", () => {
    const text = writePlan(planOf(3));
    expect(readPlan(text)).toEqual(planOf(3));
    const lines = text.split("\n");
    lines[2] = '{"index":7}';
    expect(() => readPlan(lines.join("\n"))).toThrow(PlanError);
    expect(() => readPlan("")).toThrow(PlanError);
    expect(() => readPlan("{}\n")).toThrow(/vhost-replay\/plan\/1/);
  });
});

describe("parts", () => {
  const part = okPart(planOf(1), 0, [5, 6, 900]);

  test("are read back, and equal parts are equal bytes", () => {
    expect(readPart(writePart(part, digest), digest)).toEqual(part);
    expect(writePart(okPart(planOf(1), 0, [5, 6, 900]), digest)).toBe(writePart(part, digest));
  });

  test("cut off anywhere, or with any character changed, is no part", () => {
    const text = writePart(part, digest);
    for (let i = 0; i < text.length; i++) {
      expect(typeof readPart(text.slice(0, i), digest), `cut at ${i}`).toBe("string");
      const other = text[i] === "x" ? "y" : "x";
      const changed = text.slice(0, i) + other + text.slice(i + 1);
      expect(typeof readPart(changed, digest), `changed at ${i}`).toBe("string");
    }
  });
});

describe("schemas", () => {
  test("a part and a merge are what their schemas say", () => {
    const plan = planOf(2, () => ({ vm: "a" }));
    const parts = [okPart(plan, 0, [1]), failedPart(plan, 1)];
    for (const part of parts) {
      expect(errorsOf("part", JSON.parse(writePart(part, digest)))).toEqual([]);
    }
    expect(errorsOf("fleet", mergeParts(plan, parts))).toEqual([]);
    expect(errorsOf("fleet", { ...mergeParts(plan, parts), cases: "2" })).not.toEqual([]);
  });
});

describe("merge", () => {
  test("any order and grouping, with duplicates and parts of other plans, gives equal bytes", () => {
    const plan = planOf(6);
    const stranger = okPart(
      planOf(1, () => ({})),
      0,
      [1],
    );
    const parts: Part[] = [0, 1, 2, 4].map((i) => okPart(plan, i, [i, 100 + i]));
    parts.push(failedPart(plan, 5));
    const expected = JSON.stringify(mergeParts(plan, parts));
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...parts, ...parts, { ...stranger, id: "f".repeat(32) }], {
          minLength: 11,
        }),
        (shuffled) => {
          expect(JSON.stringify(mergeParts(plan, shuffled))).toBe(expected);
        },
      ),
    );
  });

  test("of two parts of one case that differ the same one is taken in any order", () => {
    const plan = planOf(1);
    const parts = [okPart(plan, 0, [1]), okPart(plan, 0, [1, 2]), failedPart(plan, 0)];
    const expected = JSON.stringify(mergeParts(plan, parts));
    expect(JSON.stringify(mergeParts(plan, parts.toReversed()))).toBe(expected);
    expect(JSON.parse(expected).ok).toBe(1);
  });

  test("a part by another version, another core or for other policies is missing, not counted", () => {
    const plan = planOf(2);
    const own = okPart(plan, 0, [1]);
    for (const other of [
      { tool: { ...TOOL, version: "1.2.4" } },
      { tool: { ...TOOL, core: "c1" } },
      { options: { ...OPTIONS, policies: ["linux-6.1"] } },
    ]) {
      const foreign: Part = { ...okPart(plan, 1, [1, 2, 3]), ...other };
      for (const parts of [
        [own, foreign],
        [foreign, own],
      ]) {
        const result = mergeParts(plan, parts);
        expect(result.missing).toEqual({ count: 1, indexes: "1" });
        expect(result.policies[0]!.lost).toEqual({ atLeast: 1, atMost: null });
        expect(fleetStatus(result)).toBe(3);
      }
    }
  });

  test("what is missing, failed, or without a verdict widens the bounds", () => {
    const plan = planOf(5);
    const silent = okPart(plan, 2, []);
    const [machine] = silent.machines;
    const without: OkPart = { ...silent, machines: [{ ...machine!, verdict: false }] };
    const parts = [okPart(plan, 0, [1, 2]), okPart(plan, 1, []), without, failedPart(plan, 3)];
    const result = mergeParts(plan, parts);
    expect(result.missing).toEqual({ count: 1, indexes: "4" });
    expect(result.policies[0]!.affected).toEqual({ atLeast: 1, atMost: 4 });
    expect(result.policies[0]!.lost).toEqual({ atLeast: 2, atMost: null });
    expect(result.policies[1]!.affected).toEqual({ atLeast: 0, atMost: 3 });
    expect(result.withoutVerdict.map(({ index }) => index)).toEqual([2]);
    expect(fleetStatus(result)).toBe(3);
  });

  test("a silent case whose numbers may be higher may be affected", () => {
    const plan = planOf(1);
    const part = okPart(plan, 0, []);
    const [machine] = part.machines;
    const doubtful = { ...part, machines: [{ ...machine!, mayBeMore: ["events-lost"] }] };
    const result = mergeParts(plan, [doubtful]);
    expect(result.policies[0]!.affected).toEqual({ atLeast: 0, atMost: 1 });
    expect(fleetStatus(result)).toBe(3);
  });

  test("everything answered: exact sums, status 1 or 0", () => {
    const plan = planOf(2);
    const lossy = mergeParts(plan, [okPart(plan, 0, [1]), okPart(plan, 1, [1, 2])]);
    expect(lossy.policies[0]!.lost).toEqual({ atLeast: 3, atMost: 3 });
    expect(fleetStatus(lossy)).toBe(1);
    expect(fleetStatus(mergeParts(plan, [okPart(plan, 0, []), okPart(plan, 1, [])]))).toBe(0);
  });

  test("two cases with one content count once, and are named", () => {
    const plan = planOf(3);
    const parts = [0, 1, 2].map((i) => okPart(plan, i, [7], i === 1 ? "other" : "same"));
    const result = mergeParts(plan, parts);
    expect(result.duplicates).toEqual([{ index: 2, name: "host-002", of: 0 }]);
    expect(result.policies[0]!.affected).toEqual({ atLeast: 2, atMost: 2 });
    expect(result.policies[0]!.lost).toEqual({ atLeast: 2, atMost: 2 });
  });

  test("pages of a machine of which nothing is known are null, and not 0", () => {
    const plan = planOf(1, () => ({ vm: "a" }));
    const part = okPart(plan, 0, []);
    const [machine] = part.machines;
    const policies = machine!.policies.map((policy) => ({ ...policy, lost: null, logged: null }));
    const unknown = { ...part, machines: [{ ...machine!, verdict: false, policies }] };
    const [vm] = mergeParts(plan, [unknown]).machines;
    expect(vm!.policies.map(({ lost, stale }) => [lost, stale])).toEqual([
      [null, null],
      [null, null],
    ]);
  });

  test("sets are united within one virtual machine and never across", () => {
    const plan = planOf(3, (i) => ({ vm: i < 2 ? "a" : "b" }));
    const result = mergeParts(plan, [
      okPart(plan, 0, [1, 2]),
      okPart(plan, 1, [2, 3]),
      okPart(plan, 2, [2]),
    ]);
    expect(result.machines.map(({ vm, policies }) => [vm, policies[0]!.lost])).toEqual([
      ["a", 3],
      ["b", 1],
    ]);
    expect(decodePages(result.machines[0]!.policies[0]!.lostPages)?.toArray()).toEqual([
      { gfn: 1, pages: 3 },
    ]);
    expect(result.policies[0]!.lost.atLeast).toBe(5);
  });
});
