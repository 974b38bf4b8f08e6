/** A history says what the replay says: compared row by row with what the library hands over one by one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { History, HistoryTable, MachineHistory } from "../../src/history/index.ts";
import { makeHistory, placeText, REQUEST_STATES, readHistory } from "../../src/history/index.ts";
import { RecordingError } from "../../src/model/place.ts";
import type { PageRun } from "../../src/model/result.ts";
import type { RequestRecord, WatchedWrite } from "../../src/model/told.ts";
import { fileSource } from "../../src/node/file-source.ts";
import type { ReplayOptions } from "../../src/replay/replay.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import {
  memorySource,
  type OneMachine,
  ofOne,
  recordingOf,
  replayOne,
} from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../../traces");
const TOOL = { name: "vhost-replay", version: "0.0.0" };
const options = (): ReplayOptions => ({
  policies: ["linux-6.1", "linux-6.16", "libvhost-user"].map((name) => ({
    policy: findPolicy(name),
    alias: null,
  })),
  window: "auto",
});

const CASES: [string, string[]][] = [
  ["a migration", ["migration/6.1/trace.txt.gz", "migration/6.1/dst.simpletrace.gz"]],
  ["a migration on two clocks", ["migration/6.1-inflight/trace.txt.gz"]],
  ["vhost-scsi, toggles", ["vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"]],
  ["lost events", ["vhost-scsi/6.1.0-50-amd64/18-lost/trace.txt.gz"]],
  ["requests held to the end", ["vhost-scsi/6.1.0-50-amd64/33-held/trace.txt.gz"]],
  ["trace.dat", ["vhost-scsi-variants/6.1-long/trace.dat"]],
  ["logging never on", ["vhost-scsi/6.1.0-50-amd64/21-nolog/trace.txt.gz"]],
];

const sourcesOf = (files: string[]) => files.map((file) => fileSource(join(TRACES, file)));

async function historyOf(files: string[], level: "events" | "rounds" = "events") {
  const recording = await recordingOf(...sourcesOf(files));
  const { bytes, result } = await makeHistory(recording, options(), level, TOOL);
  return { bytes, result: ofOne(result), history: readHistory("h", bytes) };
}

const nsOf = (history: History, ns: number) => (BigInt(history.originNs) + BigInt(ns)).toString();
const pages = (runs: Iterable<PageRun>): number[] =>
  [...runs].flatMap((run) => Array.from({ length: run.pages }, (_, i) => run.gfn + i));

/** The lines of a place, without the folder. */
const base = (file: string) => file.split("/").at(-1);

function requestRow(history: History, machine: MachineHistory, i: number) {
  const table = machine.table("requests");
  const moment = (stream: Int32Array, place: Float64Array, ns: Float64Array) =>
    stream[i]! < 0
      ? null
      : [nsOf(history, ns[i]!), placeText(history.streams, stream[i]!, place[i]!)];
  const queue = machine.queues[table.queue[i]!]!;
  return {
    serial: table.serial[i],
    dev: machine.result.devices[queue.device]!.dev,
    queue: queue.index,
    head: table.head[i]! < 0 ? null : table.head[i],
    state: REQUEST_STATES[table.state[i]!],
    cause: history.causes[table.cause[i]!]?.name ?? null,
    popped: moment(table.popStream, table.popPlace, table.popNs),
    used: moment(table.usedStream, table.usedPlace, table.usedNs),
    bytes: [table.writeBytes[i], table.readBytes[i]],
  };
}

/** Which queue a request is of may be known only later: by its address, when the replay is over. */
function expectedRequest(request: RequestRecord, { devices }: OneMachine) {
  const device = devices.findIndex(({ queues }) => queues.some(({ vq }) => vq === request.vq));
  const moment = (event: RequestRecord["popped"]) =>
    event === null ? null : [event.ns, `${base(event.place.file)}${event.place.at}`];
  const sum = (list: { len: number }[]) => list.reduce((bytes, { len }) => bytes + len, 0);
  return {
    serial: request.serial,
    dev: devices[device]!.dev,
    queue: devices[device]!.queues.find(({ vq }) => vq === request.vq)!.index,
    head: request.head,
    state: request.state,
    cause: request.cause,
    popped: moment(request.popped),
    used: moment(request.used),
    bytes: [sum(request.writes), sum(request.reads)],
  };
}

