/**
 * Mutated inputs of every kind: whatever befalls them, the outcome is a result or an error that is about
 * the input, and the same one in pieces of any size. `npm run fuzz` goes on for as long as asked; here
 * runs a slice of it, from a seed that a failure names.
 */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Random } from "../support/mutate.ts";
import { COMPANIONS } from "./companions.ts";
import type { Families } from "./family.ts";
import { RECORDINGS } from "./recordings.ts";

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 0);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Cases of one family in the slice that every run of the tests has. */
const SLICE = Number(process.env.FUZZ_RUNS ?? 60);
/** Only these, by the beginnings of their names. */
const CHOSEN = (process.env.FUZZ_FAMILIES ?? "").split(",").filter((name) => name !== "");
/** Where the seed stands that is being tried: a run that hangs cannot say it. */
const AT = process.env.FUZZ_AT;
const MIB = 1 << 20;

const ALL: Families = { ...RECORDINGS, ...COMPANIONS };
const FAMILIES = Object.entries(ALL).filter(
  ([name]) => CHOSEN.length === 0 || CHOSEN.some((chosen) => name.startsWith(chosen)),
);

/** As `toBe`, but outcomes are long: what stands around the first difference. */
function expectEqual(found: string, expected: string, told: string): void {
  let at = 0;
  while (at < found.length && found[at] === expected[at]) at++;
  const around = (text: string) => text.slice(Math.max(0, at - 200), at + 200);
  expect(around(found), told).toBe(around(expected));
  expect(found.length, told).toBe(expected.length);
}

test("a family is chosen by a name that there is", () => {
  expect(FAMILIES.length).toBeGreaterThan(0);
});

test.each(FAMILIES)("%s", async (name, { make, outcome, inPieces }) => {
  const until = performance.now() + SECONDS * 1000;
  let seed = FIRST_SEED;
  let refused = 0;
  for (let runs = 0; SECONDS > 0 ? performance.now() < until : runs < SLICE; runs++, seed++) {
    const told = `${name}: FUZZ_SEED=${seed}`;
    if (AT !== undefined) writeFileSync(AT, told);
    const random = new Random(seed);
    const bytes = make(random);
    const whole = await outcome(bytes).catch((error) => {
      throw new Error(told, { cause: error });
    });
    if (whole.startsWith("refused: ")) refused++;
    if (inPieces) expectEqual(await outcome(bytes, 1 + random.below(5000)), whole, told);
  }
  if (SECONDS > 0) {
    const inputs = seed - FIRST_SEED;
    const memory = Math.round(process.memoryUsage().rss / MIB);
    process.stdout.write(
      `${name}: seeds ${FIRST_SEED} to ${seed - 1}, ${inputs} inputs, ${refused} refused, ` +
        `${inPieces ? 2 * inputs : inputs} executions, ${memory} MiB\n`,
    );
  }
});
