/**
 * Every number that two answers both print, compared over one recording. A kind is a line of
 * `KINDS`; what differs is a line of text, so that a test and a script can use it.
 */
import * as affected from "../../src/answers/affected.ts";
import { ask as around } from "../../src/answers/around.ts";
import * as attribute from "../../src/answers/attribute.ts";
import * as difference from "../../src/answers/difference.ts";
import * as inspect from "../../src/answers/inspect.ts";
import * as life from "../../src/answers/life.ts";
import * as logImages from "../../src/answers/log-images.ts";
import * as requests from "../../src/answers/requests.ts";
import * as stale from "../../src/answers/stale.ts";
import { PAGE_BYTES } from "../../src/model/pages.ts";
import { UsageError } from "../../src/model/place.ts";
import { dump, type Recording } from "../../src/replay/replay.ts";
import { attributeJson } from "../../src/report/json/attribute-json.ts";
import { differenceJson } from "../../src/report/json/difference-json.ts";
import { explainJson } from "../../src/report/json/explain-json.ts";
import { infoJson, reportJson } from "../../src/report/json/report-json.ts";
import { requestJsonLine } from "../../src/report/json/request-json.ts";
import { staleJson } from "../../src/report/json/stale-json.ts";
import { infoText } from "../../src/report/text/info-text.ts";
import { reportText } from "../../src/report/text/report-text.ts";
import { staleText } from "../../src/report/text/stale-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";

const TOOL = { name: "test", version: "0", wasmSha256: "0" };
const PLAIN = textStyle(false);

/** What is compared with what; each has a number of comparisons behind it. */
export const KINDS = {
  inputs: "inputs, hashes left out: info, report, stale, attribute, explain",
  devices: "devices and queues: info, report",
  limits: "limits: info, report, stale, attribute, explain",
  syncs: "syncs: info, the rounds of report, the images of log",
  requests: "requests by state and queue: requests, the queues of info; diff's count of them",
  bytes: "bytes written: requests, the queues of info",
  lost: "lost pages of a policy: report, attribute, diff, affected, the sums of its rounds",
  losses: "losses of findings: report's findings, its rounds",
  logged: "logged pages of a round: report, the images of log",
  stale: "stale pages: the migrations of report, stale's counts and lists, affected, diff",
  timeline: "time line of a migration: report, stale",
  page: "a page's fate: explain, the lists of stale, the lost pages of report",
  sentences: "sentences: the text of report and stale, their JSON",
  tables: "tables of the text of report, stale and info: their JSON",
  places: "places: every one that is printed opens",
} as const;
export type Kind = keyof typeof KINDS;

export interface Checked {
  /** Comparisons that were made of each kind. */
  compared: Record<Kind, number>;
  /** What differs, a line each. */
  different: string[];
}

/** biome-ignore lint/suspicious/noExplicitAny: documents are read as a stranger would. */
type Document = any;

/** Asks everything that has numbers in common, and compares them. */
export async function checkNumbers(recording: Recording): Promise<Checked> {
  const compared = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
  const checked: Checked = { compared: compared as Checked["compared"], different: [] };
  const same = (kind: Kind, what: string, a: unknown, b: unknown): void => {
    checked.compared[kind]++;
    const [x, y] = [JSON.stringify(a) ?? "nothing", JSON.stringify(b) ?? "nothing"];
    if (x !== y)
      checked.different.push(`${kind}: ${what}: ${x.slice(0, 200)} and ${y.slice(0, 200)}`);
  };
  const policies = choosePolicies();
  const options = { policies };
  const asked = await affected.ask(recording, options);
  const report: Document = reportJson(TOOL, asked);
  const contents = await inspect.ask(recording);
  const info: Document = infoJson(TOOL, contents);
  const told = await stale.ask(recording, options);
  const staleDocument: Document = staleJson(TOOL, told);
  const attributed: Document = attributeJson(TOOL, await attribute.ask(recording));
  const records: Document[] = [];
  await requests.ask(recording, {
    onRequest: (request) => void records.push(JSON.parse(requestJsonLine(request))),
  });

  for (const [name, other] of Object.entries({
    info,
    stale: staleDocument,
    attribute: attributed,
  })) {
    same("inputs", `report and ${name}`, report.inputs, other.inputs);
    other.machines.forEach((machine: Document, i: number) => {
      same("limits", `report and ${name}`, limitsOf(report.machines[i]), limitsOf(machine));
    });
  }
  same("inputs", "events replayed", report.eventsReplayed, info.eventsReplayed);
  for (const [i, machine] of report.machines.entries()) {
    const one = new MachineCheck(same, machine, info.machines[i], staleDocument.machines[i]);
    one.devices();
    one.requests(records.filter((record) => record.machine === machine.number));
    if (!machine.verdict || machine.verdict.answer === "none") continue;
    one.lost(attributed.machines[i]);
    one.rounds();
    one.migrations();
  }
  if (report.machines.length === 1) {
    await checkOneMachine(recording, policies, report, staleDocument, records.length, same);
  }
  checkText(asked, contents, told, report, info, staleDocument, same);
  await checkPlaces(recording, [report, info, staleDocument, ...records], same);
  return checked;
}

