/**
 * The machines of a replay: of which one a queue, a device or a recording of QEMU is. A machine is
 * added when something of it is to be replayed first, and what is told of it later does not move what
 * was replayed: where that would have been another machine, the result says so.
 */
import type { Core } from "../core/core.ts";
import { MachineEvidence, type Party, shareMemory, space, thread } from "./machine-evidence.ts";

interface Assumption {
  name: string;
  machine: number;
}

export class Machines {
  readonly evidence = new MachineEvidence();
  readonly #core: Core;
  /** Who each machine is: one of its names in the evidence. */
  readonly #names: string[] = [];
  /** Who was taken for a machine's without anything that tells it. */
  readonly #assumed: Assumption[] = [];
  /** Counts what got a machine. */
  placed = 0;
  /** Machines that found no room: they share the last one. */
  crowded = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** How many there are; a replay begins with one, that nothing is known of. */
  get count(): number {
    return Math.max(this.#names.length, 1);
  }

  /** What is known of a machine; null: nothing. */
  party(machine: number): Party | null {
    const name = this.#names[machine];
    return name === undefined ? null : this.evidence.of(name);
  }

  /** What the thread of an event says of itself. */
  meetThread(pid: number): void {
    const owner = this.#core.exports.ownerOf(pid);
    if (owner > 0) this.evidence.process(pid, owner, "worker");
  }

  /** A thread of the QEMU whose recording is this input. */
  meetQemu(input: number, pid: number): void {
    if (pid > 0) this.evidence.join(space(input), thread(pid), "qemu");
  }

  /** The machine of whoever is called so in the evidence. */
  of(name: string): number {
    const party = this.evidence.of(name);
    if (party.machine === null) {
      party.machine = this.#place(name, party);
      this.placed++;
    }
    return party.machine;
  }

  /**
   * The same of a device of which nothing was replayed; null: it is of another machine than all that
   * were, and of that nothing is known.
   */
  ofIdle(name: string): number | null {
    const party = this.evidence.of(name);
    if (party.machine === null && this.#names.length > 0) {
      const { same, unknown } = this.#match(party);
      party.machine = same ?? unknown;
      this.placed++;
    }
    return party.machine ?? (this.#names.length === 0 ? 0 : null);
  }

  #place(name: string, party: Party): number {
    if (this.#names.length === 0) {
      this.#names.push(name);
      return 0;
    }
    const { same, unknown } = this.#match(party);
    if (same !== null) {
      this.evidence.join(this.#names[same]!, name, "memory");
      return same;
    }
    if (unknown === null) return this.#add(name);
    this.#assumed.push({ name, machine: unknown });
    return unknown;
  }

  /** The machine that shares its memory, and the first of which nothing tells whether it is another one. */
  #match(party: Party): { same: number | null; unknown: number | null } {
    let unknown: number | null = null;
    for (let machine = 0; machine < this.#names.length; machine++) {
      const other = this.evidence.of(this.#names[machine]!);
      if (party.pid !== null && other.pid !== null) continue;
      const memory = shareMemory(party, other);
      if (memory === true) return { same: machine, unknown: null };
      if (memory === null) unknown ??= machine;
      else for (const one of [party, other]) one.toldBy.add("memory");
    }
    return { same: null, unknown };
  }

  #add(name: string): number {
    if (!this.#core.exports.newMachine()) {
      this.crowded++;
      return this.#names.length - 1;
    }
    return this.#names.push(name) - 1;
  }

  /**
   * Whether pages of another machine may have been taken for this one's. A recording of QEMU is that of
   * the only machine there is, as the user gave it with the others.
   */
  notTold(machine: number): boolean {
    const own = this.party(machine);
    return this.#assumed.some(
      (one) =>
        one.machine === machine &&
        this.evidence.of(one.name) !== own &&
        (!one.name.startsWith("s") || this.count > 1),
    );
  }
}
