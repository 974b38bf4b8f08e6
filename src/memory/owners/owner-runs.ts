/** Collects the lines of an owners file and makes disjoint runs of them. */
import type { PageRun } from "../../model/result.ts";
import type { OwnerRuns } from "./owners.ts";

/** Runs in the order of the file. 20 bytes each; a line that continues the one before adds none. */
export class OwnerLines {
  #starts = new Float64Array(1024);
  #ends = new Float64Array(1024);
  #indices = new Uint32Array(1024);
  length = 0;

  /** Gives pages to the owner with this index. */
  add({ gfn, pages }: PageRun, owner: number): void {
    const last = this.length - 1;
    if (last >= 0 && this.#ends[last] === gfn && this.#indices[last] === owner) {
      this.#ends[last] = gfn + pages;
      return;
    }
    if (this.length === this.#starts.length) this.#grow();
    this.#starts[this.length] = gfn;
    this.#ends[this.length] = gfn + pages;
    this.#indices[this.length] = owner;
    this.length += 1;
  }

  #grow(): void {
    const size = this.#starts.length * 2;
    const [starts, ends, indices] = [
      new Float64Array(size),
      new Float64Array(size),
      new Uint32Array(size),
    ];
    starts.set(this.#starts);
    ends.set(this.#ends);
    indices.set(this.#indices);
    [this.#starts, this.#ends, this.#indices] = [starts, ends, indices];
  }

  /**
   * Disjoint runs, ascending. A page that several lines name belongs to the last of them;
   * `overlapping` counts the lines that begin at a page which another line gives to another owner.
   */
  resolve(): { runs: OwnerRuns; overlapping: number } {
    const order = Uint32Array.from({ length: this.length }, (_, index) => index);
    if (!this.#ascending()) {
      order.sort((a, b) => this.#starts[a]! - this.#starts[b]! || a - b);
    }
    const result = new OwnerLines();
    const active = new LatestLines(this.#ends);
    let overlapping = 0;
    let at = 0;
    for (let next = 0; next < order.length || active.top(at) >= 0; ) {
      const line = active.top(at);
      const start = next < order.length ? this.#starts[order[next]!]! : Number.POSITIVE_INFINITY;
      if (line < 0) at = start;
      if (start <= at) {
        const taken = order[next++]!;
        active.push(taken);
        if (line >= 0 && this.#indices[line] !== this.#indices[taken]) overlapping += 1;
        continue;
      }
      const until = Math.min(start, this.#ends[line]!);
      result.add({ gfn: at, pages: until - at }, this.#indices[line]!);
      at = until;
    }
    return { runs: result.#trimmed(), overlapping };
  }

  #ascending(): boolean {
    for (let index = 1; index < this.length; index += 1) {
      if (this.#starts[index]! < this.#starts[index - 1]!) return false;
    }
    return true;
  }

  #trimmed(): OwnerRuns {
    return {
      starts: this.#starts.slice(0, this.length),
      ends: this.#ends.slice(0, this.length),
      indices: this.#indices.slice(0, this.length),
    };
  }
}

/** A heap of lines, the last one of the file on top; ended ones go when they come to the top. */
class LatestLines {
  readonly #ends: Float64Array;
  readonly #heap: number[] = [];

  constructor(ends: Float64Array) {
    this.#ends = ends;
  }

  /** The latest line that has page `at`, or -1. */
  top(at: number): number {
    while (this.#heap.length > 0 && this.#ends[this.#heap[0]!]! <= at) this.#pop();
    return this.#heap[0] ?? -1;
  }

  push(line: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(line);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! >= line) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = line;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]! > heap[child]!) child += 1;
      if (heap[child]! <= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
