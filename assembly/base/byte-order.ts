/** Numbers of a recording in its own byte order; `swap` where that is not ours. */

// @ts-ignore: decorator
@inline
export function u32At(p: usize, swap: bool): u32 {
  let v = load<u32>(p);
  return swap ? bswap<u32>(v) : v;
}

// @ts-ignore: decorator
@inline
export function u64At(p: usize, swap: bool): u64 {
  let v = load<u64>(p);
  return swap ? bswap<u64>(v) : v;
}
