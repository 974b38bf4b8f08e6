/**
 * Which threads, devices and recordings of QEMU belong to one virtual machine. Whatever shows that two
 * of them do joins them; nothing takes them apart again. So what is said of one machine may come in any
 * order: a worker's name, the thread that makes the ioctls of a vhost file, QEMU's own recording.
 */
import type { ToldBy } from "../model/result.ts";
import type { MemoryRegion } from "./memory-table.ts";

/** One machine as far as is known: who is joined. */
export interface Party {
  /** The process of its VMM; null: not told. */
  pid: number | null;
  /** Number of the machine in the core; null: nothing of it was replayed yet. */
  machine: number | null;
  /** Its devices' memory maps, as their ioctls set them last. */
  maps: Map<number, readonly MemoryRegion[]>;
  toldBy: Set<ToldBy>;
}

interface Node {
  parent: Node | null;
  party: Party;
}

/** No more than this is kept of a hostile recording; what comes later is of nobody. */
const MAX_NODES = 1 << 17;

export const thread = (pid: number): string => `t${pid}`;
export const device = (number: number): string => `d${number}`;
export const space = (input: number): string => `s${input}`;

export class MachineEvidence {
  readonly #nodes = new Map<string, Node>();
  /** Counts what was joined: whoever keeps an answer may see that it is old. */
  version = 0;
  /** Two machines that were replayed apart turned out to be one. */
  contradictions = 0;

  #node(name: string): Node {
    let node = this.#nodes.get(name);
    if (!node) {
      const party = { pid: null, machine: null, maps: new Map(), toldBy: new Set<ToldBy>() };
      node = { parent: null, party };
      if (this.#nodes.size < MAX_NODES) this.#nodes.set(name, node);
    }
    while (node.parent) {
      if (node.parent.parent) node.parent = node.parent.parent;
      node = node.parent;
    }
    return node;
  }

  /** The process of the machine of a thread: its own, or the one whose device it works for. */
  process(ofThread: number, pid: number, by: ToldBy): void {
    const party = this.join(thread(ofThread), thread(pid), by);
    party.pid ??= pid;
  }

  /** Whom this name belongs to. */
  of(name: string): Party {
    return this.#node(name).party;
  }

  /** Both are of one machine; `by`: what tells it from others. */
  join(a: string, b: string, by?: ToldBy): Party {
    const into = this.#node(a);
    const from = this.#node(b);
    if (by !== undefined) into.party.toldBy.add(by);
    if (into === from) return into.party;
    const [kept, gone] = [into.party, from.party];
    if (kept.machine !== null && gone.machine !== null && kept.machine !== gone.machine) {
      this.contradictions++;
    }
    this.version++;
    from.parent = into;
    kept.machine ??= gone.machine;
    kept.pid ??= gone.pid;
    for (const [number, map] of gone.maps) kept.maps.set(number, map);
    for (const one of gone.toldBy) kept.toldBy.add(one);
    return kept;
  }
}

/**
 * Whether two memory maps are of one process: some guest address lies at the same host address in
 * both. False: some lies at another one. Null: they have no address in common.
 */
export function sameProcess(
  a: readonly MemoryRegion[],
  b: readonly MemoryRegion[],
): boolean | null {
  let same: boolean | null = null;
  for (const one of a) {
    for (const other of b) {
      if (one.last < other.first || other.last < one.first) continue;
      if (one.hva - one.first !== other.hva - other.first) return false;
      same = true;
    }
  }
  return same;
}

/** The same of all maps of two parties. */
export function shareMemory(a: Party, b: Party): boolean | null {
  let same: boolean | null = null;
  for (const one of a.maps.values()) {
    for (const other of b.maps.values()) {
      const answer = sameProcess(one, other);
      if (answer === false) return false;
      same = answer ?? same;
    }
  }
  return same;
}
