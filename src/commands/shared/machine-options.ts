/** `--machine` and `--machine-name`: which virtual machine is asked about, and what they are called. */
import type { MachineOptions } from "../../answers/machines.ts";
import { UsageError } from "../../model/place.ts";

export interface MachineArguments {
  /** Number, PID or name. */
  machine?: string;
  /** `PID=NAME`, one a machine. */
  machineName?: string[];
  /** Number of a migration, decimal. */
  migration?: string;
}

/** What the options say, as the questions take it. Throws UsageError. */
export function machineOption(args: MachineArguments): MachineOptions {
  const names = new Map<number, string>();
  for (const text of args.machineName ?? []) {
    const match = /^([1-9]\d{0,9})=(.+)$/.exec(text);
    if (!match) {
      throw new UsageError(
        `--machine-name: expected PID=NAME such as 4240=web, found ${JSON.stringify(text.slice(0, 60))}`,
      );
    }
    const [, pid, name] = match;
    if (names.has(Number(pid))) throw new UsageError(`--machine-name: PID ${pid} has two names`);
    if ([...names.values()].includes(name!)) {
      throw new UsageError(`--machine-name: two machines are called ${JSON.stringify(name)}`);
    }
    names.set(Number(pid), name!);
  }
  return {
    ...(args.machine === undefined ? {} : { machine: args.machine }),
    ...(names.size === 0 ? {} : { machineNames: names }),
    ...(args.migration === undefined ? {} : { migration: migrationNumber(args.migration) }),
  };
}

function migrationNumber(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new UsageError(
    `--migration: expected a number from 1 on, as report lists them, found ${JSON.stringify(text.slice(0, 60))}`,
  );
}
