/** Bytes compared 16 at a time: text that was met before, names, literals of formats. */

/** 16 bytes of ones, 16 of zeros: from byte 16 - n on, a mask of the first `n`. */
const FIRST: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** A mask of the first `n` bytes of a vector, up to 16. */
// @ts-ignore: decorator
@inline
export function firstBytes(n: u32): v128 {
  return v128.load(FIRST + 16 - n);
}

// @ts-ignore: decorator
@inline
export function equal(a: v128, b: v128): bool {
  return !v128.any_true(v128.xor(a, b));
}

/** Whether the bytes that `mask` has are the same. */
// @ts-ignore: decorator
@inline
export function equalUnder(mask: v128, a: v128, b: v128): bool {
  return !v128.any_true(v128.and(v128.xor(a, b), mask));
}

/** Whether two texts of `n` bytes, at least 8, are the same; no byte behind them is read. */
// @ts-ignore: decorator
@inline
export function sameText(a: usize, b: usize, n: u32): bool {
  // The last word or vector overlaps the one before it.
  if (n < 16) {
    return load<u64>(a) == load<u64>(b) && load<u64>(a + n - 8) == load<u64>(b + n - 8);
  }
  let last = n - 16;
  for (let i: u32 = 0; i < last; i += 16) {
    if (!equal(v128.load(a + i), v128.load(b + i))) return false;
  }
  return equal(v128.load(a + last), v128.load(b + last));
}
