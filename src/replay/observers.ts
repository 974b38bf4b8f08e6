/** What is told while a replay runs: requests, watched writes, and whose the queues are. */
import { evidenceSize } from "../core/core.ts";
import { type QueueName, readEvidence, readRequest } from "../core/queue-record.ts";
import { causeMask } from "../vhost/causes.ts";
import type { Shared } from "./machine-replay.ts";
import { QueueNames } from "./queue-names.ts";

export class Observers {
  readonly #run: Pick<Shared, "core" | "options" | "placeOf" | "rows" | "devices">;

  readonly #names: QueueNames;

  constructor(run: Pick<Shared, "core" | "options" | "placeOf" | "rows" | "devices">) {
    this.#run = run;
    this.#names = new QueueNames(run.core, run.devices);
  }

  /** Requests that left their queues. */
  async requests(): Promise<void> {
    const { exports } = this.#run.core;
    const queueOf = this.queueOf();
    const n = exports.doneLength();
    for (let i = 0; i < n; i++) {
      const at = this.#run.core.view.getUint32(exports.donePtr() + i * 4, true);
      const done = this.#run.options.onRequest?.(
        readRequest(this.#run.core, at, this.#run.placeOf, queueOf),
      );
      if (done) await done;
    }
    exports.dropDone();
  }

  /** Writes into the watched range. */
  async writes(): Promise<void> {
    const { exports } = this.#run.core;
    const queueOf = this.queueOf();
    const n = exports.watchedLength();
    for (let i = 0; i < n; i++) {
      const evidence = readEvidence(
        this.#run.core,
        exports.watchedPtr() + i * evidenceSize,
        this.#run.placeOf,
        queueOf,
      );
      const done = this.#run.options.onWrite?.({
        ...evidence,
        loggedBy: this.#loggedBy(evidence.cause),
      });
      if (done) await done;
    }
    exports.dropWatched();
  }

  /** Names of the policies that log a cause. */
  readonly #loggers = new Map<string, string[]>();

  #loggedBy(cause: string): string[] {
    let names = this.#loggers.get(cause);
    if (names === undefined) {
      const bit = causeMask(cause);
      const window = this.#run.rows[0]?.window ?? "recorded";
      names = this.#run.rows
        .filter((row) => row.window === window && (row.logsMask & bit) !== 0n)
        .map((row) => this.#run.options.policies[row.policy]!.policy.name);
      this.#loggers.set(cause, names);
    }
    return [...names];
  }

  queueOf(): (id: number) => QueueName {
    return this.#names.queueOf();
  }
}
