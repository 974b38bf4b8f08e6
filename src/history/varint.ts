/**
 * Columns of whole numbers as bytes: zigzag varints, of the numbers or of their differences. Exact for
 * numbers, and differences of neighbours, of at most 2^52 on either side of 0.
 */

const FIRST = 1 << 12;
/** Bytes that one number takes at most. */
const LONGEST = 8;

function putNumber(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest > 0x7fffffff) {
    const high = Math.floor(rest / 128);
    bytes[at++] = 128 | (rest - high * 128);
    rest = high;
  }
  while (rest >= 128) {
    bytes[at++] = 128 | (rest & 127);
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** A column that grows. */
export class ColumnWriter {
  readonly delta: boolean;
  #bytes = new Uint8Array(FIRST);
  #at = 0;
  /** The last number, which the next one's difference is from. */
  last = 0;
  /** Numbers in it. */
  count = 0;

  constructor(delta: boolean) {
    this.delta = delta;
  }

  /** Appends a number. */
  put(value: number): void {
    this.#room(LONGEST);
    const difference = this.delta ? value - this.last : value;
    this.last = value;
    this.count++;
    this.#at = putNumber(this.#bytes, this.#at, difference);
  }

  /** Appends `count` numbers that are encoded already, from `this.last` on, up to `last`. */
  append(encoded: Uint8Array, count: number, last: number): void {
    this.#room(encoded.length);
    this.#bytes.set(encoded, this.#at);
    this.#at += encoded.length;
    this.count += count;
    this.last = last;
  }

  #room(bytes: number): void {
    while (this.#at + bytes > this.#bytes.length) this.#grow();
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  /** What it has so far. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

/** A column of a history: where its numbers go, and what holds them. */
export type Numbers = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/**
 * Reads `into.length` numbers; false when the bytes are fewer or more, or a number takes more than
 * 8 bytes.
 */
export function readColumn(bytes: Uint8Array, delta: boolean, into: Numbers): boolean {
  let at = 0;
  let last = 0;
  const end = bytes.length;
  for (let i = 0; i < into.length; i++) {
    if (at >= end) return false;
    let byte = bytes[at++]!;
    let value = byte & 127;
    if (byte >= 128) {
      let factor = 128;
      let length = 1;
      do {
        if (at >= end || length === LONGEST) return false;
        byte = bytes[at++]!;
        value += (byte & 127) * factor;
        factor *= 128;
        length++;
      } while (byte >= 128);
    }
    const half = Math.floor(value / 2);
    value = value % 2 === 0 ? half : -half - 1;
    if (delta) {
      last += value;
      into[i] = last;
    } else into[i] = value;
  }
  return at === end;
}
