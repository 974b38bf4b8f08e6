/** Kinds of events as bits of a mask: of the recordings that repeat another (src/join/repeats.ts). */
import { expect, test } from "vitest";
import { EventKind } from "../../assembly/event-abi.ts";
import { KERNEL_KINDS, KIND_BITS, QEMU_KINDS } from "../../src/join/sample.ts";

const KINDS = Object.entries(EventKind).filter(
  (entry): entry is [string, number] => typeof entry[1] === "number",
);

test.each(KINDS)("%s has a bit of its own in the mask of what repeats", (name, kind) => {
  expect(kind).toBeLessThan(KIND_BITS);
  const bit = 1n << BigInt(kind);
  const inFamilies = ((KERNEL_KINDS | QEMU_KINDS) & bit) !== 0n;
  expect(inFamilies).toBe(!["Gap", "Other"].includes(name));
});
