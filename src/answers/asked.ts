/** What all questions have in common: what they can be asked with, and what the answer keeps of it. */
import type { WindowChoice } from "../core/rows.ts";
import type { ReplayResult } from "../model/result.ts";
import type { Recording, ReplayOptions } from "../replay/replay.ts";
import { type ChosenPolicy, choosePolicies, refuseFatal } from "../vhost/chosen-policy.ts";
import type { Policy } from "../vhost/policy.ts";
import type { MachineOptions } from "./machines.ts";

/** Options of every question. */
export interface CommonOptions extends MachineOptions {
  /** Whose dirty logs are asked about (`choosePolicies`); default: unpatched and patched. */
  policies?: readonly ChosenPolicy[];
  /** Which writes count: while the recording shows logging on, all of them, or as it turns out. */
  window?: WindowChoice;
  /** Policy of the vhost that ran, where it is known. */
  ran?: Policy;
  /** Pages that the log of a user-space back end has room for, where no message tells. */
  logPages?: number;
  signal?: AbortSignal;
}

/** What was asked, as far as it changes the answer. */
export interface Asked {
  /** Names of the rows. */
  policies: string[];
  window: WindowChoice;
  /** Source of the pattern of a sync; null: the default one. */
  syncMarker: string | null;
  /** Name of the policy that ran; null: not told. */
  ran: string | null;
  /** The machine that was asked for, as given; null: all. */
  machine: string | null;
}

/** What every answer holds beside its own: plain data, safe for JSON and `structuredClone`. */
export interface CommonAnswer {
  asked: Asked;
  /** With the machines that were asked for. */
  result: ReplayResult;
}

/**
 * The options of a replay, and what is told of them. Throws UsageError for a policy that has no
 * dirty log.
 */
export function prepare(
  recording: Recording,
  options: CommonOptions,
  otherwise: WindowChoice,
): { asked: Asked; base: ReplayOptions } {
  const policies = options.policies ?? choosePolicies();
  refuseFatal(policies);
  const window = options.window ?? otherwise;
  return {
    asked: {
      policies: policies.map(({ policy }) => policy.name),
      window,
      syncMarker: recording.syncMarker?.source ?? null,
      ran: options.ran?.name ?? null,
      machine: options.machine ?? null,
    },
    base: {
      ...{ policies, window },
      ...(options.ran ? { ran: options.ran } : {}),
      ...(options.logPages === undefined ? {} : { logPages: options.logPages }),
      ...(options.signal ? { signal: options.signal } : {}),
    },
  };
}
