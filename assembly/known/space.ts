/** QEMU's own recordings: an input is one process, and so one machine. */
import { MAX_SPACES } from "../queue-abi";
import { enterMachine } from "./machine";

/** Machines by the number of the input; 0: not known. */
const machines: usize = memory.data(MAX_SPACES * 4);

// @ts-ignore: decorator
@inline
function entryOf(space: u32): usize {
  return machines + (min<u32>(space, MAX_SPACES - 1) << 2);
}

/** The machine of an input; 0: not known. */
// @ts-ignore: decorator
@inline
export function machineOfSpace(space: u32): usize {
  return load<u32>(entryOf(space));
}

export function setSpace(space: u32, machine: usize): void {
  store<u32>(entryOf(space), <u32>machine);
}

/** What follows is of the machine of this input. */
// @ts-ignore: decorator
@inline
export function enterSpace(space: u32): void {
  let machine = machineOfSpace(space);
  if (machine) enterMachine(machine);
}
