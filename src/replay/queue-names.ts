/** Which device and which of its queues a number of the core stands for. */
import type { Core } from "../core/core.ts";
import { type Queue, type QueueName, readQueues } from "../core/queue-record.ts";
import { ONLY_MACHINE } from "./replay-state.ts";

/** Machine, device and index of a queue by its number; `vq` is its kernel address. */
export type QueueOf = (id: number) => QueueName;

/** So many are looked at as often as needed. */
const FEW_QUEUES = 256;

export class QueueNames {
  readonly #core: Core;
  #queues: Queue[] = [];
  #readAt = 0;
  /** Devices by struct vhost_dev, in the order in which their queues appeared. */
  readonly devs: bigint[] = [];
  readonly #numbers = new Map<bigint, number>();

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * A finder with a look at the core only for a new queue, and for one whose index is not known. With
   * many queues such a look comes only after as many events, so that it costs a step an event.
   */
  queueOf(): QueueOf {
    let fresh = false;
    return (id) => {
      if (!fresh && (this.#queues[id]?.index ?? null) === null) {
        this.#look(this.#queues[id] === undefined);
        fresh = true;
      }
      const queue = this.#queues[id];
      if (!queue) throw new Error(`bug: no queue ${id}`);
      const { index, vq } = queue;
      return { machine: ONLY_MACHINE, device: this.deviceOf(queue), index, vq };
    };
  }

  #look(needed: boolean): void {
    const now = this.#core.exports.eventsReplayed();
    const count = this.#queues.length;
    if (!needed && count > FEW_QUEUES && now - this.#readAt < count) return;
    this.#queues = readQueues(this.#core);
    this.#readAt = now;
  }

  /** Number of a queue's device. */
  deviceOf(queue: Queue): number {
    let at = this.#numbers.get(queue.dev);
    if (at === undefined) {
      at = this.devs.push(queue.dev) - 1;
      this.#numbers.set(queue.dev, at);
    }
    return at;
  }
}
