/**
 * From files to cases: what each file is, which recordings belong together, what is taken from the
 * files beside them. A decision that the files leave open is a question to the user.
 */
import { EventKind } from "../../assembly/event-abi.ts";
import type { Source } from "../bytes/source.ts";
import { wholeText } from "../bytes/whole-text.ts";
import { type ClockPair, parseClockPairs } from "../join/clock-pair.ts";
import { type FirstLook, firstLook, type Looking } from "../join/first-look.ts";
import { findRepeats } from "../join/repeats.ts";
import { readMemoryMap } from "../memory/read-memory-map.ts";
import { RecordingError } from "../model/place.ts";
import type { Case, CaseFile, CaseOptions } from "./case.ts";
import { type Classified, classify, type Role } from "./classify.ts";
import { commonDepth, groupRecordings, hasKernel } from "./groups.ts";
import { isInside, otherSides } from "./same-run.ts";

/** Of a text beside a recording. */
const MOST_TEXT = 2 ** 26;
const PAIRS_TEXT = "clock readings";

/** What `openCases` found. */
export interface Cases {
  /** In the order of their first recordings; empty when no file is a recording. */
  cases: Case[];
  /** What is no part of any case: when there is none, all. */
  files: CaseFile[];
}

/** Opens the cases that these files make. Throws what reading throws, but for damaged files. */
export async function openCases(
  name: string,
  sources: readonly Source[],
  by: Looking,
): Promise<Cases> {
  const all: Classified[] = [];
  for (const source of sources) all.push(await classify(source));
  const events = all.find(({ role }) => role === "trace-events");
  const looking = events && !by.traceEvents ? { ...by, traceEvents: events.source } : by;
  const said = new Map<string, CaseFile>();
  const found = await lookAt(all, looking, said);
  const sides = otherSides(found);
  for (const [other, same] of sides) {
    const file = other.source.name;
    const inside = same.source.name.replace(/^.*\//, "");
    const text = `the run that ${inside} shows from inside the back end: left out`;
    said.set(file, { name: file, said: text, used: false });
  }
  const looks = found.filter((look) => !sides.has(look));
  const { groups, strangers } = groupRecordings(looks);
  for (const i of strangers) {
    const file = looks[i]!.source.name;
    const text = "the destination of another migration: left out";
    said.set(file, { name: file, said: text, used: false });
  }
  const grouped = groups.map((group) => group.map((i) => looks[i]!).toSorted(kernelFirst));
  const cases: Case[] = [];
  for (const own of grouped) cases.push(await openCase(name, own, grouped, all, said, looking));
  return { cases, files: all.map((file) => said.get(file.source.name) ?? left(file)) };
}

/** Times of an answer are on the clock of the first recording: the kernel's, where there is one. */
function kernelFirst(a: FirstLook, b: FirstLook): number {
  const rank = (look: FirstLook): number =>
    hasKernel(look) ? 0 : look.loads > 0 && look.saves === 0 ? 2 : 1;
  return rank(a) - rank(b);
}

function left({ source, what }: Classified): CaseFile {
  return { name: source.name, said: `${what}: left out`, used: false };
}

/** First looks at the recordings that hold anything; says of the others why they are left out. */
async function lookAt(
  all: readonly Classified[],
  by: Looking,
  said: Map<string, CaseFile>,
): Promise<FirstLook[]> {
  const looks: FirstLook[] = [];
  for (const { source, role, what } of all) {
    if (role !== "recording") continue;
    const leave = (why: string): void => {
      said.set(source.name, { name: source.name, said: `${what}: ${why}`, used: false });
    };
    try {
      const look = await firstLook(by, source);
      const any = look.kinds.some((count, kind) => count > 0 && kind !== EventKind.Marker);
      if (any) looks.push(look);
      else leave("without an event of vhost or QEMU, left out");
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      leave(`cannot be read, left out (${error.message})`);
    }
  }
  return looks;
}

async function openCase(
  name: string,
  looks: readonly FirstLook[],
  groups: readonly (readonly FirstLook[])[],
  all: readonly Classified[],
  said: ReadonlyMap<string, CaseFile>,
  by: Looking,
): Promise<Case> {
  const beside = all.filter(
    ({ source, role }) => role !== "recording" && belongs(source.name, looks, groups),
  );
  const files = new Map<string, CaseFile>();
  const say = (file: string, text: string, used: boolean): void => {
    files.set(file, { name: file, said: text, used });
  };
  sayRecordings(looks, say);
  const questions: string[] = [];
  const taking: Taking = { beside, looks, say, questions };
  const options: CaseOptions = {};
  if (by.traceEvents) takeTraceEvents(taking, options, by.traceEvents.name);
  await takeClockPairs(taking, options);
  await takeMemoryMap(taking, options);
  takeOne(taking, "owners", (file) => {
    options.owners = file;
  });
  takeObserved(taking, options);
  await takeKernel(taking, options);
  takeQemu(taking, options);
  for (const { source, role, what } of beside) {
    const use = USES.get(role);
    if (use !== undefined) say(source.name, `${what}: ${use}`, false);
  }
  const own = groups.length === 1 ? all : [...recordingsOf(looks, all), ...beside];
  return {
    name: groups.length === 1 ? name : (looks[0]?.source.name ?? name),
    files: own.map(
      (file) => files.get(file.source.name) ?? said.get(file.source.name) ?? left(file),
    ),
    recordings: looks.map((look) => look.source.name),
    looks: new Map(looks.map((look) => [look.source.name, look])),
    options,
    questions,
  };
}

/** What is used only when the user says which side it is of. */
const USES: ReadonlyMap<Role, string> = new Map([
  ["memory-image", "for verify --source-dump or --destination-dump"],
  ["migration-file", "for verify --sent-pages, where it is a mapped-ram file"],
]);

function recordingsOf(looks: readonly FirstLook[], all: readonly Classified[]): Classified[] {
  return all.filter(({ source }) => looks.some((look) => look.source.name === source.name));
}

/** A file belongs to the cases whose recordings lie nearest. */
function belongs(
  file: string,
  looks: readonly FirstLook[],
  groups: readonly (readonly FirstLook[])[],
): boolean {
  const depth = (group: readonly FirstLook[]): number =>
    Math.max(...group.map((look) => commonDepth(file, look.source.name)));
  return depth(looks) === Math.max(...groups.map(depth));
}

function sayRecordings(
  looks: readonly FirstLook[],
  say: (file: string, text: string, used: boolean) => void,
): void {
  const replayed = looks.filter((look) => look.loads === 0 || look.saves > 0);
  const repeats = findRepeats(replayed);
  for (const look of looks) {
    const repeated = repeats.inputs[replayed.indexOf(look)]?.leftOut === true;
    const what = roleOf(look, looks);
    const text = repeated ? `${what}: the same recording in another form, counts once` : what;
    say(look.source.name, text, !repeated);
  }
}

function roleOf(look: FirstLook, looks: readonly FirstLook[]): string {
  const parts: string[] = [];
  if (isInside(look)) parts.push("a back end in user space");
  else if (hasKernel(look)) parts.push("the host's kernel");
  if (look.saves > 0) parts.push("QEMU of the source");
  else if (look.loads > 0 && looks.some(({ saves }) => saves > 0)) parts.push("the destination");
  else if (look.loads > 0) parts.push("a QEMU that receives");
  else if (look.kinds.some((count, kind) => count > 0 && kind > EventKind.Other))
    parts.push("QEMU");
  const { format, clock } = look.summary;
  return `${parts.join(" and ")} (${format}${clock === null ? "" : `, clock ${clock}`})`;
}

/** What a case takes from the files beside its recordings. */
interface Taking {
  beside: readonly Classified[];
  looks: readonly FirstLook[];
  say(file: string, text: string, used: boolean): void;
  questions: string[];
}

function ofRole({ beside }: Taking, role: Role): Classified[] {
  return beside.filter((file) => file.role === role);
}

/** The only file of a role; several are a question. */
function takeOne(taking: Taking, role: Role & "owners", take: (file: string) => void): void {
  const files = ofRole(taking, role);
  const [first] = files;
  if (!first) return;
  if (files.length === 1) {
    taking.say(first.source.name, first.what, true);
    take(first.source.name);
    return;
  }
  for (const { source, what } of files) {
    taking.say(source.name, `${what}: one of ${files.length}, --${role} chooses`, false);
  }
}

function takeTraceEvents(taking: Taking, options: CaseOptions, used: string): void {
  const simple = taking.looks.some(({ summary }) => summary.format.startsWith("simpletrace"));
  for (const { source, what } of ofRole(taking, "trace-events")) {
    const own = simple && source.name === used;
    taking.say(source.name, own ? what : `${what}: not needed`, own);
    if (own) options.traceEvents = source.name;
  }
}

/** Readings of the host whose recordings they fit: a destination's host has its own. */
async function takeClockPairs(taking: Taking, options: CaseOptions): Promise<void> {
  const clocks = new Set(
    taking.looks.filter((look) => look.loads === 0 || look.saves > 0).map(clockOf),
  );
  const found: { file: Classified; pairs: ClockPair[] }[] = [];
  for (const file of [...ofRole(taking, "clock-pairs"), ...ofRole(taking, "bundle")]) {
    try {
      const text = await wholeText(file.source, MOST_TEXT, PAIRS_TEXT);
      found.push({ file, pairs: parseClockPairs(text, file.source.name) });
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      taking.say(file.source.name, `${file.what}: ${error.message}`, false);
    }
  }
  const fitting = found.filter(({ pairs }) => pairs.some((pair) => fits(pair, taking.looks)));
  const [first, ...rest] = fitting;
  for (const { file } of found) taking.say(file.source.name, `${file.what}: not needed`, false);
  if (!first || clocks.size < 2) return;
  const agree = rest.every(({ pairs }) => apart(pairs[0]!, first.pairs[0]!) < 1_000_000n);
  if (!agree) {
    const names = fitting.map(({ file }) => file.source.name);
    taking.questions.push(
      `Clocks were read on more than one host: --clock-pairs ${names.join(" or ")}?`,
    );
    return;
  }
  options.clockPairs = first.file.source.name;
  taking.say(first.file.source.name, `${first.file.what}, ${first.pairs.length}`, true);
}

function clockOf({ summary }: FirstLook): string {
  // Text of the kernel's does not name its clock; it cannot be the wall clock.
  return summary.clock ?? "mono";
}

const HOUR = 3_600_000_000_000n;

/** Whether a reading was made about when the recordings were. */
function fits(pair: ClockPair, looks: readonly FirstLook[]): boolean {
  return looks.some((look) => {
    const { firstNs, lastNs } = look.summary;
    if (firstNs === null || lastNs === null) return false;
    const at = look.summary.clock === "realtime" ? pair.realtime : pair.monotonic;
    return at > BigInt(firstNs) - 24n * HOUR && at < BigInt(lastNs) + 24n * HOUR;
  });
}

function apart(a: ClockPair, b: ClockPair): bigint {
  const off = a.realtime - a.monotonic - (b.realtime - b.monotonic);
  return off < 0n ? -off : off;
}

/** The map of the machine that was recorded: the one who was told to migrate, where maps differ. */
async function takeMemoryMap(taking: Taking, options: CaseOptions): Promise<void> {
  const found: { file: Classified; map: string; source: boolean; whole: boolean }[] = [];
  for (const file of ofRole(taking, "memory-map")) {
    try {
      const map = await readMemoryMap([file.source]);
      const text = await wholeText(file.source, MOST_TEXT, "a memory map");
      const source = /"execute":\s*"migrate"/.test(text);
      found.push({ file, map: JSON.stringify(map.ranges), source, whole: true });
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      const blocks = /Block Name/.test(file.text);
      if (blocks) found.push({ file, map: "", source: false, whole: false });
      else taking.say(file.source.name, "a log of QMP, without a memory map", false);
    }
  }
  const maps = found.filter(({ whole }) => whole);
  const blocks = found.filter(({ whole }) => !whole);
  const chosen = maps.find(({ source }) => source) ?? maps[0];
  for (const { file } of found) taking.say(file.source.name, `${file.what}: not needed`, false);
  if (!chosen) return;
  const differ = maps.some(({ map }) => map !== chosen.map);
  if (differ && !chosen.source) {
    const names = maps.map(({ file }) => file.source.name);
    taking.questions.push(`Memory maps of different machines: --mtree ${names.join(" or ")}?`);
    return;
  }
  const used = [chosen, ...(blocks.length === 1 ? blocks : [])];
  options.mtree = used.map(({ file }) => file.source.name);
  for (const { file } of used) taking.say(file.source.name, file.what, true);
}

/** Images of dirty logs in one folder; which of several the user says. */
function takeObserved(taking: Taking, options: CaseOptions): void {
  const folders = new Map<string, Classified[]>();
  for (const file of ofRole(taking, "observed-log")) {
    const folder = file.source.name.replace(/\/[^/]*$/, "");
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  // As the recordings of this project lie: the log in syncs, and beside it what really changed.
  for (const [folder, files] of folders) {
    const log = folder.replace(/(^|\/)changed$/, "$1syncs");
    if (log === folder || !folders.has(log)) continue;
    folders.delete(folder);
    for (const { source } of files) {
      taking.say(
        source.name,
        `pages that really changed, beside the log in ${log}: left out`,
        false,
      );
    }
  }
  for (const [folder, files] of folders) {
    const only = folders.size === 1;
    if (only) options.observed = folder;
    for (const { source, what } of files) {
      taking.say(
        source.name,
        only ? `${what}, for verify and identify` : `${what}: --observed ${folder}`,
        only,
      );
    }
  }
}

/** What the host says of its kernel, where one file says it, or all say the same. */
async function takeKernel(taking: Taking, options: CaseOptions): Promise<void> {
  const told: { file: Classified; release: string; uname: string }[] = [];
  for (const file of ofRole(taking, "kernel-release")) {
    const match = /^Linux \S+ (\S+) #.*$/m.exec(file.text);
    if (match) told.push({ file, release: match[1]!, uname: match[0] });
  }
  for (const file of ofRole(taking, "bundle")) {
    const text = await wholeText(file.source, MOST_TEXT, "a manifest");
    const release = /"release":\s*"([^"]{1,200})"/.exec(text)?.[1];
    const version = /"version":\s*"(#[^"]{1,400})"/.exec(text)?.[1] ?? "#";
    if (release !== undefined)
      told.push({ file, release, uname: `Linux host ${release} ${version}` });
  }
  const releases = new Set(told.map(({ release }) => release));
  for (const { file, release } of told) {
    const text = `${file.what}: ${release}`;
    const only = releases.size === 1;
    taking.say(file.source.name, only ? text : `${text}; --ran chooses`, only);
  }
  if (releases.size === 1) options.kernel = told[0]!.uname;
}

/** What QEMU says of its version: a text, or the greeting of QMP. */
function takeQemu(taking: Taking, options: CaseOptions): void {
  const versions = new Set<string>();
  for (const { text } of taking.beside) {
    const plain = /QEMU emulator version (\d+\.\d+\.\d+)/.exec(text)?.[1];
    const greeting = /"qemu":\s*\{\s*"micro":\s*(\d+),\s*"minor":\s*(\d+),\s*"major":\s*(\d+)/.exec(
      text,
    );
    if (plain !== undefined) versions.add(plain);
    if (greeting) versions.add(`${greeting[3]}.${greeting[2]}.${greeting[1]}`);
  }
  if (versions.size > 0) options.qemu = [...versions].join(" and ");
}
