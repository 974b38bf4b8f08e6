/**
 * Devices that stand in for one that is not told yet. A device is met by its ioctls and by its queues;
 * where the queue comes first, what stood in for its device gives its number on, so that a reader sees
 * one number from the queue's first event on, whichever question was asked.
 */
import type { Device } from "./device.ts";

/** No more workers than this are kept of a hostile recording. */
const MAX_WORKERS = 65536;

export class StandIns {
  readonly #open = new Set<Device>();
  readonly #ofWorker = new Map<number, { machine: number; device: Device }>();
  /** Those whose number a reader has seen at a queue. */
  readonly #seen = new Set<Device>();

  /** Nothing was told of a new device. */
  add(device: Device): void {
    this.#open.add(device);
  }

  has(device: Device): boolean {
    return this.#open.has(device);
  }

  /** It turned out to be the device itself. */
  told(device: Device): void {
    this.#open.delete(device);
  }

  /** What stands in for queues of this worker, which mostly works for one device. */
  ofWorker(pid: number, machine: number): Device | null {
    const found = this.#ofWorker.get(pid);
    // The PID may be another machine's by now.
    return found && found.machine === machine && this.#open.has(found.device) ? found.device : null;
  }

  worksFor(pid: number, machine: number, device: Device | null): void {
    if (device && this.#ofWorker.size < MAX_WORKERS) this.#ofWorker.set(pid, { machine, device });
  }

  /** A queue of `before` turned out to be of `found`; `before` may stand for other queues still. */
  replace(before: Device | undefined, found: Device): void {
    if (before && before !== found && this.#open.delete(before) && !this.#seen.has(found)) {
      [found.shown, before.shown] = [before.shown, found.shown];
    }
    this.#seen.add(found);
  }
}
