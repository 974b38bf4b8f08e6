/** The tables of an export that are many rows: from the columns of a history, looked up as they are asked for. */
import { type History, type MachineHistory, REQUEST_STATES, SEND_KINDS } from "../history/index.ts";
import type { PageRun } from "../model/result.ts";
import { isKnown, roundsOf, setsOf } from "./round-sets.ts";
import { ofColumns, ofObjects, type TableRows } from "./schema.ts";

/** Reader of one machine's rows of each table. */
export const HISTORY_TABLES: Readonly<
  Record<
    "requests" | "writes" | "sends" | "pages" | "round_pages",
    (history: History, machine: MachineHistory) => TableRows
  >
> = { requests, writes, sends, pages, round_pages: roundPages };

/** Time of a row: nanoseconds on the recording's clock. */
function clockOf(history: History): (ns: number) => bigint {
  const origin = BigInt(history.originNs);
  return (ns) => origin + BigInt(ns);
}

/** What stands before the number of a place: `trace.txt:`, `trace.dat:cpu1+0x`. */
function streamNames(history: History): (stream: number) => string {
  const names = history.streams.map(({ file, before }) => `${file}${before}`);
  return (stream) => names[stream] ?? "";
}

const known = (value: number): number | null => (value < 0 ? null : value);

function requests(history: History, machine: MachineHistory): TableRows {
  const table = machine.table("requests");
  const time = clockOf(history);
  const stream = streamNames(history);
  const queueOf = (row: number) => machine.queues[table.queue[row]!]!;
  const popped = (row: number): boolean => table.popStream[row]! >= 0;
  const used = (row: number): boolean => table.usedStream[row]! >= 0;
  return ofColumns("requests", table.length, {
    machine: () => machine.number,
    request: (row) => table.serial[row]!,
    device: (row) => queueOf(row).device,
    queue: (row) => queueOf(row).index,
    head: (row) => known(table.head[row]!),
    pop_ns: (row) => (popped(row) ? time(table.popNs[row]!) : null),
    used_ns: (row) => (used(row) ? time(table.usedNs[row]!) : null),
    state: (row) => REQUEST_STATES[table.state[row]!]!,
    cause: (row) => history.causes[table.cause[row]!]?.name ?? null,
    write_bytes: (row) => table.writeBytes[row]!,
    read_bytes: (row) => table.readBytes[row]!,
    lun: (row) => known(table.lun[row]!),
    opcode: (row) => known(table.opcode[row]!),
    pop_stream: (row) => (popped(row) ? stream(table.popStream[row]!) : null),
    pop_place: (row) => (popped(row) ? table.popPlace[row]! : null),
    used_stream: (row) => (used(row) ? stream(table.usedStream[row]!) : null),
    used_place: (row) => (used(row) ? table.usedPlace[row]! : null),
  });
}

function writes(history: History, machine: MachineHistory): TableRows {
  const table = machine.table("writes");
  const time = clockOf(history);
  const stream = streamNames(history);
  const queueOf = (row: number) => machine.queues[table.queue[row]!]!;
  return ofColumns("writes", table.length, {
    machine: () => machine.number,
    ns: (row) => time(table.ns[row]!),
    gfn: (row) => table.page[row]!,
    pages: (row) => table.pages[row]!,
    // A write to a ring is no request's.
    request: (row) => (table.request[row] === 0 ? null : table.request[row]!),
    device: (row) => queueOf(row).device,
    queue: (row) => queueOf(row).index,
    cause: (row) => history.causes[table.cause[row]!]!.name,
    stream: (row) => stream(table.stream[row]!),
    place: (row) => table.place[row]!,
  });
}

function sends(history: History, machine: MachineHistory): TableRows {
  const table = machine.table("sends");
  const time = clockOf(history);
  return ofColumns("sends", table.length, {
    machine: () => machine.number,
    ns: (row) => time(table.ns[row]!),
    gfn: (row) => table.page[row]!,
    pages: (row) => table.pages[row]!,
    kind: (row) => SEND_KINDS[table.kind[row]!]!,
  });
}

function roundPages(_history: History, machine: MachineHistory): TableRows {
  type Row = Parameters<typeof ofObjects<"round_pages">>[1][number];
  const rows: Row[] = [];
  for (const policy of machine.policies) {
    if (!isKnown(machine, policy)) continue;
    for (const { round, written, logged, lost } of roundsOf(machine, policy)) {
      const head = { machine: machine.number, round, policy: policy.name };
      for (const run of written) rows.push({ ...head, page_set: "written", ...run });
      for (const run of logged) rows.push({ ...head, page_set: "logged", ...run });
      for (const run of lost) rows.push({ ...head, page_set: "lost", ...run });
    }
  }
  return ofObjects("round_pages", rows);
}

function pages(_history: History, machine: MachineHistory): TableRows {
  type Row = Parameters<typeof ofObjects<"pages">>[1][number];
  const rows: Row[] = [];
  const put = (
    migration: number | null,
    policy: string,
    set: string,
    runs: Iterable<PageRun>,
    healedBy: string | null = null,
  ): void => {
    for (const { gfn, pages: count } of runs) {
      rows.push({
        ...{ machine: machine.number, migration, policy, page_set: set, healed_by: healedBy },
        ...{ gfn, pages: count },
      });
    }
  };
  for (const policy of machine.policies) {
    if (!isKnown(machine, policy)) continue;
    const { logged, lost, stillLost } = setsOf(machine, policy);
    put(null, policy.name, "logged", logged);
    put(null, policy.name, "lost", lost);
    put(null, policy.name, "still-lost", stillLost);
  }
  machine.result.migrations.forEach(({ verdicts }, migration) => {
    for (const { policy, best, stale, likelyStale, possiblyStale, healed } of verdicts) {
      if (best === null) continue;
      put(migration, policy, "stale", stale);
      put(migration, policy, "likely-stale", likelyStale);
      put(migration, policy, "possibly-stale", possiblyStale);
      for (const { by, runs } of healed) put(migration, policy, "healed", runs, by);
    }
  });
  return ofObjects("pages", rows);
}
