/**
 * Packets of multifd. Its channels send the pages of a migration, and none of them is named; so no
 * page is certainly sent, nor certainly missing. What is recorded of a packet is kept for the host,
 * which knows in which order the pages of the first pass went out (src/replay/migration/multifd.ts).
 * QEMU migration/multifd.c multifd_send_thread(), multifd-nocomp.c multifd_ram_fill_packet().
 */
import { BLOCK_BYTES } from "../abi";
import { EVENT_KIND, EVENT_TS, EventKind } from "../event-abi";
import {
  MAX_PACKETS,
  PACKET_CHANNEL,
  PACKET_FLAGS,
  PACKET_NORMAL,
  PACKET_NUMBER,
  PACKET_ORDERED,
  PACKET_SIZE,
  PACKET_SYNC,
  PACKET_TS,
  PACKET_ZERO,
  PacketFillSlot,
  PacketPagesSlot,
  PacketSendSlot,
} from "../qemu-abi";
import { slotOf } from "../base/event-slot";
import { enlarge, take } from "../base/memory";
import { streamAt } from "../decode/stream";
import { atStream } from "../known/moment";
import { activeRows } from "../pages/rows";
import { afterSlack } from "./flight";
import { bitOfPage, heal, Healer, keptAt, Line, lineOf, makePossible, writeTimes, wordOf } from "./migration-page";
import { takeRound } from "./migration-round";
import { migration } from "./migration-state";

/** By channel (uint8_t): pages with data and of zeros of its next packet, and whether they were told. */
const CHANNELS: u32 = 256;
const NEXT: u32 = 12;

/** A new migration: no packet was sent. */
export function clearPackets(): void {
  let m = migration();
  m.unseenData = false;
  m.packetsBroken = false;
  m.packetCount = 0;
  m.zeroArrivalCount = 0;
  if (m.nextPackets) memory.fill(m.nextPackets, 0, CHANNELS * NEXT);
}

/** The next packet of a channel; 0: out of memory. */
function nextOf(channel: u32): usize {
  let m = migration();
  if (!m.nextPackets) m.nextPackets = take(CHANNELS * NEXT);
  return m.nextPackets ? m.nextPackets + channel * NEXT : 0;
}

/** Takes an event of multifd: QPacketPages to QPacketRecv. */
export function onPacket(event: usize): void {
  let m = migration();
  if (!m.underWay || m.endTs) return;
  // From here on the time of each write counts.
  takeRound();
  m.unseenData = true;
  m.source = streamAt(atStream).space;
  let kind = <u32>load<u8>(event + EVENT_KIND);
  if (kind == EventKind.QPacketPages) {
    let at = nextOf(<u32>slotOf(event, PacketPagesSlot.id) & (CHANNELS - 1));
    if (!at) return;
    store<u32>(at, <u32>slotOf(event, PacketPagesSlot.normal));
    store<u32>(at, <u32>slotOf(event, PacketPagesSlot.zero), 4);
    store<u32>(at, 1, 8);
  } else if (kind == EventKind.QPacketFill) {
    let channel = <u32>slotOf(event, PacketFillSlot.id) & (CHANNELS - 1);
    let flags = <u32>slotOf(event, PacketFillSlot.flags) & ~PACKET_ORDERED;
    let at = nextOf(channel);
    if (!at) return;
    let told = load<u32>(at, 8) != 0;
    if (!told && !(flags & PACKET_SYNC)) m.packetsBroken = true;
    let number = slotOf(event, PacketFillSlot.packet_num);
    keep(event, number, channel, told ? load<u32>(at) : 0, told ? load<u32>(at, 4) : 0, flags);
    store<u32>(at, 0, 8);
  } else if (kind == EventKind.QPacketSend) {
    let channel = <u32>slotOf(event, PacketSendSlot.id) & (CHANNELS - 1);
    let flags = <u32>slotOf(event, PacketSendSlot.flags) | PACKET_ORDERED;
    let pages = <u32>slotOf(event, PacketSendSlot.normal);
    keep(event, slotOf(event, PacketSendSlot.packet_num), channel, pages, 0, flags);
  }
}

