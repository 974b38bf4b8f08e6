/**
 * Keyed functions: what a redacted recording has instead of its originals is made by these. The
 * hash itself comes from the edge (HMAC-SHA-256), so that nothing here needs a platform.
 */

/** Keyed functions, all of one key. */
export interface Prf {
  /** 64 bits that depend on the key, the label and the text. */
  (label: string, text: string): bigint;
  /** So many words of 32 bits that depend on the key and the label. */
  stream(label: string, words: number): Uint32Array;
}

/** Calls that are remembered; addresses and threads come again and again. */
const REMEMBERED = 65536;

/** A function that remembers its latest results; its memory is bounded. */
export function remembering<T>(compute: (text: string) => T): (text: string) => T {
  let known = new Map<string, T>();
  return (text) => {
    let result = known.get(text);
    if (result === undefined) {
      if (known.size >= REMEMBERED) known = new Map();
      result = compute(text);
      known.set(text, result);
    }
    return result;
  };
}

const ROUNDS = 6;

/**
 * A keyed permutation of [0, 2^(2 * half)): a Feistel network with the PRF as its round function.
 * `half`: 1 to 26 bits, so that a value stays an exact number.
 */
export function feistel(prf: Prf, label: string, half: number): (value: number) => number {
  const size = 2 ** half;
  return (value) => {
    let left = Math.floor(value / size);
    let right = value % size;
    for (let round = 0; round < ROUNDS; round += 1) {
      const mixed = Number(prf(label, `${round} ${right}`) & BigInt(size - 1));
      [left, right] = [right, (left ^ mixed) >>> 0];
    }
    return left * size + right;
  };
}

/** Positions 0 to count - 1 in an order that the key gives. */
export function shuffled(prf: Prf, label: string, count: number): Uint32Array {
  const words = prf.stream(label, 2 * count);
  const keys = Float64Array.from(
    { length: count },
    (_, i) => words[2 * i]! * 2 ** 21 + (words[2 * i + 1]! >>> 11),
  );
  return Uint32Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => keys[a]! - keys[b]! || a - b,
  );
}
