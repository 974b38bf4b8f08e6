/** Machines: how they are made, and which one the host asks about. */
import { take } from "./base/memory";
import { addMachine, enterMachine, machineAt } from "./known/machine";
import { Migration, NO_SPACE } from "./migration/migration-state";
import { openBlocks } from "./pages/blocks";
import { openPlanes } from "./pages/planes";
import { rows, setRows } from "./pages/rows";

/** Room for `count` rows, and the first machine; once in the life of an instance. False: out of memory. */
export function prepare(count: u32): bool {
  if (!setRows(count)) return false;
  openPlanes();
  return newMachine();
}

/** One more machine, which events and questions are about from here on. False: no memory, or too many. */
export function newMachine(): bool {
  let at = take(offsetof<Migration>());
  if (!at) return false;
  let machine = changetype<Migration>(at);
  machine.source = NO_SPACE;
  machine.activeRows = rows;
  machine.totals = take(max<u32>(rows, 1) << 4);
  if (!machine.totals || !openBlocks(machine) || !addMachine(at)) return false;
  enterMachine(at);
  return true;
}

/** All questions about pages, rounds, evidence and migrations are about machine number `i` from here on. */
export function useMachine(i: u32): void {
  enterMachine(machineAt(i));
}
