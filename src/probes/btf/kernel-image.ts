/** Where the BTF lies in a kernel as it is booted: a bzImage, or an image without section headers. */

/** Magic, version 1, no flags, a header of 24 to 255 bytes. */
const HEADER = [0x9f, 0xeb, 0x01, 0x00] as const;

/**
 * The compressed kernel in an x86 bzImage (Documentation/arch/x86/boot.rst: setup_sects,
 * payload_offset, payload_length), without the size that the build appends to it. Null when the
 * bytes are no bzImage.
 */
export function bzImagePayload(bytes: Uint8Array): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 0x268 || view.getUint32(0x202, true) !== 0x53726448) return null;
  if (view.getUint16(0x206, true) < 0x208) return null;
  const setup = ((bytes[0x1f1] || 4) + 1) * 512;
  const start = setup + view.getUint32(0x248, true);
  const end = start + view.getUint32(0x24c, true);
  return end <= bytes.length && end - start > 4 ? bytes.subarray(start, end - 4) : null;
}

/**
 * The largest blob in an image that has the header of BTF and whose sections lie in the image;
 * null when there is none.
 */
export function scanForBtf(bytes: Uint8Array): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let best: Uint8Array | null = null;
  for (let at = bytes.indexOf(HEADER[0]); at >= 0; at = bytes.indexOf(HEADER[0], at + 1)) {
    if (at + 24 > bytes.length) break;
    if (HEADER.some((byte, index) => bytes[at + index] !== byte)) continue;
    const header = view.getUint32(at + 4, true);
    if (header < 24 || header > 255) continue;
    const types = view.getUint32(at + 8, true) + view.getUint32(at + 12, true);
    const strings = view.getUint32(at + 16, true) + view.getUint32(at + 20, true);
    const end = at + header + Math.max(types, strings);
    if (end > bytes.length || end - at <= (best?.length ?? 0)) continue;
    best = bytes.subarray(at, end);
  }
  return best;
}
