/** Pages that QEMU sends, and those that a destination receives. */
import { NO_ADDRESS, PAGE_SHIFT } from "../abi";
import { EVENT_PID, EVENT_TS } from "../event-abi";
import { LoadSlot, PlacedSlot, SaveSlot } from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { draining, drainSend } from "../known/drain";
import { DrainSend } from "../drain-abi";
import { streamAt } from "../decode/stream";
import { atStream } from "../known/moment";
import { gpaIn, ramBlockKnown, rangeCount } from "../known/ram-ranges";
import { readBy, takeOff } from "./flight";
import {
  bitOfPage,
  coverMissing,
  flightLine,
  Healer,
  markSeen,
  noteSendTime,
  sentMake,
  wordOf,
} from "./migration-page";
import { takeRound } from "./migration-round";
import { migration } from "./migration-state";
import { clearRecent } from "./recent";
import { noteZeroArrival } from "./packets";
import { FLAG_ZERO, noteBlock, onPlaced, onPostcopyLoad, placedName, placedPages } from "./postcopy-loads";
import { sendAgain } from "./resend";
import { checkPages, sendZeros } from "./zero-pages";

/** From here on the first send is of interest: it follows a sync. */
export function markSends(): void {
  migration().markedSend = 0;
}

function sendPage(page: u32, ts: u64): void {
  if (draining) drainSend(page, DrainSend.Data);
  let sent = sentMake(page >> 9);
  if (!sent) return;
  let first = markSeen(sent, page);
  // The send that this one pushes out may be one of the same page: it lands before the page takes off.
  takeOff(page, ts);
  let flight = flightLine(sent) + wordOf(page);
  store<u64>(flight, load<u64>(flight) | bitOfPage(page));
  noteSendTime(sent, page, ts);
  coverMissing(page, first ? Healer.FirstSend : Healer.Resend, 0, first, true);
}

/**
 * ram_save_page(rbname, offset, host). True: the host must place this RAM block first, and call again
 * in the moment of this record.
 */
export function onSave(event: usize): bool {
  let m = migration();
  if (!m.underWay || m.endTs) return false;
  let space = streamAt(atStream).space;
  let name = <u32>slotOf(event, SaveSlot.rbname);
  if (!ramBlockKnown(space, name)) return true;
  let ts = load<u64>(event + EVENT_TS);
  takeRound();
  m.source = space;
  sendZeros(m.saves, ts);
  let host = slotOf(event, SaveSlot.host);
  let found = false;
  // An alias of RAM has two guest-physical addresses: both were sent.
  for (let i: u32 = 0; i < rangeCount; ++i) {
    let gpa = gpaIn(i, space, name, host);
    if (gpa == NO_ADDRESS) continue;
    sendPage(<u32>(gpa >> PAGE_SHIFT), ts);
    found = true;
  }
  if (!found) ++m.unplacedSends;
  if (sendAgain(space, host)) ++m.resends;
  if (!m.markedSend) m.markedSend = ts;
  ++m.saves;
  checkPages(event);
  clearRecent();
  return false;
}

let lastReceiver: u64 = ~(<u64>0);

/** Whether this thread was not the last that received a page. */
function isNewReceiver(event: usize): bool {
  let receiver = (<u64>streamAt(atStream).space << 32) | <u32>load<i32>(event + EVENT_PID);
  if (receiver == lastReceiver) return false;
  lastReceiver = receiver;
  return true;
}

/**
 * ram_load_loop(rbname, addr, flags, host), at the destination. With a recording of the source its
 * pages are known from there, and its zeros by their place among them (`setZeros`); alone it says
 * that a page was sent some time before. True: the host must place this RAM block first, and call
 * again in the moment of this record.
 */
export function onLoad(event: usize): bool {
  let m = migration();
  // A thread that receives is a destination's: the host must know.
  if (isNewReceiver(event)) return true;
  let space = streamAt(atStream).space;
  noteBlock(event);
  let counts = m.underWay && !m.endTs && !m.saves;
  let name = <u32>slotOf(event, LoadSlot.rbname);
  if (counts && !ramBlockKnown(space, name)) return true;
  if (slotOf(event, LoadSlot.flags) & FLAG_ZERO) ++m.zeroLoads;
  else ++m.loads;
  if (!counts) return false;
  takeRound();
  // With multifd a page that came as zeros in the first pass may come again with data, unseen.
  if (m.unseenData) {
    if (noteZeroArrival(name, <u32>(slotOf(event, LoadSlot.addr) >> PAGE_SHIFT))) return false;
  } else m.byArrival = true;
  let host = slotOf(event, LoadSlot.host);
  for (let i: u32 = 0; i < rangeCount; ++i) {
    let gpa = gpaIn(i, space, name, host);
    if (gpa == NO_ADDRESS) continue;
    let page = <u32>(gpa >> PAGE_SHIFT);
    if (m.unseenData) coverMissing(page, Healer.None, ~0, false, true);
    else arrive(page, load<u64>(event + EVENT_TS));
  }
  return false;
}

/** ram_load_postcopy_loop(). True: the host must know its thread, and call again. */
export function onPostcopy(event: usize): bool {
  if (isNewReceiver(event)) return true;
  onPostcopyLoad(event);
  return false;
}

/** Pages of post-copy are placed at a destination that was recorded alone. */
export function onPlacedPages(event: usize): void {
  let m = migration();
  if (!onPlaced(event) || !m.underWay || m.endTs || m.saves || m.unseenData) return;
  takeRound();
  m.byArrival = true;
  m.loads += placedPages;
  let space = streamAt(atStream).space;
  let host = slotOf(event, PlacedSlot.host_addr);
  for (let k: u32 = 0; k < placedPages; ++k) {
    for (let i: u32 = 0; i < rangeCount; ++i) {
      let gpa = gpaIn(i, space, placedName, host + (<u64>k << PAGE_SHIFT));
      if (gpa != NO_ADDRESS) arrive(<u32>(gpa >> PAGE_SHIFT), load<u64>(event + EVENT_TS));
    }
  }
}

/** A page arrived: what was written before may or may not be in it. */
function arrive(page: u32, ts: u64): void {
  if (draining) drainSend(page, DrainSend.Arrival);
  let sent = sentMake(page >> 9);
  if (!sent) return;
  markSeen(sent, page);
  noteSendTime(sent, page, ts);
  // It was sent before, by the clock of the writes perhaps a little later.
  readBy(sent, page, ts);
  coverMissing(page, Healer.None, ~0, false, true);
}
