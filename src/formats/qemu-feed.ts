/** What the feeds of QEMU's own formats have in common: one stream, a plan by names of events. */
import type { ByteStream } from "../bytes/source.ts";
import type { Core } from "../core/core.ts";
import { type FeedContext, type FeedSummary, fillStream } from "./feed.ts";
import type { QemuPlan } from "./qemu-plan.ts";
import { Unread } from "./unread.ts";

export abstract class QemuFeed {
  readonly firstStream: number;
  readonly streams = 1;
  protected readonly core: Core;
  protected readonly file: string;
  protected readonly plan: QemuPlan;
  protected readonly unread = new Unread();
  readonly #bytes: ByteStream;

  constructor({ core, file }: FeedContext, bytes: ByteStream, plan: QemuPlan, stream: number) {
    this.core = core;
    this.file = file;
    this.plan = plan;
    this.firstStream = stream;
    this.#bytes = bytes;
  }

  fill(stream: number): void | Promise<void> {
    return fillStream(this.core, stream, this.#bytes);
  }

  probesKernel(): boolean {
    return false;
  }

  symbol(): null {
    return null;
  }

  mute(names: ReadonlySet<string>): void {
    this.plan.mute(names);
  }

  close(): void {
    this.#bytes.close();
  }

  /** A summary of one QEMU: it has no CPUs, and loses nothing that it knows of. */
  protected summaryOf(
    told: Pick<FeedSummary, "format" | "clock" | "foreignLines" | "notes" | "cut">,
  ): FeedSummary {
    return { cpus: [], events: this.plan.counts(), gaps: [], unread: this.unread, ...told };
  }
}
