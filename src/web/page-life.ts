/** The life of one page: every write, every send, and what it became, as in `explain` and `stale`. */
import { PAGE_STATES, placeText, SEND_KINDS } from "../history/index.ts";
import { Lane, laneOfPage, type PageStates } from "../history/page-states.ts";
import { causeText } from "../report/text/cause-text.ts";
import { hex, seconds } from "../report/text/number-text.ts";
import { queueLabel } from "../report/text/queue-text.ts";
import type { Case } from "./case.ts";
import type { LifeRow, Located, PageLife } from "./protocol.ts";

/** Rows that a life lists. */
const MOST_ROWS = 2000;

/** What a state means, in words. */
export const STATE_WORDS: Record<Lane, string> = {
  [Lane.None]: "nothing is missing",
  [Lane.Stale]: "missed by the log after its send: the destination has old bytes",
  [Lane.Unsent]: "missed by the log, not sent yet: harmless so far",
  [Lane.Possible]: "possibly stale",
  [Lane.Healed]: "missed by the log, covered since",
  [Lane.Logged]: "written and logged, not sent yet",
};

const SENT: Record<(typeof SEND_KINDS)[number], string> = {
  data: "sent with data",
  zero: "sent as a page of zeros",
  arrival: "arrived at the destination",
  cpu: "written by a vCPU, as QEMU fetched it",
};

const BECAME: Readonly<Record<string, string>> = {
  missing: "missed: the destination has old bytes",
  unsent: "missed, and not sent yet",
  possible: "possibly stale",
  "healed-first-send": "covered by its first send",
  "healed-resend": "covered: sent again",
  "healed-log": "covered: logged later, QEMU sends it again",
  "healed-cpu": "covered: a vCPU wrote it, QEMU sends it again",
  "healed-stop": "covered: marked when the device was stopped",
};

export function lifeOf(one: Case, page: number, policy: number): PageLife | null {
  const { states } = one.policy(policy);
  const lane = laneOfPage(states.blocks, page);
  if (lane < 0) return null;
  const rows: { ns: number; order: number; row: LifeRow }[] = [];
  const add = (ns: number, order: number, row: Omit<LifeRow, "seconds">) =>
    rows.push({ ns, order, row: { ...row, seconds: timeText(one, ns) } });
  addWrites(one, page, policy, add);
  addSends(one, page, add);
  addStates(one, page, policy, add);
  rows.sort((a, b) => a.ns - b.ns || a.order - b.order);
  const last = states.first[lane + 1]! - 1;
  const state: Lane = last >= states.first[lane]! ? states.state[last]! : Lane.None;
  return {
    page,
    lane,
    verdict: STATE_WORDS[state],
    rows: rows.slice(0, MOST_ROWS).map(({ row }) => row),
    more: Math.max(0, rows.length - MOST_ROWS),
  };
}

type Add = (ns: number, order: number, row: Omit<LifeRow, "seconds">) => void;

function touches(
  table: { page: Uint32Array; pages: Uint32Array },
  i: number,
  page: number,
): boolean {
  return page >= table.page[i]! && page < table.page[i]! + table.pages[i]!;
}

function addWrites({ history, machine }: Case, page: number, policy: number, add: Add): void {
  const writes = machine.table("writes");
  const { logs, counts } = machine.policies[policy]!;
  for (let i = 0; i < writes.length; i++) {
    if (!touches(writes, i, page)) continue;
    const cause = writes.cause[i]!;
    const { name, written } = history.causes[cause]!;
    if (!written) continue;
    const queue = machine.queues[writes.queue[i]!];
    const label = queue ? queueLabel(machine.result.devices, queue.device, queue.index) : "";
    const request = writes.request[i]! === 0 ? "" : `request ${writes.request[i]}`;
    const inside = counts.includes(cause);
    const logged = logs.includes(cause) ? "logged" : "not logged";
    add(writes.ns[i]!, 0, {
      kind: "write",
      what: `written: ${causeText(name)}${inside ? `, ${logged}` : ""}`,
      who: `${label} ${request}`.trim(),
      place: placeText(history.streams, writes.stream[i]!, writes.place[i]!) ?? "",
      state: inside ? (logs.includes(cause) ? Lane.Logged : Lane.Stale) : Lane.None,
    });
  }
}

function addSends({ machine }: Case, page: number, add: Add): void {
  const sends = machine.table("sends");
  for (let i = 0; i < sends.length; i++) {
    if (!touches(sends, i, page)) continue;
    const what = SENT[SEND_KINDS[sends.kind[i]!]!];
    add(sends.ns[i]!, 2, { kind: "send", what, who: "QEMU", place: "", state: Lane.None });
  }
}

function addStates({ machine }: Case, page: number, policy: number, add: Add): void {
  const states = machine.table("states");
  const bit = 2 ** machine.policies[policy]!.row;
  for (let i = 0; i < states.length; i++) {
    if (!touches(states, i, page) || Math.floor(states.rows[i]! / bit) % 2 === 0) continue;
    const name = PAGE_STATES[states.state[i]!]!;
    const state =
      name === "missing"
        ? Lane.Stale
        : name === "unsent"
          ? Lane.Unsent
          : name === "possible"
            ? Lane.Possible
            : Lane.Healed;
    add(states.ns[i]!, 3, { kind: "state", what: BECAME[name] ?? name, who: "", place: "", state });
  }
}

/** What is under the pointer: a page and its state at that moment, and since when. */
export function locate(
  one: Case,
  lane: number,
  ns: number,
  policy: number,
  states: PageStates,
): Located | null {
  const lanes = states.first.length - 1;
  if (lane < 0 || lane >= lanes) return null;
  const page = states.blocks[lane >>> 9]! * 512 + (lane & 511);
  let state: Lane = Lane.None;
  let since: number | null = null;
  for (let i = states.first[lane]!; i < states.first[lane + 1]! && states.ns[i]! <= ns; i++) {
    state = states.state[i]!;
    since = states.ns[i]!;
  }
  const { name } = one.machine.policies[policy]!;
  const when = since === null || state === Lane.None ? "" : ` since ${timeText(one, since)} s`;
  return {
    page,
    lane,
    ns,
    lines: [
      `${hex(page * 4096)} at ${timeText(one, ns)} s`,
      `${STATE_WORDS[state]}${when}`,
      `under ${name}`,
    ],
  };
}

/** A time from the origin as seconds of the recording's clock. */
export function timeText({ origin }: Pick<Case, "origin">, ns: number): string {
  return seconds((origin + BigInt(Math.round(ns))).toString());
}
