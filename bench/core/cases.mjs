/** What the micro-benchmarks mark: guests, descriptors, policies. */

const GIB = 2 ** 30;
const KIB = 1024;
/** Causes the descriptors are spread over; a row's masks are picked from them. */
const CAUSES = [0, 6, 7, 11];
const WINDOW = CAUSES.reduce((mask, cause) => mask | (1 << cause), 0);

/** Descriptors: shortest, longest, alignment of address and length. */
const KINDS = {
  "one page": [4 * KIB, 4 * KIB, 4 * KIB],
  "64 KiB to 1 MiB": [64 * KIB, 1024 * KIB, 64 * KIB],
  unaligned: [512, 256 * KIB, 1],
};

/** Guests, and the share of the descriptors: flat bitmaps of 16 TiB need a page for every one. */
const GUESTS = { "16 GiB": [16 * GIB, 1], "1 TiB": [1024 * GIB, 1], "16 TiB": [16384 * GIB, 0.1] };

/** { name, policies, bytes, rows }: every kind with 2 policies, unaligned with 1 and 8 as well. */
export function* cases(count) {
  for (const [guestName, [guest, share]] of Object.entries(GUESTS)) {
    for (const [kind, limits] of Object.entries(KINDS)) {
      const bytes = descriptors(Math.round(count * share), guest, ...limits);
      for (const policies of kind === "unaligned" ? [1, 2, 8] : [2]) {
        const name = `${guestName}${share < 1 ? " sparse" : ""}, ${kind}`;
        yield { name, policies, bytes, rows: rowsOf(policies) };
      }
    }
  }
}

/** Policy `i` logs the first causes only, so that all differ a little. */
function rowsOf(policies) {
  return Array.from({ length: policies }, (_, i) => {
    const logged = CAUSES.slice(0, 1 + (i % CAUSES.length));
    return { window: WINDOW, logs: logged.reduce((mask, cause) => mask | (1 << cause), 0) };
  });
}

/** Same descriptors in every run: a fixed linear congruential sequence. */
function descriptors(count, guest, shortest, longest, alignment) {
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const align = (value) => Math.floor(value / alignment) * alignment;
  const bytes = new Uint8Array(count * 16);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 16) {
    const length = align(shortest + random() * (longest - shortest));
    const gpa = align(random() * (guest - longest));
    view.setBigUint64(at, BigInt(gpa), true);
    view.setUint32(at + 8, length, true);
    view.setUint32(at + 12, CAUSES[(at >> 4) % CAUSES.length], true);
  }
  return bytes;
}
