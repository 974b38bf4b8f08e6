/**
 * Which policy made a recording shows only beside others: pages that were sent again because of what one
 * logged would not have been under another. So where it is not told which ran, the default
 * policies are replayed beside those that are asked about, and taken out of what is found.
 */
import type { MachineResult, ReplayResult } from "../model/result.ts";
import { type ChosenPolicy, choosePolicies } from "../vhost/chosen-policy.ts";
import type { Recording, ReplayOptions } from "./replay.ts";

type Replayer = (recording: Recording, options: ReplayOptions) => Promise<ReplayResult>;

/** Most policies of one replay that still leave room for the default ones. */
const ROOM = 12;

/** A replayer that finds the same whichever policies are asked about; nor does a sink see the others. */
export function beside(run: Replayer): Replayer {
  return async (recording, options) => {
    const more = companions(options);
    if (more.length === 0) return run(recording, options);
    const { policies, onWrite } = options;
    const names = new Set(more.map(({ policy }) => policy.name));
    const found = await run(recording, {
      ...options,
      policies: [...policies, ...more],
      sinkPolicies: policies.length,
      ...(onWrite
        ? {
            onWrite: (write) =>
              onWrite({ ...write, loggedBy: write.loggedBy.filter((name) => !names.has(name)) }),
          }
        : {}),
    });
    return without(found, names, policies.length);
  };
}

function companions({ policies, ran }: ReplayOptions): ChosenPolicy[] {
  if (ran !== undefined || policies.length === 0 || policies.length > ROOM) return [];
  return choosePolicies().filter(
    ({ policy }) =>
      !policies.some((one) => one.policy.logs === policy.logs || one.policy.name === policy.name),
  );
}

function without(result: ReplayResult, names: ReadonlySet<string>, asked: number): ReplayResult {
  return { ...result, machines: result.machines.map((machine) => own(machine, names, asked)) };
}

function own(machine: MachineResult, names: ReadonlySet<string>, asked: number): MachineResult {
  return {
    ...machine,
    policies: machine.policies.slice(0, asked),
    rounds: machine.rounds.map((round) => ({
      ...round,
      policies: round.policies.slice(0, asked),
    })),
    findings: machine.findings.filter(({ policy }) => !names.has(policy)),
    migrations: machine.migrations.map((migration) => ({
      ...migration,
      verdicts: migration.verdicts.filter(({ policy }) => !names.has(policy)),
    })),
    limits: machine.limits.filter(
      ({ code, text }) =>
        code !== "beyond-log" || ![...names].some((n) => text.startsWith(`${n} `)),
    ),
  };
}
