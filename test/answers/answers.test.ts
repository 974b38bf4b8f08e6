/** Every question of the library, asked on real recordings: what comes back is plain data. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  attribute,
  type CommonAnswer,
  choosePolicies,
  compareImages,
  compareLogs,
  identify,
  inspect,
  life,
  logImages,
  lost,
  type ObservedImages,
  POLICIES,
  type Recording,
  requests,
  stale,
} from "../../src/index.ts";
import { fileSource, nodeSurroundings } from "../../src/node/index.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { verifyText } from "../../src/report/text/verify-text.ts";
import { coreModule, memorySource } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");

const recordingOf = async (...files: string[]): Promise<Recording> => ({
  sources: files.map((file) => fileSource(join(TRACES, file))),
  surroundings: nodeSurroundings(() => {}),
  module: await coreModule(),
});

function observedIn(folder: string): ObservedImages {
  const path = join(TRACES, folder, "syncs");
  const files = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".bin")) : [];
  const byNumber = new Map(files.map((name) => [Number.parseInt(name, 10), name]));
  return {
    name: folder,
    numbers: [...byNumber.keys()].sort((a, b) => a - b),
    file: (number) => byNumber.get(number),
    read: async (number) => readFileSync(join(path, byNumber.get(number)!)),
  };
}

interface Asked {
  answer: CommonAnswer;
  status: number;
}

/** A question with its status, whichever it is. */
async function asked<A extends CommonAnswer>(
  answer: Promise<A>,
  statusOf: (answer: A) => number,
): Promise<Asked> {
  const found = await answer;
  return { answer: found, status: statusOf(found) };
}

const range = { gpa: 0x200000, len: 0x100000 };

const QUESTIONS: Record<string, (recording: Recording, folder: string) => Promise<Asked>> = {
  lost: (recording) => asked(lost.ask(recording), lost.statusOf),
  stale: (recording) => asked(stale.ask(recording), stale.statusOf),
  inspect: (recording) => asked(inspect.ask(recording), inspect.statusOf),
  requests: (recording) => asked(requests.ask(recording), requests.statusOf),
  life: (recording) => asked(life.ask(recording, { range }), life.statusOf),
  attribute: (recording) => asked(attribute.ask(recording), attribute.statusOf),
  compareLogs: (recording, folder) =>
    asked(compareLogs.ask(recording, { observed: observedIn(folder) }), compareLogs.statusOf),
  identify: (recording, folder) =>
    asked(identify.ask(recording, { observed: observedIn(folder) }), identify.statusOf),
  logImages: (recording) =>
    asked(
      logImages.ask(recording, { policy: choosePolicies(["linux-6.16"])[0]! }),
      logImages.statusOf,
    ),
};

/** Every value below `value` that JSON or a structured clone would lose or change. */
function notPlain(value: unknown, path = ""): string[] {
  if (value === null || typeof value === "string" || typeof value === "boolean") return [];
  if (typeof value === "number") return Number.isFinite(value) ? [] : [`${path}: ${value}`];
  if (Array.isArray(value)) return value.flatMap((one, i) => notPlain(one, `${path}[${i}]`));
  if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.entries(value).flatMap(([key, one]) => notPlain(one, `${path}.${key}`));
  }
  return [`${path}: ${typeof value === "object" ? value.constructor.name : typeof value}`];
}

const RECORDINGS: [string, string[]][] = [
  ["vhost-scsi/6.1.0-50-amd64/03-indirect", ["trace.txt.gz"]],
  ["vhost-scsi/6.16.12+deb13-amd64/12-toggle", ["trace.dat"]],
  ["vhost-net/6.1.0-50-amd64/n09-indirect", ["trace.txt.gz"]],
  ["migration/6.1", ["trace.txt.gz", "dst.simpletrace.gz"]],
];

describe.each(RECORDINGS)("of %s", (folder, names) => {
  test.each(Object.keys(QUESTIONS))("the answer to `%s` is plain data", async (question) => {
    const recording = await recordingOf(...names.map((name) => `${folder}/${name}`));
    const { answer, status } = await QUESTIONS[question]!(recording, folder);
    expect(notPlain(answer)).toEqual([]);
    expect(structuredClone(answer)).toEqual(answer);
    expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
    expect([0, 1, 3]).toContain(status);
    expect(answer.result.eventsReplayed).toBeGreaterThan(100);
    expect(answer.asked.policies.length).toBeGreaterThan(0);
  });
});

