/**
 * `npm run conformance -- DIR…`: replays every recording below the folders, in every form that
 * lies there, and compares the predicted log with the kernel's own at each sync. A recording is a
 * folder with `syncs/N.bin`; the kernel, or the back end in user space, is told by the folder's name above it.
 * Migrations whose memories were compared (`differ.txt`) come after: conformance-migrations.ts.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { comparedImage } from "./answers/compared-image.ts";
import { ask as compareLogs } from "./answers/log-comparison.ts";
import { equalsReversed } from "./answers/log-difference.ts";
import {
  checkMigration,
  isMigration,
  MIGRATION_HEAD,
  migrationLine,
} from "./conformance-migrations.ts";
import { UsageError } from "./model/place.ts";
import { fileSource, loadCore, nodeSurroundings } from "./node/index.ts";
import { runProgram } from "./node/run-program.ts";
import { replay } from "./replay/replay.ts";
import { findPolicy, type Policy } from "./vhost/policy.ts";

/** Recordings whose log cannot be predicted, and why the tool must say so: docs/recording.md. */
const INEXACT_CAVEAT =
  /events were lost|completions of this round are lost|popped before the recording|no SET_LOG_BASE/;

interface Outcome {
  recording: string;
  form: string;
  policy: string;
  syncs: number;
  equal: number;
  /** Equal with the bytes of each word turned round, as a big-endian host's log is read. */
  reversed: number;
  /** Not equal, and the replay says why. */
  explained: number;
  wrong: string[];
}

/** Back ends in user space by the name of a folder; the first that fits. */
const MADE_BY: readonly [RegExp, string][] = [
  [/libvhost-user/, "libvhost-user"],
  [/dpdk/, "dpdk-net"],
  [/spdk.*packed/, "spdk-packed"],
  [/spdk/, "spdk-split"],
];

/**
 * The policy of the kernel that a recording was made on: by `uname -a` beside it (Debian's kernels
 * have their upstream version behind `Debian`), else by the folder's name.
 */
function policyOf(folder: string): Policy {
  const near = [folder, dirname(folder)];
  const backEnd = MADE_BY.find(([pattern]) => near.some((path) => pattern.test(basename(path))));
  if (backEnd) return findPolicy(backEnd[1]);
  const unames = near
    .map((path) => join(path, "uname.txt"))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, "utf8"));
  const names = near.map((path) => basename(path)).reverse();
  for (const text of [...unames, ...names]) {
    const version = /Debian (\d+\.\d+\.\d+)/.exec(text) ?? /(\d+\.\d+(?:\.\d+)?)/.exec(text);
    if (version) return findPolicy(`linux-${version[1]}`);
  }
  throw new UsageError(
    `${folder}: which kernel is it of? Neither its name nor a uname.txt says it`,
  );
}

/** Folders below `root` that hold a recording and what is true of it. */
function recordingsBelow(root: string, holds: (folder: string) => boolean): string[] {
  if (holds(root)) return [root];
  return readdirSync(root)
    .sort()
    .map((name) => join(root, name))
    .filter((path) => statSync(path).isDirectory())
    .flatMap((path) => recordingsBelow(path, holds));
}

const FORMS =
  /^(trace|record)\.(dat|txt|ndjson)(\.gz|\.zst|\.xz)?$|^(report|uprobe)\.txt(\.gz)?$|^frontend\.ndjson(\.gz)?$/;

function observed(folder: string): Map<number, Uint8Array> {
  const images = new Map<number, Uint8Array>();
  for (const name of readdirSync(join(folder, "syncs"))) {
    const number = /^(\d{1,3})\.bin$/.exec(name);
    if (number) images.set(Number(number[1]), readFileSync(join(folder, "syncs", name)));
  }
  return images;
}

/** Equal but for zero bytes at the end of the longer one. */
function sameLog(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < Math.max(a.length, b.length); i++)
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return false;
  return true;
}

async function check(folder: string, form: string): Promise<Outcome> {
  const policy = policyOf(folder);
  if (policy.program !== undefined) return checkBackEnd(folder, form, policy);
  const images = observed(folder);
  const outcome: Outcome = {
    recording: folder,
    form,
    policy: policy.name,
    syncs: 0,
    equal: 0,
    reversed: 0,
    explained: 0,
    wrong: [],
  };
  await replay(
    {
      sources: [fileSource(join(folder, form))],
      surroundings: nodeSurroundings(() => {}),
      module: await core,
    },
    {
      policies: [{ policy, alias: null }],
      window: "recorded",
      onSync: (view) => {
        const { mark, round } = view;
        const expected = mark ? images.get(mark.number) : undefined;
        if (!mark || !expected) return;
        outcome.syncs++;
        const predicted = comparedImage(view, 0, expected.length);
        if (sameLog(predicted, expected)) outcome.equal++;
        else if (equalsReversed(predicted, expected)) outcome.reversed++;
        else if (round.caveats.some((caveat) => INEXACT_CAVEAT.test(caveat))) outcome.explained++;
        else outcome.wrong.push(`sync ${mark.number} ${mark.name}`);
      },
    },
  );
  return outcome;
}

