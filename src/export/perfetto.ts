/**
 * A history as a trace for Perfetto: tracks of devices, queues, rounds, the dirty log and sends; a slice
 * a request, and a flow from each that lost a page to the sync whose log does not have it.
 */
import {
  type History,
  type HistoryTable,
  type MachineHistory,
  placeText,
  REQUEST_STATES,
  SEND_KINDS,
} from "../history/index.ts";
import { guiltyRequests } from "./guilty.ts";
import { PacketWriter } from "./perfetto-packets.ts";
import { isKnown } from "./round-sets.ts";

/** Sends are counted, a value a millisecond: one event a page would be most of the file. */
const COUNT_EVERY_NS = 1_000_000;
/** pbf's numbers are exact below it: clocks that count from 1970 are beyond. */
const EXACT = 2 ** 53;
/** Serials are of one machine: a flow's number has the machine above them. */
const FLOW_OF_MACHINE = 2 ** 32;

/** Writes the trace in pieces. Times are those of the recording's clock, or from its first event on where 53 bits do not hold them. */
export function writePerfetto(history: History, out: (bytes: Uint8Array) => void): void {
  const packets = new PacketWriter(out);
  for (const machine of history.machines) new MachineTrace(history, machine, packets).write();
  packets.finish();
}

class MachineTrace {
  readonly #history: History;
  readonly #machine: MachineHistory;
  readonly #packets: PacketWriter;
  readonly #origin: bigint;
  readonly #offset: number;
  readonly #root: number;
  /** By request: the flow to the sync. */
  readonly #flows = new Map<number, number[]>();
  /** By round. */
  readonly #endings = new Map<number, number[]>();

  constructor(history: History, machine: MachineHistory, packets: PacketWriter) {
    this.#history = history;
    this.#machine = machine;
    this.#packets = packets;
    this.#origin = BigInt(history.originNs);
    // A recording of 104 days has less than half of what is exact.
    this.#offset = this.#origin < EXACT / 2 ? Number(this.#origin) : 0;
    const { number, pid, name } = machine;
    const told = name ?? (pid === null ? null : `PID ${pid}`);
    this.#root = packets.track(null, `machine ${number}${told === null ? "" : `, ${told}`}`);
  }

  write(): void {
    const [policy] = this.#machine.policies;
    if (policy && isKnown(this.#machine, policy)) {
      for (const [round, requests] of guiltyRequests(this.#machine, policy, this.#origin)) {
        const ids = [...requests].map((serial) => this.#machine.number * FLOW_OF_MACHINE + serial);
        this.#endings.set(round, ids);
        [...requests].forEach((serial, i) => void this.#flows.set(serial, [ids[i]!]));
      }
    }
    this.#rounds();
    this.#log();
    this.#migrations();
    this.#sends();
    this.#requests();
  }

  /** A time of the answer; `ns` of a column has its own origin. */
  #time(ns: string): number {
    return this.#column(Number(BigInt(ns) - this.#origin));
  }

  #column(ns: number): number {
    return Math.max(0, this.#offset + ns);
  }

  #rounds(): void {
    const { result } = this.#machine;
    const track = this.#packets.track(this.#root, "rounds");
    const syncs = this.#packets.track(this.#root, "syncs");
    const counters = result.policies.map(({ name }) => ({
      lost: this.#packets.track(this.#root, `lost, ${name}`, true),
      stillLost: this.#packets.track(this.#root, `still lost, ${name}`, true),
    }));
    let begin = this.#column(0);
    for (const { index, sync, written, policies } of result.rounds) {
      const counts = policies.flatMap(({ logged, lost }, i) => {
        const { name } = result.policies[i]!;
        return [
          [`logged, ${name}`, logged],
          [`lost, ${name}`, lost],
        ];
      });
      const args = { written, ...Object.fromEntries(counts) };
      this.#packets.begin(track, begin, `round ${index}`, args);
      if (sync === null) break;
      const end = this.#time(sync.ns);
      this.#packets.end(track, end);
      const name = `sync ${sync.number}${sync.name === "" ? "" : ` ${sync.name}`}`;
      this.#packets.instant(syncs, end, name, args, this.#endings.get(index));
      policies.forEach(({ lost, stillLost }, i) => {
        if (lost !== null) this.#packets.count(counters[i]!.lost, end, lost);
        if (stillLost !== null) this.#packets.count(counters[i]!.stillLost, end, stillLost);
      });
      begin = end;
    }
  }

  #log(): void {
    for (const { device, ring, fromNs, toNs } of this.#machine.logging) {
      const name = ring === null ? "dirty log" : `dirty log of ring ${ring}`;
      const track = this.#packets.track(this.#root, `${name}, device ${device}`);
      this.#packets.begin(track, this.#time(fromNs), "on");
      if (toNs !== null) this.#packets.end(track, this.#time(toNs));
    }
  }

  #migrations(): void {
    const { migrations } = this.#machine.result;
    if (migrations.length === 0) return;
    const track = this.#packets.track(this.#root, "migration");
    for (const { logOn, endNs, stoppedNs, postcopyNs, outcome } of migrations) {
      this.#packets.begin(track, this.#time(logOn.ns), `migration, ${outcome}`);
      if (stoppedNs !== null) this.#packets.instant(track, this.#time(stoppedNs), "guest stopped");
      if (postcopyNs !== null) this.#packets.instant(track, this.#time(postcopyNs), "postcopy");
      if (endNs !== null) this.#packets.end(track, this.#time(endNs));
    }
  }

