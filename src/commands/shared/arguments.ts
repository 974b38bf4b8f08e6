/** Arguments that all commands share, and the ones that need reading. */
import type { Case } from "../../case/case.ts";
import type { FirstLook } from "../../join/first-look.ts";
import { UsageError } from "../../model/place.ts";
import {
  type ChosenPolicy,
  choosePolicies,
  DEFAULT_POLICIES,
  refuseFatal,
} from "../../vhost/chosen-policy.ts";
import { resolvePolicy } from "../../vhost/policy.ts";
import type { Io } from "./io.ts";
import type { MachineArguments } from "./machine-options.ts";
import type { ReplayApi } from "./replay-api.ts";

/** Of every command that reads recordings. */
export interface CommonArguments extends MachineArguments {
  recordings: string[];
  json?: boolean;
  quiet?: boolean;
  /** Source of a regular expression. */
  syncMarker?: string;
  /** Threads that may work, decimal. */
  jobs?: string;
  /** trace-events-all of the QEMU that wrote a simpletrace. */
  traceEvents?: string;
  /** Answers to `info mtree -f`. */
  mtree?: string[];
  /** `FILE=±SECONDS`, one an input. */
  clockOffset?: string[];
  /** Seconds; how well the offsets are known. */
  clockTolerance?: string;
  /** File with realtime and monotonic clock, read together. */
  clockPairs?: string;
  /** The case that stands for the recordings, and first looks at them, by name. */
  case?: Case;
  looks?: ReadonlyMap<string, FirstLook>;
  /** `uname -a` of the host that was recorded, as a file of the case says it. */
  kernel?: string;
}

/** `--assume-logging` is true, `--no-assume-logging` false, neither undefined. */
export function windowOf(
  assume: boolean | undefined,
  otherwise: "recorded" | "auto",
): "recorded" | "assumed" | "auto" {
  if (assume === undefined) return otherwise;
  return assume ? "assumed" : "recorded";
}

/**
 * The policies to replay against. A version without a row of its own is taken as another row, and
 * the user is told which and why. Throws UsageError for a name that means nothing, and for a choice
 * of patches that gives no numbers, with what would happen instead.
 */
export function replayablePolicies(
  api: Pick<ReplayApi, "POLICIES">,
  io: Pick<Io, "err">,
  args: { quiet?: boolean },
  names: readonly string[] = DEFAULT_POLICIES,
): ChosenPolicy[] {
  const policies = choosePolicies(names, api.POLICIES);
  refuseFatal(policies);
  if (!args.quiet) {
    for (const name of names) {
      if (api.POLICIES.some((row) => row.name === name || row.aliases.includes(name))) continue;
      const { policy, reason } = resolvePolicy(name);
      if (reason !== null) io.err(`vhost-replay: ${name} is taken as ${policy.name}: ${reason}\n`);
    }
  }
  return policies;
}

/** The regular expression of `--sync-marker`. Throws UsageError when it is none. */
export function syncMarkerOf(source: string | undefined): RegExp | undefined {
  if (source === undefined) return undefined;
  try {
    return new RegExp(source);
  } catch (error) {
    throw new UsageError(`--sync-marker: ${(error as Error).message}`);
  }
}

/** The number of `--jobs`; undefined when it is left to us. Throws UsageError. */
export function jobsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const jobs = wholeNumber(text, "--jobs", 1024);
  if (jobs === 0) throw new UsageError("--jobs: expected 1 or more, found 0");
  return jobs;
}

/** Pages of the log that `--log-size` gives in bytes, as an option. Throws UsageError. */
export function logPagesOf(text: string | undefined): { logPages?: number } {
  if (text === undefined) return {};
  const bytes = wholeNumber(text, "--log-size", 2 ** 29);
  if (bytes === 0) throw new UsageError("--log-size: expected 1 or more, found 0");
  return { logPages: bytes * 8 };
}

/** A number of seconds on the recording's clock as nanoseconds. Throws UsageError. */
export function nanoseconds(text: string, option: string): bigint {
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) {
    throw new UsageError(
      `${option}: expected seconds such as 12.747166, found ${JSON.stringify(text)}`,
    );
  }
  return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** A whole number from 0 to `max`, decimal. Throws UsageError. */
export function wholeNumber(text: string, option: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) {
    const limit = max === Number.MAX_SAFE_INTEGER ? "" : ` up to ${max}`;
    throw new UsageError(
      `${option}: expected a whole number${limit}, found ${JSON.stringify(text)}`,
    );
  }
  return value;
}
