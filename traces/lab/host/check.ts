/** Asks the tool about one recording of the lab, and judges its answers. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError, tryRun } from "./command.ts";
import { versionNumber } from "./kernels.ts";
import { TOOL } from "./paths.ts";

/** Why a sync may differ and be right: what the replay itself must name (docs/recording.md). */
const INEXACT = /events were lost|completions of this round are lost|popped before the recording/;

export interface Verdict {
  syncs: number;
  equal: number;
  /** Different, and the replay says why. */
  inexact: { sync: string; reason: string }[];
  /** Different without a reason. */
  different: string[];
  /** What `identify` answers, in short. */
  identified: string;
  /** What a kernel is known to do beyond any record of it. */
  notes: string[];
  /** Everything that makes the run fail. */
  wrong: string[];
}

interface VerifyDocument {
  policies: {
    /** As the tool's table calls the kernel that was asked for. */
    name: string;
    syncs: {
      number: number;
      sync: { name: string } | null;
      caveats: string[];
      missing: { pages: number };
      extra: { pages: number };
    }[];
  }[];
  withoutImage: number[];
  withoutSync: number[];
}

interface IdentifyDocument {
  answer: "explained" | "unexplained" | "none";
  best: string[];
}

/** Runs the tool with `--json`; throws LabError when it cannot answer at all. */
export function ask<T>(args: readonly string[]): T {
  const { status, stdout, stderr } = tryRun(process.execPath, [TOOL, ...args, "--json", "--quiet"]);
  if (status !== 0 && status !== 1 && status !== 3) {
    throw new LabError(`vhost-replay ${args[0]}: exit status ${status}: ${stderr.trim()}`);
  }
  return JSON.parse(stdout) as T;
}

/** The recording in a folder of results: text, plain or compressed. */
function recordingIn(folder: string): string | null {
  const name = readdirSync(folder).find((file) => /^trace\.txt(\.gz)?$/.test(file));
  return name === undefined ? null : join(folder, name);
}

/** The script that records left nothing; its last word says why. */
function unrecorded(folder: string): Verdict {
  const log = join(folder, "record.log");
  const said = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").at(-1) : "";
  const wrong = [`no recording: ${said}`];
  return { syncs: 0, equal: 0, inexact: [], different: [], identified: "", notes: [], wrong };
}

/** What must hold for a run on this kernel, whatever the scenario. */
export function check(folder: string, driver: string): Verdict {
  const recording = recordingIn(folder);
  if (recording === null) return unrecorded(folder);
  const observed = ["--observed", join(folder, "syncs")];
  const asked = rowOf(versionOf(join(folder, "..")));
  const [policy] = ask<VerifyDocument>([
    "verify",
    recording,
    ...observed,
    "--policy",
    asked,
  ]).policies;
  const identify = ask<IdentifyDocument>(["identify", recording, ...observed]);
  const verdict: Verdict = {
    ...{ syncs: 0, equal: 0, inexact: [], different: [], identified: "", notes: [], wrong: [] },
  };
  for (const sync of policy?.syncs ?? []) {
    const name = `${sync.number} ${sync.sync?.name ?? ""}`.trim();
    const reason = sync.caveats.find((caveat) => INEXACT.test(caveat));
    verdict.syncs++;
    if (sync.missing.pages + sync.extra.pages === 0) verdict.equal++;
    else if (reason !== undefined) verdict.inexact.push({ sync: name, reason });
    else verdict.different.push(name);
  }
  if (verdict.different.length > 0) {
    verdict.wrong.push(`different without a reason at sync ${verdict.different.join(", ")}`);
  }
  const images = readdirSync(join(folder, "syncs")).length;
  // A recording may begin late (23-attach) or lose its beginning (18-lost), no more than that.
  if (verdict.syncs < images && !/start-recording|^#! *buf/m.test(scriptOf(folder))) {
    verdict.wrong.push(`${images - verdict.syncs} syncs are not in the recording`);
  }
  if (verdict.syncs === 0) verdict.wrong.push("no sync was compared");
  verdict.identified = inShort(identify);
  const named = identify.answer !== "unexplained" && identify.best.includes(policy?.name ?? "");
  if (verdict.inexact.length === 0 && !named) {
    verdict.wrong.push(`identify does not name ${policy?.name}: ${verdict.identified}`);
  }
  if (driver === "scsi" && verdict.inexact.length === 0) {
    const unseen = unseenWrites(folder, recording);
    (overflows(folder) ? verdict.notes : verdict.wrong).push(...unseen);
  }
  const failed = join(folder, "failed.txt");
  if (existsSync(failed)) verdict.wrong.push(`exerciser: ${readFileSync(failed, "utf8").trim()}`);
  return verdict;
}