/** Pages of one event, by cause and request, as text. */
function writeText(ns: string, first: number, count: number, cause: string, request: number) {
  return `${ns} ${first}+${count} ${cause} ${request}`;
}

describe.each(CASES)("%s", (_, files) => {
  test("its requests are those that a replay hands over", async () => {
    const { history } = await historyOf(files);
    const [machine] = history.machines;
    const requests: RequestRecord[] = [];
    const result = await replayOne(await recordingOf(...sourcesOf(files)), {
      ...options(),
      onRequest: (request) => void requests.push(request),
    });
    const { length } = machine!.table("requests");
    const found = Array.from({ length }, (__, i) => requestRow(history, machine!, i));
    expect(found).toEqual(requests.map((request) => expectedRequest(request, result)));
  });

  test("its writes are those that a replay hands over, a ring's two words as one", async () => {
    const { history } = await historyOf(files);
    const [machine] = history.machines;
    const writes: WatchedWrite[] = [];
    await replayOne(await recordingOf(...sourcesOf(files)), {
      ...options(),
      watch: { gpa: 0, len: 2 ** 44 },
      onWrite: (write) => void writes.push(write),
      // Requests of unknown heads have serials only where somebody asks for requests.
      onRequest() {},
    });
    const expected = writes
      .filter(({ len }) => len > 0)
      .map(({ ns, gpa, len, cause, request, place }) => {
        const first = Math.floor(gpa / 4096);
        const count = Math.floor((gpa + len - 1) / 4096) - first + 1;
        const where = `${base(place.file)}${place.at}`;
        return `${writeText(ns, first, count, cause, request ?? 0)} ${where}`;
      });
    const table = machine!.table("writes");
    const found = Array.from({ length: table.length }, (__, i) => {
      const cause = history.causes[table.cause[i]!]!.name;
      const ns = nsOf(history, table.ns[i]!);
      const where = placeText(history.streams, table.stream[i]!, table.place[i]!);
      return `${writeText(ns, table.page[i]!, table.pages[i]!, cause, table.request[i]!)} ${where}`;
    });
    const once = (lines: string[]) => lines.filter((line, i) => line !== lines[i - 1]);
    expect(once(found)).toEqual(once(expected));
    expect(found.length).toBeGreaterThan(0);
  });

  test.each(["events", "rounds"] as const)("its rounds and verdicts, level %s", async (level) => {
    const { history, result } = await historyOf(files, level);
    const machine = history.machines[0]!;
    const rounds = machine.table("rounds");
    for (const [i, policy] of machine.policies.entries()) {
      const setOf = (index: number, set: number, row: number) =>
        pages(
          runsOf(
            rounds,
            (at) => rounds.round[at] === index && rounds.set[at] === set && rounds.row[at] === row,
          ),
        );
      for (const round of result.rounds) {
        const logged = setOf(round.index, 1, policy.loggedRow);
        expect(logged.length, `${policy.name} ${round.index}`).toBe(round.policies[i]!.logged);
        const written = new Set(setOf(round.index, 0, policy.writtenRow));
        if (i === machine.policies.length - 1) expect(written.size).toBe(round.written);
        const lost = [...written].filter((page) => !logged.includes(page));
        expect(lost.length).toBe(round.policies[i]!.lost);
      }
    }
    const bare = (verdicts: typeof result.migrations) =>
      verdicts.map(({ verdicts: list }) =>
        list.map(({ policy, stale, likelyStale, possiblyStale, healed }) => ({
          policy,
          stale,
          likelyStale,
          possiblyStale,
          healed,
        })),
      );
    expect(bare(machine.result.migrations)).toEqual(bare(result.migrations));
  });
});

