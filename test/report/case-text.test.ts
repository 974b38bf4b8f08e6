/** The files of a case as `report` lists them. */
import { expect, test } from "vitest";
import type { Case } from "../../src/case/case.ts";
import { caseText } from "../../src/report/text/case-text.ts";

const image = (name: string) => ({ name, said: "the image of a dirty log", used: true });

function caseOf(images: readonly string[]): Case {
  const recording = { name: "sent/trace.txt", said: "the host's kernel (ftrace text)", used: true };
  return {
    name: "sent",
    recordings: [recording.name],
    looks: new Map(),
    options: { observed: "sent/syncs" },
    files: [recording, ...images.map((name) => image(`sent/syncs/${name}`))],
    questions: [],
  };
}

test("the images of a dirty log are one line, from the first to the last", () => {
  const lines = caseText(caseOf(["02.bin", "00.bin", "05.bin", "01.bin", "03.bin", "04.bin"]));
  expect(lines).toEqual([
    "Files of sent",
    "",
    "  trace.txt: the host's kernel (ftrace text)",
    "  syncs/00.bin to 05.bin: 6 images of a dirty log, for verify and identify",
  ]);
});

test("a single image is named", () => {
  expect(caseText(caseOf(["00.bin"])).at(-1)).toBe(
    "  syncs/00.bin: 1 image of a dirty log, for verify and identify",
  );
});
