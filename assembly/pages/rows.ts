/** Rows: a policy under one reading of the logging window, as masks over causes. */
import { Cause, CAUSES, ROW_LOGS, ROW_SIZE, ROW_WINDOW } from "../page-abi";
import { reserve } from "../base/memory";
import { pages } from "./page-state";

export let rowTable: usize = 0;
export let rows: u32 = 0;

/** Room for `count` rows; once in the life of an instance. False: out of memory. */
export function setRows(count: u32): bool {
  if (CAUSES > 64) ERROR("a mask of causes is a u64: more than 64 causes do not fit");
  rows = count;
  rowTable = reserve(max<u32>(count, 1) * ROW_SIZE);
  return rowTable != 0;
}

/**
 * From now on only the first `count` rows of this machine are computed: a machine that turned out to
 * have logging on needs no row of the assumed window.
 */
export function useRows(count: u32): void {
  pages().activeRows = min<u32>(count, rows);
}

/** Rows that are still of interest: the first ones. */
// @ts-ignore: decorator
@inline
export function activeRows(): u32 {
  return pages().activeRows;
}

/** Number of a cause's plane + 1, 0 when it was not met; the next number. */
const planes: usize = memory.data(CAUSES);
let planeCount: u32 = 0;

/** A cause or a plane as a mask of them. */
// @ts-ignore: decorator
@inline
export function bitOf(n: u32): u64 {
  return (<u64>1) << n;
}

/** A mask of causes as a mask of planes. */
export function planesOf(causes: u64): u64 {
  let mask: u64 = 0;
  for (; causes; causes &= causes - 1) {
    let plane = <u32>load<u8>(planes + <usize>ctz<u64>(causes));
    if (plane) mask |= bitOf(plane - 1);
  }
  return mask;
}

/** The plane of a cause: they are numbered in the order in which causes are first met. */
// @ts-ignore: decorator
@inline
export function planeOf(cause: u32): u32 {
  let plane = <u32>load<u8>(planes + cause);
  return plane ? plane - 1 : newPlane(cause);
}

function newPlane(cause: u32): u32 {
  store<u8>(planes + cause, <u8>++planeCount);
  return planeCount - 1;
}

/** What Part repeats as long as no device tells a length: all of its requests' descriptors. */
export const WHOLE: u64 =
  ((<u64>1) << Cause.IoLogged) |
  ((<u64>1) << Cause.IoLate) |
  ((<u64>1) << Cause.IoFreed) |
  ((<u64>1) << Cause.CtlLogged) |
  ((<u64>1) << Cause.CtlLate) |
  ((<u64>1) << Cause.EvtLogged) |
  ((<u64>1) << Cause.IoRefused);
export const WHOLE_OFF: u64 =
  ((<u64>1) << Cause.IoOff) | ((<u64>1) << Cause.CtlOff) | ((<u64>1) << Cause.EvtOff);

/**
 * The causes that a row logs. vhost-scsi never tells a length, and marking every descriptor twice
 * would cost a fifth of the replay (measured), so until one is told Part stands for the whole.
 */
// @ts-ignore: decorator
@inline
export function rowLogs(row: u32): u64 {
  let logs = load<u64>(rowTable + row * ROW_SIZE + ROW_LOGS);
  if (pages().lengthSeen) return logs;
  if (logs & bitOf(Cause.PartLogged)) logs |= WHOLE;
  if (logs & bitOf(Cause.PartOff)) logs |= WHOLE_OFF;
  return logs;
}

/** The causes inside a row's window. */
// @ts-ignore: decorator
@inline
export function rowWindow(row: u32): u64 {
  return load<u64>(rowTable + row * ROW_SIZE + ROW_WINDOW);
}

/** Planes of the causes inside a row's window that it does not log. */
// @ts-ignore: decorator
@inline
export function leftOutPlanes(row: u32): u64 {
  return planesOf(rowWindow(row) & ~rowLogs(row));
}