type Same = (kind: Kind, what: string, a: unknown, b: unknown) => void;
/** But for what is said of the policies that were asked about. */
const limitsOf = ({ limits }: Document): Document =>
  limits.filter(({ code }: Document) => code !== "beyond-log");
const sum = (rows: Document[], key: string): number =>
  rows.reduce((total, row) => total + (row[key] ?? 0), 0);

class MachineCheck {
  readonly #same: Same;
  readonly #report: Document;
  readonly #info: Document;
  readonly #stale: Document;

  constructor(same: Same, report: Document, info: Document, staleMachine: Document) {
    this.#same = same;
    this.#report = report;
    this.#info = info;
    this.#stale = staleMachine;
  }

  devices(): void {
    this.#same("devices", "report and info", this.#report.devices, this.#info.devices);
    const syncs = this.#report.rounds.flatMap(({ sync }: Document) => (sync ? [sync] : []));
    this.#same("syncs", "report and info", syncs, this.#info.syncs);
  }

  requests(records: Document[]): void {
    for (const device of this.#info.devices) {
      for (const queue of device.queues) {
        const own = records.filter((r) => r.device === device.number && r.vq === queue.vq);
        const of = (state: string): Document[] => own.filter((r) => r.state === state);
        const at = `device ${device.number} queue ${queue.index}`;
        this.#same("requests", `${at} completed`, of("completed").length, queue.completed);
        this.#same("requests", `${at} dropped`, of("dropped").length, queue.dropped);
        this.#same("requests", `${at} in flight`, of("in-flight").length, queue.inFlightAtEnd);
        this.#same("requests", `${at} unknown`, of("unknown-head").length, queue.unknownHead);
        this.#same("bytes", at, sum(own, "written"), queue.writeBytes);
      }
    }
  }

  lost(attributed: Document): void {
    const [first] = this.#report.policies;
    const unsaved = attributed.prefixes.find(({ upTo }: Document) => upTo === 0);
    if (attributed.window === this.#report.verdict.window) {
      this.#same("lost", "report and attribute", first.lost, attributed.lost);
      this.#same("lost", "attribute and its prefix of none", attributed.lost, unsaved.lost);
    }
    const { affected: judged, migrations } = this.#report;
    if (judged.measure === "lost") {
      const of = judged.policy ?? first.name;
      const row = this.#report.policies.find(({ name }: Document) => name === of);
      this.#same("lost", "affected and its policy", judged.pages, row.lost);
    } else {
      const main = migrations.findLast((one: Document) => one.verdicts.length > 0);
      const of = judged.policy ?? first.name;
      const verdict = main?.verdicts.find((one: Document) => one.policy === of);
      // A migration that no verdict is given of: a snapshot in the background.
      if (!verdict) return;
      const counts = [judged.pages, judged.possibly];
      this.#same("stale", "affected", counts, [verdict.best, verdict.worst - verdict.best]);
    }
  }

  rounds(): void {
    const { rounds, policies, findings, moreRounds, moreFindings, verdict } = this.#report;
    if (moreRounds > 0) return;
    policies.forEach((policy: Document, i: number) => {
      const own = rounds.map((round: Document) => round.policies[i]);
      this.#same("lost", `${policy.name}: newly`, sum(own, "newlyLost"), policy.lost);
      if (own.length > 0)
        this.#same("lost", `${policy.name}: still`, own.at(-1).stillLost, policy.stillLost);
      if (moreFindings > 0) return;
      const mine = findings.filter((finding: Document) => finding.policy === policy.name);
      this.#same("losses", policy.name, sum(mine, "pages"), sum(own, "lost"));
    });
    if (policies.length > 0 && policies.every(({ lost }: Document) => lost === 0) === false)
      this.#same("lost", "some page was written", verdict.written > 0, true);
  }

