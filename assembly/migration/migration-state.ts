/**
 * The live migration of one machine: its time line, what was sent, and where its page sets lie. Each
 * machine has its own: it is the last part of known/machine.ts Machine.
 */
import { machine } from "../known/machine";
import { Pages } from "../pages/page-state";

@unmanaged
export class Migration extends Pages {
  /** Its dirty log is on: writes count. */
  underWay: bool;
  /** Between the first sync and the second: no page was sent before. */
  firstPass: bool;
  /** Only the destination was recorded: a send was some time before the page arrived. */
  byArrival: bool;
  /** The recorded destination received other pages than the source sent. */
  misaligned: bool;
  /** migration-round.ts: writes of this round are left in the planes; they may be of unsent pages. */
  byRound: bool;
  unsent: bool;
  /** recent.ts: there were more, or they are not told one by one. */
  recentFull: bool;
  /** early.ts: the last fetch is not known exactly. */
  inexact: bool;

  /** Fetches of the log; the last one before this round (migration-round.ts). */
  syncs: u32;
  harvest: u32;
  startTs: u64;
  /** When the first pass is certain to be over; 0 as long as the second sync is to come. */
  firstPassEnd: u64;
  /** QEMU says that the migration is over; writes until then count. 0: it goes on. */
  endTs: u64;
  /** Until then a lost send may have been after a write. */
  gapEnd: u64;
  /** The first send since `markSends()`; 0: none. */
  markedSend: u64;

  /** Sends seen: pages with data, pages of zeros, pages outside of every known region. */
  saves: u64;
  zeroSends: u64;
  unplacedSends: u64;
  /** Sends with data of a page that had been sent with data before. */
  resends: u64;
  /** Pages received by a destination. */
  loads: u64;
  zeroLoads: u64;
  /** Pages were sent as what changed of them. */
  xbzrle: bool;
  /** Pages that a vCPU wrote, as QEMU fetched them from KVM. */
  cpuDirtied: u64;
  /** The QEMU that sends; NO_SPACE before its first page. */
  source: u32;

  /** migration-page.ts. */
  sentDirectory: usize;
  keptDirectory: usize;
  firstSent: usize;
  firstKept: usize;

  /** recent.ts. */
  recent: usize;
  recentCount: u32;

  /** flight.ts: not flushed, a ring of page numbers; flushed within the tolerance, another one. */
  iovec: usize;
  iovecFirst: u32;
  iovecCount: u32;
  delayed: usize;
  delayedCap: u32;
  delayedFirst: u32;
  delayedCount: u32;

  /** early.ts: the time around the last fetch, and around the one under way, is over then; 0: it is. */
  fetchUntil: u64;
  nextFetchUntil: u64;
  /** Line.Early of kept blocks is of this round. */
  earlyRound: u32;

  /** resend.ts. */
  sentSlots: u32;
  sentUsed: u32;
  sentTable: usize;
  sentLast: usize;
  sentLastKey: u64;

  /** zero-pages.ts. */
  zeros: usize;
  zeroCount: u32;
  zeroNext: u32;
  hashes: usize;
  hashCount: u32;
  /** Pages follow of which there is no hash. */
  hashesEnd: bool;
  hash: u64;

  /** packets.ts: pages go where no event names them; some packet is not kept. */
  unseenData: bool;
  packetsBroken: bool;
  packets: usize;
  packetCount: u32;
  packetCap: u32;
  /** By channel, what its next packet has. */
  nextPackets: usize;
  /** Pages that arrived as zeros in the first pass of multifd. */
  zeroArrivals: usize;
  zeroArrivalCount: u32;
  zeroArrivalCap: u32;

  /** stale-entry.ts: somebody asks for the writes to blame. */
  keepsEntries: bool;
  entryPieces: usize;
  entryTable: usize;
  entrySlots: u32;
  entryCount: u32;
  entriesRefused: u64;
}

export const NO_SPACE: u32 = 0xffffffff;

/** That of the machine which is replayed now. */
// @ts-ignore: decorator
@inline
export function migration(): Migration {
  return changetype<Migration>(machine);
}
