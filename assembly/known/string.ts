/**
 * Strings of QEMU's events (RAM block names, states), each kept once: an event holds its number.
 * Number 0 is no string; the last one stands for all that found no room.
 */
import { take } from "../base/memory";

const MAX_STRINGS: u32 = 4096;
const MAX_LENGTH: u32 = 256;
const table: usize = memory.data(4097 * 4);
/** Open addressing over the numbers: twice as many slots as strings. */
const slots: usize = memory.data(8192 * 2);
export let strings: u32 = 0;

/** The last short string and its number: page sends name the same RAM block over and over. */
let lastText: u64 = 0;
let lastLength: u32 = 0;
let lastNumber: u32 = 0;

/** The number of a string; longer ones are cut to 256 bytes. MAX_STRINGS: no room for a new one. */
export function intern(p: usize, length: u32): u32 {
  if (length > MAX_LENGTH) length = MAX_LENGTH;
  let short = length - 1 < 8;
  let text = short ? load<u64>(p) & (~(<u64>0) >> (64 - (length << 3))) : 0;
  if (short && text == lastText && length == lastLength) return lastNumber;
  let number = find(p, length);
  if (short && number < MAX_STRINGS) {
    lastText = text;
    lastLength = length;
    lastNumber = number;
  }
  return number;
}

function find(p: usize, length: u32): u32 {
  // FNV-1a, 32 bits.
  let hash: u32 = 0x811c9dc5;
  for (let i: u32 = 0; i < length; ++i) hash = (hash ^ load<u8>(p + i)) * 0x01000193;
  let slot = hash & 8191;
  while (true) {
    let number = <u32>load<u16>(slots + (slot << 1));
    if (!number) break;
    let copy = <usize>load<u32>(table + (number << 2));
    if (load<u32>(copy) == length && memory.compare(copy + 4, p, length) == 0) return number;
    slot = (slot + 1) & 8191;
  }
  if (strings + 1 >= MAX_STRINGS) return MAX_STRINGS;
  let copy = take(length + 4);
  if (!copy) return MAX_STRINGS;
  store<u32>(copy, length);
  memory.copy(copy + 4, p, length);
  store<u32>(table + (++strings << 2), <u32>copy);
  store<u16>(slots + (slot << 1), <u16>strings);
  return strings;
}

/** Where a string is kept: its length as u32, then its bytes; 0 when there is none. */
export function stringPtr(number: u32): usize {
  return number > strings ? 0 : <usize>load<u32>(table + (number << 2));
}
