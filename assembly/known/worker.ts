/**
 * Whose thread a thread is: a vhost worker is called `vhost-PID` after the thread that made SET_OWNER
 * (vhost_worker_create(), drivers/vhost/vhost.c), and some recorders write the process beside the
 * thread. Only threads of which either is known are kept.
 */
import { take } from "../base/memory";

/** {i32 thread, i32 owner, i32 process}; 0: not known. */
const ENTRY: u32 = 12;
const SLOTS: u32 = 32768;
let table: usize = 0;
let known: u32 = 0;

/** The entry of a thread, or the free one where it belongs; 0: there is no table. */
function entryOf(pid: i32): usize {
  if (!table) return 0;
  let slot = (<u32>pid * 0x9e3779b1) >> 17;
  while (true) {
    let at = table + slot * ENTRY;
    let found = load<i32>(at);
    if (found == pid || !found) return at;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/** Notes what a name or a recorder says of a thread; 0 says nothing. Too many: they stay unknown. */
export function noteThread(pid: i32, owner: i32, process: i32): void {
  if (pid <= 0 || (owner <= 0 && process <= 0)) return;
  if (!table) table = take(SLOTS * ENTRY);
  let at = entryOf(pid);
  if (!at) return;
  if (!load<i32>(at)) {
    if (known >= (SLOTS * 3) / 4) return;
    ++known;
    store<i32>(at, pid);
  }
  if (owner > 0) store<i32>(at, owner, 4);
  if (process > 0) store<i32>(at, process, 8);
}

/** The thread that a worker was made by; 0: it is no worker, or not known. */
export function ownerOf(pid: i32): i32 {
  let at = entryOf(pid);
  return at && load<i32>(at) ? load<i32>(at, 4) : 0;
}

/** The process of a thread; 0: not known. */
export function processOf(pid: i32): i32 {
  let at = entryOf(pid);
  return at && load<i32>(at) ? load<i32>(at, 8) : 0;
}
