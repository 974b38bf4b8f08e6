/**
 * The kernel's tracing files (Documentation/trace/ftrace.rst, kprobetrace.rst): our group of
 * probes, and an instance of our own, so that nobody else's tracing is touched.
 */
import { UsageError } from "../../model/place.ts";
import { GROUP } from "../../probes/definition.ts";
import { checked, checkedAll } from "../../probes/outside-value.ts";
import { errorCode, type Host } from "./host.ts";
import { whyRefused } from "./why-refused.ts";

const PLACES = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] as const;
const LOCKDOWN = "/sys/kernel/security/lockdown";
/** debugfs: 0 while no kprobe fires. */
const KPROBES = "/sys/kernel/debug/kprobes/enabled";
const INSTANCE = "vhost-replay";
const OURS = new RegExp(`^[pr]\\d*:${GROUP}/`);
const TRIES = 20;

/** Numbers that tell what a ring buffer lost. */
export interface Loss {
  /** Events overwritten or refused in the ring buffer. */
  events: number;
  /** Returns for which a return probe had no free slot. */
  returns: number;
}

/** Where the probes of a recording are: in the kernel, or in a program. */
export type ProbeKind = "kprobe" | "uprobe";
const KINDS: readonly ProbeKind[] = ["kprobe", "uprobe"];

/** The tracing files of a host. `open` checks first that they can be used. */
export class TraceFs {
  readonly #host: Host;
  readonly root: string;
  /** The folder of our instance, whether it exists or not. */
  readonly instance: string;

  private constructor(host: Host, root: string) {
    this.#host = host;
    this.root = root;
    this.instance = `${root}/instances/${INSTANCE}`;
  }

  /**
   * Mounts tracefs when it is not. `kind`: what will be defined; null: nothing. Throws UsageError with
   * what forbids probes here.
   */
  static open(host: Host, kind: ProbeKind | null): TraceFs {
    if (host.uid !== 0) throw new UsageError("needs root");
    const lockdown = host.root + LOCKDOWN;
    if (host.exists(lockdown) && /\[confidentiality\]/.test(host.read(lockdown))) {
      throw new UsageError(
        "the kernel is locked down (confidentiality), which forbids probes; see /sys/kernel/security/lockdown",
      );
    }
    const places = PLACES.map((place) => host.root + place);
    const mounted = places.find((place) => host.exists(`${place}/trace_clock`));
    const root = mounted ?? mount(host);
    if (kind !== null && !host.exists(`${root}/${kind}_events`)) {
      throw new UsageError(
        `this kernel has no ${kind} events (CONFIG_${kind.toUpperCase()}_EVENTS): ${root}`,
      );
    }
    return new TraceFs(host, root);
  }

