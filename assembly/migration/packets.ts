/**
 * Packets of multifd. Its channels send the pages of a migration, and none of them is named; so no
 * page is certainly sent, nor certainly missing. What is recorded of a packet is kept for the host,
 * which knows in which order the pages of the first pass went out (src/replay/migration/multifd.ts).
 * QEMU migration/multifd.c multifd_send_thread(), multifd-nocomp.c multifd_ram_fill_packet().
 */
import {
  EVENT_KIND,
  EVENT_TS,
  EventKind,
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
} from "../abi";
import { slotOf } from "../base/event-slot";
import { enlarge } from "../base/memory";

/** Data of this migration goes where no event names its pages. */
export let unseenData: bool = false;
/** Some packet is not kept, or its pages are not known: they cannot be counted through. */
export let packetsBroken: bool = false;
export let packets: usize = 0;
export let packetCount: u32 = 0;
let packetCap: u32 = 0;

/** By channel (uint8_t): pages with data and of zeros of its next packet, and whether they were told. */
const CHANNELS: u32 = 256;
const next: usize = memory.data(256 * 12);

/** A new migration: no packet was sent. */
export function clearPackets(): void {
  unseenData = false;
  packetsBroken = false;
  packetCount = 0;
  memory.fill(next, 0, CHANNELS * 12);
}

/** Takes an event of multifd: QPacketPages to QPacketRecv. */
export function onPacket(event: usize): void {
  unseenData = true;
  let kind = <u32>load<u8>(event + EVENT_KIND);
  if (kind == EventKind.QPacketPages) {
    let at = next + (<u32>slotOf(event, PacketPagesSlot.id) & (CHANNELS - 1)) * 12;
    store<u32>(at, <u32>slotOf(event, PacketPagesSlot.normal));
    store<u32>(at, <u32>slotOf(event, PacketPagesSlot.zero), 4);
    store<u32>(at, 1, 8);
  } else if (kind == EventKind.QPacketFill) {
    let channel = <u32>slotOf(event, PacketFillSlot.id) & (CHANNELS - 1);
    let flags = <u32>slotOf(event, PacketFillSlot.flags) & ~PACKET_ORDERED;
    let at = next + channel * 12;
    let told = load<u32>(at, 8) != 0;
    if (!told && !(flags & PACKET_SYNC)) packetsBroken = true;
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
  if (packetCount == packetCap) {
    let cap = packetCap ? packetCap << 1 : 1024;
    let bigger =
      cap > <u32>MAX_PACKETS
        ? <usize>0
        : enlarge(packets, packetCap * PACKET_SIZE, cap * PACKET_SIZE);
    if (!bigger) {
      packetsBroken = true;
      return;
    }
    packets = bigger;
    packetCap = cap;
  }
  let at = packets + packetCount++ * PACKET_SIZE;
  store<u64>(at + PACKET_TS, load<u64>(event + EVENT_TS));
  store<u64>(at + PACKET_NUMBER, number);
  store<u32>(at + PACKET_CHANNEL, channel);
  store<u32>(at + PACKET_NORMAL, normal);
  store<u32>(at + PACKET_ZERO, zero);
  store<u32>(at + PACKET_FLAGS, flags);
}
