/** The end of the line that starts at `p`: the newline's address, or `end`. */
// @ts-ignore: decorator
@inline
export function lineEnd(p: usize, end: usize): usize {
  let newline = i8x16.splat(10);
  while (p < end) {
    let hits = i8x16.bitmask(i8x16.eq(v128.load(p), newline));
    if (hits) {
      p += ctz<u32>(hits);
      return p < end ? p : end;
    }
    p += 16;
  }
  return end;
}
