/**
 * Linear memory: what is taken is zeroed. Pieces up to 64 KiB go back to a free list of their size
 * class; larger ones are never given back. 0 means that memory is exhausted.
 */

// @ts-ignore: a compiler global
let top: usize = (__heap_base + 63) & ~63;

/** Zeroed memory that is kept for good, aligned to 64 bytes. */
export function reserve(bytes: usize): usize {
  let at = top;
  let end = <u64>at + <u64>((bytes + 63) & ~63);
  let have = <u64>memory.size() << 16;
  if (end > have) {
    if (end > 0xffff0000) return 0;
    // By half of what there is, at least 1 MiB: each growth detaches the host's views, and is a reason
    // for JavaScript to collect garbage (measured: a tenth of a replay). What is not used costs nothing.
    let need = max<u64>(end - have, max<u64>(have >> 1, 1 << 20));
    let pages = <i32>((need + 0xffff) >> 16);
    if (memory.grow(pages) < 0) {
      pages = <i32>((end - have + 0xffff) >> 16);
      if (memory.grow(pages) < 0) return 0;
    }
  }
  top = <usize>end;
  return at;
}

const MIN_CLASS: u32 = 4;
const MAX_CLASS: u32 = 16;
/** Heads of the free lists, one for each power of two. */
const free: usize = memory.data(17 * 4);

// @ts-ignore: decorator
@inline
function classOf(bytes: u32): u32 {
  return bytes <= 16 ? MIN_CLASS : 32 - clz<u32>(bytes - 1);
}

/** A piece of at least `bytes`, zeroed. */
export function take(bytes: u32): usize {
  let c = classOf(bytes);
  let at = takeClass(c, bytes);
  if (at && c <= MAX_CLASS) zero(at, 1 << c);
  return at;
}

/** A piece of at least `bytes`, all of which the caller will write. */
export function takeDirty(bytes: u32): usize {
  return takeClass(classOf(bytes), bytes);
}

/** A call of memory.fill costs more than the stores of a small piece (measured). */
// @ts-ignore: decorator
@inline
function zero(at: usize, bytes: u32): void {
  if (bytes > 256) {
    memory.fill(at, 0, bytes);
    return;
  }
  let none = i64x2.splat(0);
  for (let end = at + bytes; at < end; at += 16) v128.store(at, none);
}

function takeClass(c: u32, bytes: u32): usize {
  if (c > MAX_CLASS) return reserve(bytes);
  let head = load<u32>(free + (c << 2));
  if (head) {
    store<u32>(free + (c << 2), load<u32>(head));
    return head;
  }
  if (c >= 12) return reserve(1 << c);
  // Small classes are cut from a slab, so that the 64-byte alignment costs little.
  let slab = reserve(1 << 14);
  if (!slab) return 0;
  let size: usize = 1 << c;
  for (let p = slab + size; p + size <= slab + (1 << 14); p += size) {
    store<u32>(p, load<u32>(free + (c << 2)));
    store<u32>(free + (c << 2), <u32>p);
  }
  return slab;
}

/** Gives a piece of `take(bytes)` back. */
export function give(at: usize, bytes: u32): void {
  let c = classOf(bytes);
  if (!at || c > MAX_CLASS) return;
  store<u32>(at, load<u32>(free + (c << 2)));
  store<u32>(free + (c << 2), <u32>at);
}

/** A larger piece with what the old one held, which is given back; 0 (the old one stays): no memory. */
export function enlarge(old: usize, oldBytes: u32, newBytes: u32): usize {
  let bigger = take(newBytes);
  if (!bigger) return 0;
  if (oldBytes) {
    memory.copy(bigger, old, oldBytes);
    give(old, oldBytes);
  }
  return bigger;
}

/** Bytes of the piece that `take(bytes)` gives. */
export function capacityOf(bytes: u32): u32 {
  let c = classOf(bytes);
  return c > MAX_CLASS ? bytes : 1 << c;
}
