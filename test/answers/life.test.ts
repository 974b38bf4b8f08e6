/** What `explain` makes of a page is what `stale` and `minimize` make of it. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../support/exported.ts";

const TRACE = join("traces", "migration", "6.1", "trace.txt.gz");

test("a page that is likely stale is not called possibly stale", () => {
  const asked = ["explain", TRACE, "--gpa", "gfn:0x400", "--quiet"];
  const { out } = run(asked);
  expect(out).toContain("at the destination under linux-6.1: 1 page likely stale\n");
  const [verdict] = JSON.parse(run([...asked, "--json"]).out).machines[0].verdicts;
  expect(verdict).toMatchObject({ policy: "linux-6.1", stale: 0, likely: 1, possibly: 1 });
});