  #sends(): void {
    const sends = this.#machine.table("sends");
    if (sends.length === 0) return;
    SEND_KINDS.forEach((kind, number) => {
      let track: number | null = null;
      let pages = 0;
      let next = 0;
      for (let i = 0; i < sends.length; i++) {
        if (sends.kind[i] !== number) continue;
        track ??= this.#packets.track(this.#root, SENT[kind], true);
        pages += sends.pages[i]!;
        if (sends.ns[i]! < next) continue;
        this.#packets.count(track, this.#column(sends.ns[i]!), pages);
        next = sends.ns[i]! + COUNT_EVERY_NS;
      }
      if (track !== null) this.#packets.count(track, this.#column(sends.ns.at(-1)!), pages);
    });
  }

  /** Slices of a track nest, so requests of a queue that overlap stand on tracks of the same name. */
  #requests(): void {
    const table = this.#machine.table("requests");
    const devices = this.#machine.result.devices.map(({ number, driver }) => ({
      number,
      track: this.#packets.track(this.#root, `device ${number}: ${driver}`),
    }));
    const lanes = this.#machine.queues.map(({ device, index }) => {
      const parent = devices.find(({ number }) => number === device)?.track ?? this.#root;
      const name = index === null ? "a queue" : `queue ${index}`;
      return new Lanes(() => this.#packets.track(parent, name));
    });
    const laneOf = new Map<number, number>();
    for (const { row, ends } of inOrder(table)) {
      const queue = lanes[table.queue[row]!]!;
      if (ends) {
        const lane = laneOf.get(row)!;
        laneOf.delete(row);
        queue.give(lane);
        const ns = Math.max(table.usedNs[row]!, table.popNs[row]!);
        this.#packets.end(lane, this.#column(ns));
      } else if (table.popStream[row]! < 0) {
        // Popped before the recording, or unseen: only its end is known.
        const lane = queue.take();
        queue.give(lane);
        this.#packets.instant(lane, this.#column(table.usedNs[row]!), ...this.#told(table, row));
      } else {
        const lane = queue.take();
        laneOf.set(row, lane);
        const flows = this.#flows.get(table.serial[row]!);
        this.#packets.begin(
          lane,
          this.#column(table.popNs[row]!),
          ...this.#told(table, row),
          flows,
        );
      }
    }
  }

  #told(table: HistoryTable<"requests">, row: number) {
    const known = (value: number): number | null => (value < 0 ? null : value);
    const state = REQUEST_STATES[table.state[row]!]!;
    const cause = this.#history.causes[table.cause[row]!]?.name ?? null;
    const { streams } = this.#history;
    const args = {
      request: table.serial[row]!,
      head: known(table.head[row]!),
      ...{ state, cause },
      "bytes written": table.writeBytes[row]!,
      "bytes read": table.readBytes[row]!,
      LUN: known(table.lun[row]!),
      opcode: known(table.opcode[row]!),
      popped: placeText(streams, table.popStream[row]!, table.popPlace[row]!),
      used: placeText(streams, table.usedStream[row]!, table.usedPlace[row]!),
    };
    return [cause ?? state, args] as const;
  }
}

const SENT: Readonly<Record<(typeof SEND_KINDS)[number], string>> = {
  data: "pages sent",
  zero: "pages sent as zeros",
  arrival: "pages arrived",
  cpu: "pages dirtied by vCPUs",
};

/** Tracks of one queue: as many as requests overlap. */
class Lanes {
  readonly #free: number[] = [];
  readonly #make: () => number;

  constructor(make: () => number) {
    this.#make = make;
  }

  take(): number {
    return this.#free.pop() ?? this.#make();
  }

  give(lane: number): void {
    this.#free.push(lane);
  }
}

/** Begins and ends of requests in the order of time; one that ends when another begins makes room for it. */
function* inOrder(table: HistoryTable<"requests">): Generator<{ row: number; ends: boolean }> {
  const { length } = table;
  const moments = new Float64Array(2 * length);
  const ranks = new Uint8Array(2 * length);
  const order: number[] = [];
  for (let row = 0; row < length; row++) {
    const popped = table.popStream[row]! >= 0;
    const used = table.usedStream[row]! >= 0;
    if (!popped && !used) continue;
    moments[2 * row] = popped ? table.popNs[row]! : table.usedNs[row]!;
    ranks[2 * row] = 1;
    order.push(2 * row);
    if (!popped || !used) continue;
    moments[2 * row + 1] = Math.max(table.usedNs[row]!, table.popNs[row]!);
    ranks[2 * row + 1] = table.usedNs[row]! > table.popNs[row]! ? 0 : 2;
    order.push(2 * row + 1);
  }
  order.sort((a, b) => moments[a]! - moments[b]! || ranks[a]! - ranks[b]! || a - b);
  for (const one of order) yield { row: one >> 1, ends: (one & 1) === 1 };
}
