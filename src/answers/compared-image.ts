/** The part of a predicted log that an observed image can show. */
import type { SyncView } from "../model/told.ts";

/**
 * The log of policy `index` in this round, at least `observed` bytes long and long enough for every
 * bit that lies inside the log. Bits behind the log that QEMU allocates for the memory map fall into
 * other memory of the VMM, so no image has them; the limit `beyond-log` tells of them. Where the
 * memory map is not known nothing is left out.
 */
export function comparedImage(view: SyncView, index: number, observed: number): Uint8Array {
  const needed = Math.floor(view.highestPage(index) / 8) + 1;
  const end = view.qemuLogBytes > 0 ? Math.min(needed, view.qemuLogBytes) : needed;
  return view.image(index, Math.ceil(Math.max(observed, end) / 8) * 8).image;
}