function keep(event: usize, number: u64, channel: u32, normal: u32, zero: u32, flags: u32): void {
  let m = migration();
  if (m.packetCount == m.packetCap) {
    let cap = m.packetCap ? m.packetCap << 1 : 1024;
    let bigger =
      cap > <u32>MAX_PACKETS
        ? <usize>0
        : enlarge(m.packets, m.packetCap * PACKET_SIZE, cap * PACKET_SIZE);
    if (!bigger) {
      m.packetsBroken = true;
      return;
    }
    m.packets = bigger;
    m.packetCap = cap;
  }
  let at = m.packets + m.packetCount++ * PACKET_SIZE;
  store<u64>(at + PACKET_TS, load<u64>(event + EVENT_TS));
  store<u64>(at + PACKET_NUMBER, number);
  store<u32>(at + PACKET_CHANNEL, channel);
  store<u32>(at + PACKET_NORMAL, normal);
  store<u32>(at + PACKET_ZERO, zero);
  store<u32>(at + PACKET_FLAGS, flags);
}

/** A run of pages that arrived as zeros: {u32 name of the RAM block, u32 first page of it, u32 pages}. */
const ARRIVAL: u32 = 12;
const MAX_ARRIVALS: u32 = 1 << 20;

/**
 * A page arrives as zeros (`legacy` detection of zeros sends those by themselves). True: in the first
 * pass, in which the pages of a block come in ascending order.
 */
export function noteZeroArrival(name: u32, page: u32): bool {
  let m = migration();
  let last: usize = 0;
  if (m.zeroArrivalCount) {
    last = m.zeroArrivals + (m.zeroArrivalCount - 1) * ARRIVAL;
    let end = load<u32>(last, 4) + load<u32>(last, 8);
    let same = load<u32>(last) == name;
    if (same && page < end) return false;
    if (same && page == end) {
      store<u32>(last, load<u32>(last, 8) + 1, 8);
      return true;
    }
    if (!same && arrivedBefore(name)) return false;
  }
  if (m.zeroArrivalCount == m.zeroArrivalCap) {
    let cap = m.zeroArrivalCap ? m.zeroArrivalCap << 1 : 1024;
    let bigger =
      cap > MAX_ARRIVALS
        ? <usize>0
        : enlarge(m.zeroArrivals, m.zeroArrivalCap * ARRIVAL, cap * ARRIVAL);
    if (!bigger) {
      m.packetsBroken = true;
      return true;
    }
    m.zeroArrivals = bigger;
    m.zeroArrivalCap = cap;
  }
  let at = m.zeroArrivals + m.zeroArrivalCount++ * ARRIVAL;
  store<u32>(at, name);
  store<u32>(at, page, 4);
  store<u32>(at, 1, 8);
  return true;
}

/** Whether the first pass went on from this block to another. Blocks are few, and looked at when they change. */
function arrivedBefore(name: u32): bool {
  let m = migration();
  for (let at = m.zeroArrivals, end = at + m.zeroArrivalCount * ARRIVAL; at < end; at += ARRIVAL) {
    if (load<u32>(at) == name) return true;
  }
  return false;
}

/**
 * The first pass read the pages [page, page+count) between `from` and `until`: what was written last
 * before is covered, after is likely missing, in between possibly. A page that was written again after
 * the first pass stays as it is. Times on the clock of the sends; `from` 0: not known.
 */
export function judgeFirstPass(page: u32, count: u32, from: u64, until: u64): void {
  let m = migration();
  let firstPassEnd = m.firstPassEnd ? m.firstPassEnd : ~(<u64>0);
  // A bound that only says how late a page may have been sent is no better than the next sync.
  if (!from) until = min<u64>(until, firstPassEnd);
  for (; count; --count, ++page) {
    let kept = keptAt(page >> 9);
    if (!kept) continue;
    let bit = bitOfPage(page);
    for (let row: u32 = 0; row < activeRows(); ++row) {
      let line = lineOf(kept, row, Line.All) + wordOf(page);
      if (!(load<u64>(line) & bit)) continue;
      let times = writeTimes(kept, row, false);
      let us = times ? load<u32>(times + ((page & 511) << 2)) : 0;
      // Before the first packet nothing was sent. A time that does not fit decides nothing.
      if (us == 0xffffffff) continue;
      let written = us ? m.startTs + <u64>(us - 1) * 1000 : 0;
      if (afterSlack(written) + 1000 < from) heal(line, bit, Healer.FirstSend);
      else if (written > afterSlack(until)) {
        if (written >= firstPassEnd) continue;
        let likely = line + Line.Likely * BLOCK_BYTES;
        store<u64>(likely, load<u64>(likely) | bit);
      } else makePossible(line, bit);
    }
  }
}