  migrations(): void {
    const timeline = ({ sentence: _, verdicts: __, ...rest }: Document): Document => rest;
    const { migrations } = this.#report;
    this.#same("timeline", "report and stale", migrations.map(timeline), this.#stale.migrations);
    const main =
      migrations.findLast((one: Document) => one.verdicts.length > 0) ?? migrations.at(-1);
    if (!main) return;
    this.#same("sentences", "stale", main.sentence, this.#stale.verdict.sentence);
    this.#stale.policies.forEach((policy: Document, i: number) => {
      const verdict = main.verdicts[i];
      const { best, likely, worst } = policy.counts;
      this.#same(
        "stale",
        policy.policy,
        [verdict.best, verdict.likely, verdict.worst],
        [best, likely, worst],
      );
      if (best === null) return;
      const sizes = [policy.stale.length, policy.likelyStale.length, policy.possiblyStale.length];
      this.#same("stale", `${policy.policy}: lists`, sizes, [best, likely - best, worst - likely]);
      const pages = [verdict.stale.pages, verdict.likelyStale.pages, verdict.possiblyStale.pages];
      this.#same("stale", `${policy.policy}: sets`, pages, sizes);
      this.#same(
        "stale",
        `${policy.policy}: healed`,
        sum(verdict.healed, "pages"),
        policy.counts.healed,
      );
      const reasons = policy.reasons.length + policy.pagesWithoutEvidence;
      this.#same("stale", `${policy.policy}: reasons`, reasons, worst + policy.counts.healed);
    });
  }
}

async function checkOneMachine(
  recording: Recording,
  policies: ReturnType<typeof choosePolicies>,
  report: Document,
  staleDocument: Document,
  records: number,
  same: Same,
): Promise<void> {
  const [machine] = report.machines;
  const side = (i: number) => ({ name: policies[i]!.policy.name, recording, policy: policies[i]! });
  const diff: Document = differenceJson(TOOL, await difference.ask(side(0), side(1)));
  const { requests: counts, pages, measure } = diff;
  same("requests", "diff", counts.equal + counts.onlyA, records);
  const [verdict] = staleDocument.machines[0].policies;
  const ofA = measure === "stale" ? verdict?.counts.worst : machine.policies[0].lost;
  if (ofA !== null && ofA !== undefined)
    same(measure, "diff", pages.onlyA.pages + pages.both.pages, ofA);
  if (machine.verdict.window === "recorded") {
    const policy = policies[0]!;
    const { images } = await logImages.ask(recording, { policy }).catch(numberedTwice);
    const rounds = machine.rounds.filter(({ sync }: Document) => sync !== null);
    if (images.length > 0 && rounds.length > 0 && machine.verdict.answer !== "none") {
      same(
        "syncs",
        "log",
        images.map(({ number }) => number),
        rounds.map((r: Document) => r.sync.number),
      );
      const logged = rounds.map((round: Document) => round.policies[0].logged);
      same(
        "logged",
        "log",
        images.map((image) => image.pages + image.beyond),
        logged,
      );
    }
  }
  const [run] = machine.policies[0].lostRuns;
  const first = verdict?.stale[0] ?? run?.gfn;
  if (first === undefined || machine.verdict.answer === "none") return;
  const gpa = Number(first) * PAGE_BYTES;
  const answer = await life.ask(recording, { policies, range: { gpa, len: PAGE_BYTES } });
  const explained: Document = explainJson(TOOL, answer);
  same("inputs", "report and explain", report.inputs, explained.inputs);
  const [own] = explained.machines;
  same("limits", "report and explain", machine.limits, own.limits);
  policies.forEach(({ policy: { name } }, i) => {
    const row = machine.policies[i];
    const isLost = row.lostRuns.some(
      (one: Document) =>
        Number(first) >= Number(one.gfn) && Number(first) < Number(one.gfn) + one.pages,
    );
    if (row.moreLostRuns === 0)
      same("page", `lost by ${name}`, own.policies[i].lostPages, isLost ? 1 : 0);
    const here = staleDocument.machines[0].policies[i];
    const said = own.verdicts.find((one: Document) => one.policy === name);
    if (here && said)
      same("page", `stale under ${name}`, said.stale, here.stale.includes(first) ? 1 : 0);
  });
}

