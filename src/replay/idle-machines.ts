/** Machines that a recording shows and of which it holds nothing, as the QEMU that a migration goes to. */
import type { MachineResult, QueueSummary } from "../model/result.ts";
import { UNSEEN } from "./unseen-devices.ts";

const isUsed = (queue: QueueSummary): boolean =>
  queue.popped + queue.completed + queue.unknownHead + queue.lostCompletions > 0;

/** No request of its devices is recorded, no migration from it, and no device whose writes are unseen. */
function isIdle({ devices, migrations, limits }: MachineResult): boolean {
  return (
    migrations.length === 0 &&
    !limits.some(({ code }) => code === UNSEEN) &&
    !devices.some(({ queues }) => queues.some(isUsed))
  );
}

/** The machines that an answer is about, and what is said of those that are left out beside them. */
export function withoutIdle(machines: readonly MachineResult[]): {
  machines: MachineResult[];
  notes: string[];
} {
  const busy = machines.filter((machine) => !isIdle(machine));
  if (busy.length === 0) return { machines: [...machines], notes: [] };
  const notes = machines.filter(isIdle).map(({ number, pid }) => {
    const name = pid === null ? `machine ${number}` : `the process ${pid}`;
    return `Of ${name} no request of a device and no migration is recorded: it is not listed.`;
  });
  return { machines: busy, notes };
}
