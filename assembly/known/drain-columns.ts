/** Fields of drained rows (drain.ts) as columns of bytes: what a history keeps. */
import { DrainField } from "../drain-abi";

let columnLast: i64 = 0;

/** The last number of the last column that was encoded. */
export function encodedLast(): f64 {
  return <f64>columnLast;
}

/** Numbers beyond it are taken for it: nothing that is true is so far from the first event. */
const FAR: i64 = 1 << 52;

/**
 * One field of `count` rows from `at` on, as zigzag varints of differences, at `into`: what
 * src/history/varint.ts makes of the same numbers, several times as fast (measured). `origin`: what
 * times are counted from. Returns the number of bytes, at most 8 for each.
 */
export function encodeColumn(
  at: usize,
  stride: u32,
  count: u32,
  field: u32,
  delta: bool,
  last: f64,
  origin: u64,
  into: usize,
): u32 {
  let before = <i64>last;
  let out = into;
  for (let i: u32 = 0; i < count; ++i, at += stride) {
    let value: i64 = 0;
    switch (field) {
      case DrainField.U32:
        value = <i64>load<u32>(at);
        break;
      case DrainField.I32:
        value = <i64>load<i32>(at);
        break;
      case DrainField.U16:
        value = <i64>load<u16>(at);
        break;
      case DrainField.Stream:
        value = <i64>load<u16>(at);
        if (value == 0xffff) value = -1;
        break;
      case DrainField.Time: {
        let ts = load<u64>(at);
        value = ts ? <i64>(ts - origin) : 0;
        break;
      }
      default:
        value = <i64>load<u64>(at);
    }
    if (value > FAR) value = FAR;
    else if (value < -FAR) value = -FAR;
    let difference = value;
    if (delta) difference -= before;
    before = value;
    let rest = <u64>((difference << 1) ^ (difference >> 63));
    while (rest >= 128) {
      store<u8>(out++, <u8>(rest | 128));
      rest >>= 7;
    }
    store<u8>(out++, <u8>rest);
  }
  columnLast = before;
  return <u32>(out - into);
}