/** Several migrations count their syncs from 0 each: there is no folder of images then, and log says so. */
function numberedTwice(error: unknown): { images: never[] } {
  if (error instanceof UsageError && error.message.includes("have the number"))
    return { images: [] };
  throw error;
}

const flat = (text: string): string => text.replaceAll(/\s+/g, " ");

function checkText(
  asked: affected.Answer,
  contents: inspect.Answer,
  told: stale.Answer,
  report: Document,
  info: Document,
  staleDocument: Document,
  same: Same,
): void {
  const about = { asksAffected: true, qemu: null, files: [] };
  const text = reportText(asked, PLAIN, Number.POSITIVE_INFINITY, about);
  const staleSaid = staleText(told, PLAIN, Number.POSITIVE_INFINITY);
  const infoSaid = infoText(contents.result, PLAIN);
  for (const [i, machine] of report.machines.entries()) {
    const has = (where: string, sentence: string): void =>
      same("sentences", sentence, flat(where).includes(flat(sentence)), true);
    if (machine.verdict.answer !== "none") has(text, machine.affected.sentence);
    has(text, machine.verdict.sentence);
    has(staleSaid, staleDocument.machines[i].verdict.sentence);
    if (report.machines.length > 1) continue;
    if (machine.verdict.answer !== "none") {
      for (const { name, logged, lost, stillLost } of machine.policies) {
        const row = new RegExp(
          `^${name} .*?(\\d+|not known) +(\\d+|not known) +(\\d+|not known)$`,
          "m",
        );
        const cells = text.slice(text.indexOf("still lost")).match(row)?.slice(1);
        same(
          "tables",
          name,
          cells,
          [logged, lost, stillLost].map((n) => `${n ?? "not known"}`),
        );
      }
      const losses = [...text.matchAll(/^ {2}\S.*? +(\d+) +(\d+) +(\d+) +(\d+) {2}(?:sync|end)/gm)];
      const rows = machine.policies.flatMap(({ name }: Document) =>
        machine.findings.filter((finding: Document) => finding.policy === name),
      );
      same(
        "tables",
        "findings",
        losses.map((row) => row.slice(1, 4).map(Number)),
        rows.map((one: Document) => [one.pages, one.requests, one.rounds]),
      );
    }
    for (const { policy, counts } of staleDocument.machines[i].policies) {
      const { best, likely, worst, healed } = counts;
      if (best === null) continue;
      const row = new RegExp(`^${policy} +(\\d+) +(\\d+) +(\\d+) +(\\d+)`, "m");
      const cells = staleSaid.match(row)?.slice(1).map(Number);
      same("tables", `stale ${policy}`, cells, [best, likely - best, worst - likely, healed]);
    }
    for (const device of info.machines[i].devices) {
      for (const { num, popped, completed, inFlightAtEnd } of device.queues) {
        const row = new RegExp(
          ` ${num} +(?:0x[0-9a-f]+|unknown) +${popped} +${completed} +${inFlightAtEnd}\\b`,
        );
        same("tables", `info, queue of ${num}`, row.test(infoSaid), true);
      }
    }
  }
}

/** Every place in the documents: as `file:where`, where the file is one of the inputs. */
async function checkPlaces(recording: Recording, documents: Document[], same: Same): Promise<void> {
  const places = new Set<string>();
  await dump(recording, (event) => void places.add(event.place ?? ""));
  const files = recording.sources.map(({ name }) => name);
  const unknown = new Set<string>();
  let count = 0;
  const look = (node: unknown): void => {
    if (Array.isArray(node)) for (const one of node) look(one);
    else if (typeof node === "object" && node !== null) {
      for (const [key, value] of Object.entries(node)) {
        const isPlace = /place$|^places$/i.test(key);
        for (const place of isPlace ? [value].flat() : []) {
          if (typeof place !== "string") continue;
          count++;
          if (!places.has(place) && files.some((file) => place.startsWith(file)))
            unknown.add(place);
        }
        look(value);
      }
    }
  };
  for (const document of documents) look(document);
  const closed: string[] = [];
  for (const place of [...unknown].slice(0, 64)) {
    await around(recording, { place, count: 0 }).catch(() => closed.push(place));
  }
  if (count > 0) same("places", "that do not open", closed, []);
}