/** What ran, by the kernel's own words: Debian's release 6.1.0-50 is version 6.1.176. */
export function versionOf(folder: string): string {
  const words = readFileSync(join(folder, "uname.txt"), "utf8");
  const version = /Debian (\d+\.\d+\.\d+)/.exec(words)?.[1];
  if (!version) throw new LabError(`${folder}/uname.txt names no version: ${words.trim()}`);
  return version;
}

/** Name of the row of the tool's table for a kernel's version. */
export function rowOf(version: string): string {
  const { status, stdout, stderr } = tryRun(process.execPath, [
    TOOL,
    "policies",
    `linux-${version}`,
  ]);
  const row = /^\S+/.exec(stdout)?.[0];
  if (status !== 0 || row === undefined) throw new LabError(`linux-${version}: ${stderr.trim()}`);
  return row;
}

function scriptOf(folder: string): string {
  return readFileSync(join(folder, "workload.txt"), "utf8");
}

/** The first answer, and how many rows of kernels have the same log. */
function inShort({ answer, best }: IdentifyDocument): string {
  const [first] = best;
  if (first === undefined) return "no answer";
  const kernels = best.slice(1).filter((name) => name.startsWith("linux-")).length;
  const alike = kernels > 0 ? ` and ${kernels} more kernels` : "";
  const doubt = { explained: "", unexplained: "unexplained, closest ", none: "in part: " };
  return `${doubt[answer]}${first}${alike}`;
}

/**
 * Before patches 2 and 3 of the series (Debian's 6.1 has neither) vhost-scsi answers BAD TARGET with
 * 108 bytes at the first descriptor that it may write, however short that is: bytes beyond every
 * descriptor, of which no probe tells. Scenarios that provoke it name a target that is not there.
 */
function overflows(folder: string): boolean {
  const old = versionNumber(versionOf(join(folder, ".."))) < 6012;
  return old && /target=9|again=|late$/m.test(scriptOf(folder));
}

/**
 * Pages whose bytes changed must be among those that the replay calls written, whoever logs them:
 * what a kernel that logs everything would have logged with logging on throughout. Over the whole
 * recording, because a disk may put its data into memory long before the request completes.
 */
function unseenWrites(folder: string, recording: string): string[] {
  if (/start-recording/.test(scriptOf(folder))) return [];
  const union = join(folder, "changed-in-all");
  mkdirSync(union, { recursive: true });
  writeFileSync(join(union, "0.bin"), unionOf(join(folder, "changed")));
  const { policies } = ask<VerifyDocument>([
    ...["verify", recording, "--observed", union, "--sync-marker", "^no sync at all$"],
    ...["--policy", "linux-6.16", "--assume-logging"],
  ]);
  const [whole] = policies[0]?.syncs ?? [];
  if (!whole) return ["what changed was not compared"];
  return whole.missing.pages > 0
    ? [`${whole.missing.pages} pages changed that no write of the replay covers`]
    : [];
}

/** All images of a folder in one; they have the same size. */
function unionOf(folder: string): Buffer {
  const images = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const union = Buffer.alloc(Math.max(...images.map((image) => image.length)));
  for (const image of images) {
    for (const [index, byte] of image.entries()) union[index] = (union[index] ?? 0) | byte;
  }
  return union;
}
