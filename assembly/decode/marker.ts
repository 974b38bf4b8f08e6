/**
 * QEMU's `ftrace` trace backend: its events are lines written to trace_marker, so they stand among
 * the kernel's with the kernel's clock and the thread's number. trace/ftrace.c, backend/ftrace.py.
 */
import { EventKind } from "../event-abi";
import { SPACE } from "./number";
import { EventPlan, findName, Plan } from "./plan";
import { readTextArguments } from "./qemu-arguments";
import { Stream } from "./stream";

/** A marker that names an event of QEMU and whose arguments fit no pattern. */
export const MARKER_REFUSED: u32 = 0xffffffff;

/**
 * The kind of the marker's text [p, end): that of QEMU's event, whose arguments go into the record;
 * Other for one that the replay does not need; Marker for everything else.
 */
export function readMarker(s: Stream, record: usize, p: usize, end: usize): u32 {
  if (!s.markers) return EventKind.Marker;
  let stop = p;
  while (stop < end && load<u8>(stop) != SPACE) ++stop;
  let length = <u32>(stop - p);
  let at = length ? findName(changetype<Plan>(s.markers), p, length) : 0;
  if (!at) return EventKind.Marker;
  let event = changetype<EventPlan>(at);
  if (event.kind != EventKind.Other) {
    if (stop < end) ++stop;
    if (!readTextArguments(event, stop, end, record)) return MARKER_REFUSED;
  }
  event.count++;
  return event.kind;
}