/** The same of a back end in user space, whose differences `verify` explains by more than caveats. */
async function checkBackEnd(folder: string, form: string, policy: Policy): Promise<Outcome> {
  const images = observed(folder);
  const { comparison } = await compareLogs(
    {
      sources: [fileSource(join(folder, form))],
      surroundings: nodeSurroundings(() => {}),
      module: await core,
    },
    {
      policies: [{ policy, alias: null }],
      observed: {
        name: join(folder, "syncs"),
        numbers: [...images.keys()],
        file: (number) => (images.has(number) ? `${number}.bin` : undefined),
        read: async (number) => images.get(number)!,
      },
    },
  );
  const [{ syncs, logPages } = { syncs: [], logPages: null }] = comparison.policies;
  const equal = syncs.filter((sync) => sync.missing.pages + sync.extra.pages === 0);
  const other = syncs.filter((sync) => !equal.includes(sync));
  const wrong = other.filter(
    ({ straddles, caveats }) =>
      !straddles && logPages === null && !caveats.some((caveat) => INEXACT_CAVEAT.test(caveat)),
  );
  return {
    ...{ recording: folder, form, policy: policy.name, syncs: syncs.length, reversed: 0 },
    ...{ equal: equal.length, explained: other.length - wrong.length },
    wrong: wrong.map(({ number, mark }) => `sync ${number} ${mark?.name ?? ""}`),
  };
}

const core = loadCore();

async function main(roots: readonly string[]): Promise<number> {
  let failed = 0;
  let checked = 0;
  const totals = { syncs: 0, equal: 0, explained: 0 };
  const logs = (folder: string): boolean => existsSync(join(folder, "syncs"));
  for (const folder of roots.flatMap((root) => recordingsBelow(root, logs))) {
    for (const form of readdirSync(folder)
      .filter((name) => FORMS.test(name))
      .sort()) {
      const outcome = await check(folder, form);
      checked++;
      totals.syncs += outcome.syncs;
      const equal = outcome.equal + outcome.reversed;
      totals.equal += equal;
      totals.explained += outcome.explained;
      const name = `${basename(dirname(folder))}/${basename(folder)}`;
      const verdict = outcome.wrong.length > 0 ? `WRONG at ${outcome.wrong.join(", ")}` : "";
      const inexact = outcome.explained > 0 ? `${outcome.explained} inexact, cause named ` : "";
      const words = outcome.reversed > 0 ? `${outcome.reversed} in big-endian words ` : "";
      console.log(
        `${name.padEnd(42)} ${form.padEnd(14)} ${outcome.policy.padEnd(11)} ` +
          `${String(equal).padStart(3)} of ${String(outcome.syncs).padStart(3)} equal  ${words}${inexact}${verdict}`.trimEnd(),
      );
      // A recording without a single sync proves nothing.
      if (outcome.wrong.length > 0 || outcome.syncs === 0) failed++;
    }
  }
  const { migrations, missed } = await migrationTable(roots);
  if (checked === 0) return missed === 0 && migrations > 0 ? 0 : 1;
  console.log(
    `${checked} recordings, ${totals.syncs} syncs: ${totals.equal} equal, ` +
      `${totals.explained} inexact with the cause named, ${totals.syncs - totals.equal - totals.explained} wrong`,
  );
  return failed === 0 && missed === 0 ? 0 : 1;
}

/** Prints what the replay says of each migration; returns how many there are, and pages missed in all. */
async function migrationTable(
  roots: readonly string[],
): Promise<{ migrations: number; missed: number }> {
  const folders = roots.flatMap((root) => recordingsBelow(root, isMigration));
  if (folders.length > 0) console.log(MIGRATION_HEAD);
  let missed = 0;
  for (const folder of folders) {
    const name = `${basename(dirname(folder))}/${basename(folder)}`;
    for (const outcome of await checkMigration(folder, policyOf(folder), core)) {
      missed += outcome.missed.length;
      console.log(migrationLine(name, outcome));
    }
  }
  return { migrations: folders.length, missed };
}

if (process.argv.length < 3) {
  console.error("usage: npm run conformance -- DIR…");
  process.exitCode = 2;
} else {
  await runProgram(process, () => main(process.argv.slice(2)));
}
