/**
 * KVM's memory slots of each QEMU, from kvm_set_user_memory. A page of the dirty ring is told by its
 * offset in a slot, but not by which: what the event calls `slot` is the ring's fetch index.
 * accel/kvm/kvm-all.c kvm_dirty_ring_reap_one(), kvm_set_user_memory_region().
 */

/**
 * {u32 space, u32 address space and slot, u32 first frame, u32 frames}. Every event that sets a slot or
 * tells an offset is compared with all of them; KVM had 509 for long, and guests have some tens.
 */
const MAX_SLOTS: u32 = 1024;
const SLOT: u32 = 16;
const slots: usize = memory.data(1024 * 16);
let count: u32 = 0;
/** There were more: no page is certain. */
let incomplete: bool = false;

/** A slot of a QEMU has these guest frames now; none: it is gone. */
export function setSlot(space: u32, slot: u32, gfn: u32, frames: u32): void {
  let i: u32 = 0;
  for (; i < count; ++i) {
    let at = slots + i * SLOT;
    if (load<u32>(at) == space && load<u32>(at + 4) == slot) break;
  }
  let at = slots + i * SLOT;
  if (!frames) {
    if (i < count) memory.copy(at, slots + --count * SLOT, SLOT);
    return;
  }
  if (i == MAX_SLOTS) {
    incomplete = true;
    return;
  }
  if (i == count) ++count;
  store<u32>(at, space);
  store<u32>(at + 4, slot);
  store<u32>(at + 8, gfn);
  store<u32>(at + 12, frames);
}

export const NO_PAGE: u32 = 0xffffffff;
/** Where the last look ended; the pages that were found in it. */
let next: u32 = 0;
let found: u32 = NO_PAGE;
let several: bool = false;

/** The pages that `offset` in a slot may be, one after the other: firstPage(), then nextPage(). */
export function firstPage(space: u32, offset: u64): u32 {
  next = 0;
  found = NO_PAGE;
  several = incomplete;
  let page = nextPage(space, offset);
  found = page;
  for (let i = next; i < count && !several; ++i) {
    let other = pageIn(i, space, offset);
    several = other != NO_PAGE && other != page;
  }
  return page;
}

export function nextPage(space: u32, offset: u64): u32 {
  while (next < count) {
    let page = pageIn(next++, space, offset);
    if (page != NO_PAGE) return page;
  }
  return NO_PAGE;
}

/** Whether the page can be but one. */
export function onePage(): bool {
  return !several && found != NO_PAGE;
}

// @ts-ignore: decorator
@inline
function pageIn(i: u32, space: u32, offset: u64): u32 {
  let at = slots + i * SLOT;
  if (load<u32>(at) != space || offset >= load<u32>(at + 12)) return NO_PAGE;
  return load<u32>(at + 8) + <u32>offset;
}