function runsOf(table: HistoryTable<"rounds">, want: (i: number) => boolean): PageRun[] {
  const runs: PageRun[] = [];
  for (let i = 0; i < table.length; i++) {
    if (want(i)) runs.push({ gfn: table.page[i]!, pages: table.pages[i]! });
  }
  return runs;
}

describe("the document", () => {
  const SMALL = ["vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz"];

  test("has base names only, in sentences too", async () => {
    const { bytes } = await historyOf([
      "migration/6.1/trace.txt.gz",
      "migration/6.1/dst.simpletrace.gz",
    ]);
    const text = Buffer.from(bytes).toString("latin1");
    expect(text).toContain("dst.simpletrace.gz is a destination's");
    expect(text).not.toContain("traces/migration");
    expect(text).not.toContain(TRACES);
  });

  test("two inputs of one name are told apart", async () => {
    const bytes = readFileSync(join(TRACES, SMALL[0]!));
    const recording = await recordingOf(
      memorySource("a/t.gz", bytes),
      memorySource("b/t.gz", bytes),
    );
    const made = await makeHistory(recording, options(), "rounds", TOOL);
    const [machine] = readHistory("h", made.bytes).machines;
    expect(machine!.result.inputs.map(({ name }) => name)).toEqual(["t.gz", "t.gz (2)"]);
  });

  test("cut off or damaged anywhere is refused with the file's name, or read", async () => {
    const { bytes } = await historyOf(SMALL);
    for (let size = 0; size < bytes.length; size += size < 600 ? 7 : 211) {
      expect(() => allOf(bytes.slice(0, size)), `${size}`).toThrow(RecordingError);
    }
    for (let at = 0; at < bytes.length; at += 97) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x55;
      try {
        allOf(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(RecordingError);
      }
    }
  });

  function allOf(bytes: Uint8Array): void {
    const { machines } = readHistory("h.vhist", bytes);
    for (const table of ["writes", "requests", "sends", "states", "rounds"] as const) {
      for (const machine of machines) machine.table(table);
    }
  }

  test("of another version is refused in words", async () => {
    const { bytes } = await historyOf(SMALL);
    const text = Buffer.from(bytes).toString("latin1").replace("history/1", "history/9");
    const other = Buffer.from(text, "latin1");
    expect(() => readHistory("h.vhist", other)).toThrow(
      "h.vhist@0x10: expected a header that is not damaged",
    );
    other.fill(0, 12, 16);
    expect(() => readHistory("h.vhist", other)).toThrow(
      "h.vhist: expected a history of schema vhost-replay/history/1, found vhost-replay/history/9",
    );
  });

  test("tells when events were lost", async () => {
    const { history, result } = await historyOf(["vhost-scsi/6.1.0-50-amd64/18-lost/trace.txt.gz"]);
    const { gaps } = history.machines[0]!;
    expect(gaps.length).toBe(result.inputs.flatMap((input) => input.gaps).length);
    expect(gaps.length).toBeGreaterThan(0);
    const { firstNs, lastNs } = result.inputs[0]!;
    for (const ns of gaps) {
      expect(BigInt(ns) >= BigInt(firstNs!) && BigInt(ns) <= BigInt(lastNs!)).toBe(true);
    }
  });

  test("tells when the log was on", async () => {
    const { history } = await historyOf(["vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"]);
    const [machine] = history.machines;
    const device = machine!.logging.filter(({ ring }) => ring === null);
    const changes = machine!.result.devices.flatMap(({ logging }) => logging);
    expect(device.length).toBeGreaterThan(2);
    expect(device.map(({ fromNs }) => fromNs)).toEqual(
      changes.filter(({ what }) => what === "LOG_ALL on").map(({ ns }) => ns),
    );
    expect(machine!.logging.some(({ ring }) => ring === 2)).toBe(true);
  });
});
