/** Which machine, which device and which of its queues a number of the core stands for. */
import type { Core } from "../core/core.ts";
import { type Queue, type QueueName, readQueues } from "../core/queue-record.ts";
import type { Devices } from "./devices.ts";

/** So many are looked at as often as needed. */
const FEW_QUEUES = 256;

export class QueueNames {
  readonly #core: Core;
  #queues: Queue[] = [];
  #readAt = 0;
  readonly #devices: Devices;

  constructor(core: Core, devices: Devices) {
    this.#core = core;
    this.#devices = devices;
  }

  /**
   * A finder with a look at the core only for a new queue, and for one whose index is not known. With
   * many queues such a look comes only after as many events, so that it costs a step an event.
   */
  queueOf(): (id: number) => QueueName {
    let fresh = false;
    return (id) => {
      if (!fresh && (this.#queues[id]?.index ?? null) === null) {
        this.#look(this.#queues[id] === undefined);
        fresh = true;
      }
      const queue = this.#queues[id];
      if (!queue) throw new Error(`bug: no queue ${id}`);
      const device = this.#devices.ofQueue(queue)?.shown ?? this.#devices.all.length;
      return { machine: queue.machine + 1, device, index: queue.index, vq: queue.vq };
    };
  }

  #look(needed: boolean): void {
    const now = this.#core.exports.eventsReplayed();
    const count = this.#queues.length;
    if (!needed && count > FEW_QUEUES && now - this.#readAt < count) return;
    this.#queues = readQueues(this.#core);
    this.#readAt = now;
  }
}
