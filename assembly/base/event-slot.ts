/** Arguments of QEMU's events in an event record. */
import { EVENT_SLOT } from "../event-abi";

/** The argument in this slot: MapSlot, SaveSlot and their like. */
// @ts-ignore: decorator
@inline
export function slotOf(event: usize, slot: u32): u64 {
  return load<u64>(event + EVENT_SLOT + (slot << 3));
}
