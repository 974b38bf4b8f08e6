/** Addresses as people have them: of the guest, of a QEMU's process, in a RAM block. */
import { guestAddress, type QemuAddress } from "../../answers/page-travel.ts";
import type { GpaRange } from "../../model/pages.ts";
import type { Recording } from "../../replay/replay.ts";
import { parseGpaRange } from "./gpa-range.ts";

/** An address of QEMU's own, `hva:0x7f0a35a00000` or `pc.ram+0x400000`; null for one of the guest. */
export function qemuAddress(text: string): QemuAddress | null {
  const host = /^hva:(0x[0-9a-f]{1,16})$/i.exec(text);
  if (host) return { hva: BigInt(host[1]!) };
  const block = /^([A-Za-z/][^+]{0,255}|\d{4}:[^+]{1,250})\+(0x[0-9a-f]{1,13}|\d{1,15})$/i.exec(
    text,
  );
  if (!block || block[1]!.startsWith("gfn:")) return null;
  return { block: block[1]!, offset: Number(block[2]) };
}

/** The bytes that any form of an address means. Throws UsageError. */
export async function rangeOf(
  text: string,
  recording: Recording,
  signal?: AbortSignal,
): Promise<GpaRange> {
  const address = qemuAddress(text);
  if (address === null) return parseGpaRange(text);
  return { gpa: await guestAddress(recording, address, signal), len: 1 };
}
