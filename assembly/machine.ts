/** Machines: how they are made, and which one the host asks about. */
import { QUEUE_ID, QUEUE_MACHINE } from "./queue-abi";
import { take } from "./base/memory";
import { linkQueue as link } from "./known/device";
import { addMachine, enterMachine, Machine, machineAt } from "./known/machine";
import { addQueue, knownQueue, queueById } from "./known/queue";
import { adoptDevice, adoptQueue as adopt } from "./known/vring";
import { setSpace } from "./known/space";
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

/** The queue at this kernel address is of machine number `i`: its number, -1 when there are too many. */
export function placeQueue(vq: u64, i: u32): i32 {
  let q = addQueue(vq, machineAt(i));
  return q ? <i32>load<u32>(q + QUEUE_ID) : -1;
}

/** Number of the queue at this address, -1 when it was not met. */
export function queueNumber(vq: u64): i32 {
  let q = knownQueue(vq);
  return q ? <i32>load<u32>(q + QUEUE_ID) : -1;
}

/** QEMU's own recording in input `space` is of machine number `i`. */
export function placeSpace(space: u32, i: u32): void {
  setSpace(space, machineAt(i));
}

/** Number of the machine of a queue. */
export function machineOfQueue(queue: u32): u32 {
  return changetype<Machine>(load<u32>(queueById(queue) + QUEUE_MACHINE)).number;
}

/** The queue of this number is of this device: what was said of that holds for it. */
export function linkQueue(queue: u32, device: u32): void {
  link(queueById(queue), device);
  adoptDevice(queueById(queue));
}

/** The same of a queue of a session of a user-space back end, whose messages came before it. */
export function adoptQueue(queue: u32, device: u32): void {
  adopt(queueById(queue), device);
}