test("the answer about memory of both sides is plain data, runs and owners too", async () => {
  const pages = (differing: number) => {
    const bytes = new Uint8Array(4 * 4096);
    bytes.fill(1, 0, differing * 4096);
    return bytes;
  };
  const compared: [number, number][] = [];
  const answer = await compareImages.ask(
    await recordingOf("migration/6.1/trace.txt.gz", "migration/6.1/dst.simpletrace.gz"),
    {
      source: memorySource("src.bin", pages(0)),
      destination: memorySource("dst.bin", pages(2)),
      base: 0x400000,
      owners: memorySource("owners.csv", Buffer.from("gfn,owner,kind\n0x400,swapd,anon\n")),
      onCompared: (pages, of) => compared.push([pages, of]),
    },
  );
  expect(compared.at(-1)).toEqual([4, 4]);
  expect(notPlain(answer)).toEqual([]);
  expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
  expect(compareImages.statusOf(answer)).toBe(0);
  expect(answer.differing).toEqual({
    ...{ pages: 2, runs: [{ gfn: 0x400, pages: 2 }], moreRuns: 0 },
    owners: { owned: [{ owner: "swapd", kind: "anon", pages: 1 }], unknown: 1 },
  });
  expect(answer.policies.map(({ verdict }) => verdict.staleEqual.pages)).toEqual([2, 0]);
});

test("what is not plain is seen", () => {
  const policy = { ...POLICIES[0]! };
  expect(notPlain({ a: [policy] })).toEqual([".a[0].logs: bigint"]);
  expect(notPlain({ a: new Map(), b: undefined, c: () => 1, d: Number.NaN })).toEqual([
    ".a: Map",
    ".b: undefined",
    ".c: function",
    ".d: NaN",
  ]);
});

describe("answers", () => {
  test("say with their status what the command says", async () => {
    const recording = await recordingOf(
      "migration/6.1/trace.txt.gz",
      "migration/6.1/dst.simpletrace.gz",
    );
    const all = await stale.ask(recording);
    expect(stale.statusOf(all)).toBe(1);
    expect(stale.mainMigration(all.result.machines[0]!)?.verdicts.map(({ best }) => best)).toEqual([
      1929, 0,
    ]);
    const patched = await stale.ask(recording, { policies: choosePolicies(["patched"]) });
    expect(stale.statusOf(patched)).toBe(0);
  });

  test("of requests keep so many, and count the others; with a callback none is kept", async () => {
    const recording = await recordingOf("vhost-scsi/6.1.0-50-amd64/03-indirect/trace.txt.gz");
    const some = await requests.ask(recording, { keep: 10 });
    expect(some.requests.map(({ serial }) => serial)).toHaveLength(10);
    const taken: number[] = [];
    const all = await requests.ask(recording, {
      onRequest: ({ serial }) => void taken.push(serial),
    });
    expect(all.requests).toEqual([]);
    expect(all.moreRequests).toBe(taken.length);
    expect(some.moreRequests).toBe(taken.length - 10);
    const inFirst = await requests.ask(recording, { filter: { queue: 2, states: ["completed"] } });
    expect(inFirst.requests.every(({ queue, state }) => queue === 2 && state === "completed")).toBe(
      true,
    );
  });

  test("of dirty logs hand the images over, one a sync", async () => {
    const folder = "vhost-scsi/6.16.12+deb13-amd64/12-toggle";
    const observed = observedIn(folder);
    const differing: number[] = [];
    const answer = await logImages.ask(await recordingOf(`${folder}/trace.dat`), {
      policy: choosePolicies(["linux-6.16"])[0]!,
      async onImage(_, image) {
        const number = differing.length;
        const theirs = await observed.read(number);
        const same = image.every((byte, at) => byte === (theirs[at] ?? 0));
        differing.push(same ? 0 : 1);
      },
    });
    expect(differing).toEqual(observed.numbers.map(() => 0));
    expect(answer.images.map(({ number }) => number)).toEqual(observed.numbers);
  });
});

describe("images of a big-endian host", () => {
  const folder = "vhost-scsi/6.16.12+deb13-amd64/03-indirect";
  const inOrder = observedIn(folder);
  const turned: ObservedImages = {
    ...inOrder,
    async read(number) {
      const image = await inOrder.read(number);
      const words = new Uint8Array(Math.ceil(image.length / 8) * 8);
      image.forEach((byte, at) => {
        words[at ^ 7] = byte;
      });
      return words;
    },
  };
  const told = async (observed: ObservedImages) => {
    const recording = await recordingOf(`${folder}/trace.txt.gz`);
    const policies = choosePolicies(["linux-6.16", "linux-6.1"]);
    const answer = await compareLogs.ask(recording, { observed, policies });
    return {
      status: compareLogs.statusOf(answer),
      words: answer.comparison.policies.map(({ reversedWords }) => reversedWords),
      text: verifyText(answer, textStyle(false)).replaceAll(/\s+/g, " "),
    };
  };

  test("differ, and the policy that explains them in the other order is named", async () => {
    const { status, words, text } = await told(turned);
    expect({ status, words }).toEqual({ status: 1, words: [true, false] });
    expect(text).toMatch(/^linux-6\.16 .*differs at .* at none when the bytes of each word/);
    expect(text.match(/why: the images are a big-endian host's/g)).toHaveLength(1);
  });

  test("are not suspected where a policy equals them as they are", async () => {
    const { status, words, text } = await told(inOrder);
    expect({ status, words }).toEqual({ status: 0, words: [false, false] });
    expect(text).not.toContain("big-endian");
  });
});
