/** One event of a ring buffer to a record: its time, its fields by the plan, the text of a marker. */
import { EventKind } from "../event-abi";
import { u32At, u64At } from "../base/byte-order";
import { readMarker } from "./marker";
import { EventPlan, FieldPlan, Plan } from "./plan";
import { Stream } from "./stream";
import { keepText } from "./text";

// @ts-ignore: decorator
@inline
export function sizedAt(p: usize, size: u32, signed: u32, be: bool): u64 {
  if (size == 8) return u64At(p, be);
  if (size == 4) {
    let v = u32At(p, be);
    return signed ? <u64>(<i64>(<i32>v)) : <u64>v;
  }
  if (size == 1) return signed ? <u64>(<i64>load<i8>(p)) : <u64>load<u8>(p);
  let v = load<u16>(p);
  if (be) v = bswap<u16>(v);
  return signed ? <u64>(<i64>(<i16>v)) : <u64>v;
}

/** The stream's time of a raw ring-buffer time: conversion of x86-tsc, then the offset. */
// @ts-ignore: decorator
@inline
export function toNs(s: Stream, raw: u64): u64 {
  if (s.mult) {
    // 64 x 32 bits, in two halves: the product does not fit 64 bits.
    let high = (raw >> 32) * s.mult;
    let low = (raw & 0xffffffff) * s.mult;
    raw = s.shift >= 32
      ? (high + (low >> 32)) >> (s.shift - 32)
      : (high << (32 - s.shift)) + (low >> s.shift);
  }
  return raw + <u64>s.offset;
}

/** The text of a marker: one of QEMU's events, or kept as it is. Returns the kind of the record. */
export function readRingMarker(
  s: Stream,
  event: EventPlan,
  payload: usize,
  length: u32,
  record: usize,
): u32 {
  let text = payload + event.textOffset;
  let max = length - event.textOffset;
  let n: u32 = 0;
  while (n < max && load<u8>(text + n) != 0) ++n;
  if (n && load<u8>(text + n - 1) == 10) --n;
  let kind = readMarker(s, record, text, text + n);
  // Without memory for its text the marker counts and says nothing.
  return kind != EventKind.Marker || keepText(record, text, n) ? kind : <u32>EventKind.Other;
}

/** Copies the fields that the plan names into the record. */
// @ts-ignore: decorator
@inline
export function decodeEvent(plan: Plan, event: EventPlan, payload: usize, record: usize): void {
  let be = plan.bigEndian != 0;
  let fields = event.fields;
  for (let i: u32 = 0, n = event.fieldCount; i < n; ++i) {
    let field = changetype<FieldPlan>(fields + i * offsetof<FieldPlan>());
    let value = sizedAt(payload + field.source, field.sourceSize, field.signed, be);
    let at = record + field.target;
    let size = field.targetSize;
    if (size == 8) store<u64>(at, value);
    else if (size == 4) store<u32>(at, <u32>value);
    else if (size == 2) store<u16>(at, <u16>value);
    else store<u8>(at, <u8>value);
  }
}
