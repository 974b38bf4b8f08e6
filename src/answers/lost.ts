/** Which pages would each vhost have left out of its dirty log? `report`. */
import type { DeviceSummary, MachineResult } from "../model/result.ts";
import { beside } from "../replay/beside.ts";
import { type Recording, replay } from "../replay/replay.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { selectMachines, worstStatus } from "./machines.ts";
import { leavesOpen } from "./open.ts";
import type { Replayer } from "./replayer.ts";

export type Options = CommonOptions;
export type Answer = CommonAnswer;

/** Throws what `replay` throws, and UsageError for a policy without a dirty log. */
export async function ask(
  recording: Recording,
  options: Options = {},
  run: Replayer = replay,
): Promise<Answer> {
  const { asked, base } = prepare(recording, options, "auto");
  return { asked, result: selectMachines(await beside(run)(recording, base), options) };
}

/**
 * 0: nothing lost. 1: pages lost by at least one policy. 3: of a machine at least there is no verdict, or
 * pages may be missing from what is counted (`leavesOpen`).
 */
export function statusOf({ result }: Pick<Answer, "result">): 0 | 1 | 3 {
  return worstStatus(result.machines.map(machineStatus));
}

/** The same of one machine. */
export function machineStatus(machine: MachineResult): 0 | 1 | 3 {
  if (!machine.verdict) return 3;
  if (machine.policies.some(({ lost }) => lost !== null && lost > 0)) return 1;
  return leavesOpen(machine) ? 3 : 0;
}

/** The driver's name when all devices that did something have the same, otherwise `vhost`. */
export function driverOf(devices: readonly DeviceSummary[]): string {
  const used = devices.filter((device) => device.queues.length > 0);
  const names = new Set((used.length > 0 ? used : devices).map((device) => device.driver));
  const [only] = names;
  return names.size === 1 && only !== undefined ? only : "vhost";
}
