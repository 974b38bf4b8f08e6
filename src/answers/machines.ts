/** Which of the machines in a recording is asked about, and what they are called. */
import { counted } from "../model/counted.ts";
import { machinesText } from "../model/machine-text.ts";
import { UsageError } from "../model/place.ts";
import type { MachineResult, ReplayResult } from "../model/result.ts";
import type { Recording, ReplayOptions } from "../replay/replay.ts";
import type { Replayer } from "./replayer.ts";

export interface MachineOptions {
  /**
   * Only this one: its number, the PID of its VMM, or a name of `machineNames`. Up to 99 it is a
   * number; beyond, a PID or a name goes before a number. Default: all.
   */
  machine?: string;
  /** Names by the PID of the VMM. */
  machineNames?: ReadonlyMap<number, string>;
  /** Number of the migration that is asked about, from 1. Default: the main one. */
  migration?: number;
}

/** Numbers that are never looked for among the PIDs: those of a host's first processes. */
const SURE_NUMBER = /^[1-9]\d?$/;

/**
 * The result with names, and only with the machine that is asked for. Throws UsageError for a machine
 * or a PID that is not in it.
 */
export function selectMachines(
  result: ReplayResult,
  { machine, machineNames, migration }: MachineOptions,
): ReplayResult {
  const machines = result.machines.map((one) => {
    const name = one.pid === null ? undefined : machineNames?.get(one.pid);
    return name === undefined ? one : { ...one, name };
  });
  for (const pid of machineNames?.keys() ?? []) {
    if (!machines.some((one) => one.pid === pid)) {
      throw new UsageError(`no machine of PID ${pid}; ${machinesText(machines)}`);
    }
  }
  const asked = machine === undefined ? machines : [findMachine(machines, machine)];
  return { ...result, machines: migration === undefined ? asked : withMigration(asked, migration) };
}

/** Throws UsageError when none of the machines has so many migrations. */
function withMigration(machines: MachineResult[], number: number): MachineResult[] {
  const most = Math.max(...machines.map(({ migrations }) => migrations.length));
  if (number < 1 || number > most) {
    const found =
      most === 0
        ? "the recording has no migration"
        : `the recording has ${counted(most, "migration")}`;
    throw new UsageError(`no migration ${number}: ${found}`);
  }
  return machines.map((one) =>
    number <= one.migrations.length ? { ...one, askedMigration: number } : one,
  );
}

function findMachine(machines: readonly MachineResult[], asked: string): MachineResult {
  const byNumber = machines.find(({ number }) => `${number}` === asked);
  const found = SURE_NUMBER.test(asked)
    ? byNumber
    : (machines.find(({ pid }) => `${pid}` === asked) ??
      machines.find(({ name }) => name === asked) ??
      byNumber);
  if (found) return found;
  throw new UsageError(
    `no machine ${JSON.stringify(asked.slice(0, 60))}; ${machinesText(machines)}`,
  );
}

/**
 * The number of the machine that is asked for, for questions that are answered while the recording is
 * read; null: all of them. A PID or a name is known at the end only, so it costs a reading of its
 * own. Throws UsageError for one that is not in it.
 */
export async function machineNumber(
  recording: Recording,
  options: MachineOptions,
  base: ReplayOptions,
  run: Replayer,
): Promise<number | null> {
  const { machine } = options;
  if (machine === undefined) return null;
  if (SURE_NUMBER.test(machine)) return Number(machine);
  return selectMachines(await run(recording, base), options).machines[0]!.number;
}

/**
 * For questions that are about one machine: the result with the one that is meant. `wanted` is what
 * `machineNumber` said. Throws UsageError where there are several and none was chosen.
 */
export function oneMachine(
  result: ReplayResult,
  options: MachineOptions,
): { result: ReplayResult; machine: MachineResult } {
  const selected = selectMachines(result, options);
  const [machine, ...others] = selected.machines;
  if (machine && others.length === 0) return { result: selected, machine };
  throw new UsageError(
    `this question is about one machine, and ${machinesText(selected.machines)}: choose one with --machine`,
  );
}

/** 1: some machine has 1. 3: some other one cannot be answered for. 0: none of both. */
export function worstStatus(statuses: readonly (0 | 1 | 3)[]): 0 | 1 | 3 {
  if (statuses.includes(1)) return 1;
  return statuses.includes(3) ? 3 : 0;
}