  /** The definitions of our group, as the kernel lists them. */
  probes(): string[] {
    const lines = this.#kinds().flatMap((kind) =>
      this.#host.read(`${this.root}/${kind}_events`).split("\n"),
    );
    return lines.filter((line) => OURS.test(line));
  }

  /** What this kernel can place. */
  #kinds(): ProbeKind[] {
    return KINDS.filter((kind) => this.#host.exists(`${this.root}/${kind}_events`));
  }

  get #group(): string {
    return `${this.root}/events/${GROUP}`;
  }

  /** Our group exists: probes are defined, perhaps by somebody else under the same name. */
  get hasProbes(): boolean {
    return this.#host.exists(this.#group);
  }

  get hasInstance(): boolean {
    return this.#host.exists(this.instance);
  }

  /**
   * Defines all probes, or none. Returns null, or the definition that the kernel refused with its
   * reason. Throws UsageError when a group of this name exists.
   */
  async define(definitions: readonly string[], kind: ProbeKind): Promise<string | null> {
    if (this.hasProbes) {
      throw new UsageError(
        `probes of group ${GROUP} are defined already; remove them first: vhost-replay record --cleanup`,
      );
    }
    for (const line of definitions) {
      try {
        this.#host.append(`${this.root}/${kind}_events`, `${line}\n`);
      } catch (error) {
        await this.removeProbes(this.#events());
        const words = this.#lastError() ?? errorCode(error);
        const why = whyRefused(this.#host, line, error);
        return `${line} (${why === null ? words : `${words}; ${why}`})`;
      }
    }
    return null;
  }

  /** The kernel's own words, from the last entry of error_log. */
  #lastError(): string | null {
    try {
      const log = this.#host.read(`${this.root}/error_log`);
      return /error: ([^\n]+)(?![\s\S]*error: )/.exec(log)?.[1] ?? null;
    } catch {
      return null;
    }
  }

  /** Removes these probes of our group. Returns whether they are gone: something else may hold one. */
  async removeProbes(own: readonly string[]): Promise<boolean> {
    const left = (): string[] => this.#events().filter((name) => own.includes(name));
    for (let tries = 0; left().length > 0 && tries < TRIES; tries++) {
      if (tries > 0) await this.#host.pause(250);
      for (const name of left()) {
        this.#try(() => this.#host.write(`${this.#group}/${name}/enable`, "0"));
        if (this.hasInstance) this.#try(() => this.set(`events/${GROUP}/${name}/enable`, "0"));
        for (const kind of this.#kinds()) {
          this.#try(() => this.#host.append(`${this.root}/${kind}_events`, `-:${GROUP}/${name}\n`));
        }
      }
    }
    return left().length === 0;
  }

  /** Names of the probes of our group. */
  get events(): string[] {
    return this.#events();
  }

  #events(): string[] {
    const entries = this.hasProbes ? this.#host.list(this.#group) : [];
    return checkedAll(
      "event",
      entries.filter((name) => name !== "enable" && name !== "filter"),
    );
  }

  #try(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (errorCode(error) === "") throw error;
    }
  }

  /** Throws UsageError where an instance or probes of our names are somebody's already. */
  refuseOthers(): void {
    if (this.hasInstance) {
      throw new UsageError(
        `${this.instance} is there already: another recording, or the rest of one; a recording of this tool that was cut off is removed with: vhost-replay record --cleanup`,
      );
    }
    if (this.hasProbes) {
      throw new UsageError(
        `probes of group ${GROUP} are defined already; remove them first: vhost-replay record --cleanup`,
      );
    }
  }

  /**
   * Makes our instance, with clock `mono` (that of QEMU's simple trace backend) and a ring buffer
   * of so many KiB for each CPU. Throws UsageError, and leaves nothing behind then.
   */
  async makeInstance(bufferKib: number): Promise<void> {
    if (this.hasInstance) {
      throw new UsageError(
        "a recording is under way, or was cut off; end it, or remove its rest: vhost-replay record --cleanup",
      );
    }
    const steps: [string, () => void][] = [
      ["this kernel gives no trace instance", () => this.#host.mkdir(this.instance)],
      ["this kernel has no trace clock mono", () => this.set("trace_clock", "mono")],
      [
        `no memory for a ring buffer of ${bufferKib} KiB for each CPU (--buffer-size)`,
        () => this.set("buffer_size_kb", checked("number of KiB", bufferKib)),
      ],
    ];
    for (const [complaint, act] of steps) {
      try {
        act();
      } catch (error) {
        await this.removeInstance();
        throw new UsageError(`${complaint} (${errorCode(error) || String(error)})`);
      }
    }
  }

  /** Writes to a file of the instance. */
  set(file: string, text: string): void {
    this.#host.write(`${this.instance}/${file}`, text);
  }

  /** Appends to a file of the instance. */
  add(file: string, text: string): void {
    this.#host.append(`${this.instance}/${file}`, text);
  }

  /**
   * What was switched off, or taken away, by somebody else while we record; null while all is on.
   * `events` are the probes that were switched on.
   */
  switchedOff(events: readonly string[]): string | null {
    if (!this.hasInstance) return "the trace instance was removed";
    if (this.#isOff(`${this.instance}/tracing_on`)) return "tracing_on was set to 0";
    for (const event of events) {
      const folder = `${this.instance}/events/${GROUP}/${event}`;
      if (!this.#host.exists(folder)) return `the probe ${event} was removed`;
      if (this.#isOff(`${folder}/enable`)) return `the probe ${event} was switched off`;
    }
    if (this.#isOff(`${this.#host.root}${KPROBES}`)) return "all kprobes were switched off";
    return null;
  }

  /** Whether a switch stands at 0; one that cannot be read is taken to be on. */
  #isOff(path: string): boolean {
    try {
      return this.#host.read(path).startsWith("0");
    } catch {
      return false;
    }
  }

  /** Starts or stops the recording of our probes in our instance. */
  enable(on: boolean): void {
    this.set(`events/${GROUP}/enable`, on ? "1" : "0");
  }

  /** Writes a line into the recording. */
  mark(text: string): void {
    this.set("trace_marker", checked("line of text", text));
  }

  /** Removes our instance. Returns whether it is gone: somebody may have its files open. */
  async removeInstance(): Promise<boolean> {
    for (let tries = 0; this.hasInstance && tries < TRIES; tries++) {
      if (tries > 0) await this.#host.pause(250);
      this.#try(() => this.set("tracing_on", "0"));
      this.#try(() => this.enable(false));
      this.#try(() => this.#host.rmdir(this.instance));
    }
    return !this.hasInstance;
  }

  #cpus(): string[] {
    return this.#host.list(`${this.instance}/per_cpu`).filter((name) => /^cpu\d+$/.test(name));
  }

  /** `per_cpu/cpuN/stats` of all CPUs, each under its name. */
  stats(): string {
    const cpus = this.#cpus().sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)));
    return cpus
      .map((cpu) => `${cpu}\n${this.#host.read(`${this.instance}/per_cpu/${cpu}/stats`)}`)
      .join("");
  }

  /** Events that wait in the ring buffer. */
  waiting(): number {
    return sum(this.stats(), /^entries: (\d+)$/gm);
  }

  /** The lines of kprobe_profile (hits, misses) that are ours, of a list of all groups'. */
  profile(): string {
    const names = new Set(this.#events());
    const file = `${this.root}/kprobe_profile`;
    // A uprobe misses nothing: its profile has hits alone.
    const lines = this.#host.exists(file) ? this.#host.read(file).split("\n") : [];
    return lines
      .filter((line) => names.has(line.trim().split(/\s+/)[0] ?? ""))
      .map((line) => `${line}\n`)
      .join("");
  }

  /** Events that came into the ring buffer so far, read, waiting and overwritten ones. */
  recorded(): number {
    return sum(this.stats(), /^(?:entries|overrun|read events): (\d+)$/gm);
  }

  /** What was lost so far. */
  loss(): Loss {
    return {
      events: sum(this.stats(), /^(?:overrun|commit overrun|dropped events): (\d+)$/gm),
      returns: sum(this.profile(), /(\d+)[ \t]*$/gm),
    };
  }
}

function mount(host: Host): string {
  const place = host.root + PLACES[0];
  if (!host.exists(place)) {
    throw new UsageError(`this kernel has no tracefs (CONFIG_FTRACE; is /sys mounted?): ${place}`);
  }
  try {
    host.mountTracefs(place);
  } catch {
    throw new UsageError(
      `tracefs is not mounted, and mounting it on ${place} failed (in a container: record on the host itself)`,
    );
  }
  if (host.exists(`${place}/trace_clock`)) return place;
  throw new UsageError(`tracefs is mounted on ${place}, but is empty`);
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
}
