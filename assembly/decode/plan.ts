/**
 * Decode plans. The host understands a recording's formats once and describes every event that
 * the replay needs: its name (text) or id (ring buffer), and where each field goes in the record.
 */
import { EventKind } from "../event-abi";
import { reserve, take } from "../base/memory";
import { sameText } from "../base/vector";

/** One kind of line or record. */
@unmanaged
export class EventPlan {
  name: usize;
  nameLength: u32;
  first8: u64;
  kind: u32;
  fieldCount: u32;
  fields: usize;
  /** Bits of the fields that must be there. */
  required: u32;
  /** Ring buffer: bytes that a record must have for all fields. */
  bytes: u32;
  /**
   * Ring buffer: the fields as moves, u32 source and target each, the 8-byte ones first, then those
   * of 4, 2 and 1 bytes, for which the record has as many; `copies` says how many of each. Little
   * endian only; 0: by field.
   */
  moves: usize;
  moves8: u32;
  moves4: u32;
  moves2: u32;
  moves1: u32;
  /** Ring buffer: offset of the text of a marker. */
  textOffset: u32;
  count: u64;
  next: usize;
  id: u32;
  /** Arguments of a QEMU event: qemu-arguments.ts. */
  patterns: usize;
  /** Text: the tokens of such a line, learnt from the last one that the tolerant reader read. */
  steps: usize;
  stepCount: u32;
  /** Text: signatures of lines that are another's event of the same name, and how many there were. */
  shapes: usize;
  shapeCount: u32;
  foreign: u64;
  /** Text: 1 when the function alone tells what it is, so that every line is asked for it. */
  byFunction: u32;
  /** The same: signature of the lines that are of this event. */
  own: u64;
}

/** One field of an event. */
@unmanaged
export class FieldPlan {
  /** Text: `name=` in the low bytes, and a mask of as many bytes. */
  key: u64;
  mask: u64;
  length: u32;
  /** Ring buffer: where the value is, its size, and whether it is signed. */
  source: u32;
  sourceSize: u32;
  signed: u32;
  /** Offset and size in the record. */
  target: u32;
  targetSize: u32;
}

@unmanaged
export class Plan {
  /** Text: hash table of names. Ring buffer: u32 for each of the 65536 ids. */
  table: usize;
  /** Text: names met, see fast-line.ts. */
  names: usize;
  first: usize;
  last: usize;
  events: u32;
  bigEndian: u32;
  /** Ring buffer: the page header and the common fields of a record. */
  tsOffset: u32;
  commitOffset: u32;
  commitSize: u32;
  dataOffset: u32;
  pidOffset: u32;
  typeOffset: u32;
  /** Ring buffer: records whose id has no format. */
  unknownIds: u64;
}

const SLOTS: u32 = 4096;
/** Entries of 32 bytes of `Plan.names`. */
const NAME_CACHE: u32 = 256;

/** A plan for text (a table of names) or for a ring buffer (a table of ids); 0: out of memory. */
export function newPlan(ring: bool): usize {
  let at = reserve(offsetof<Plan>());
  if (!at) return 0;
  let plan = changetype<Plan>(at);
  plan.table = reserve(ring ? 65536 * 4 : SLOTS * 4);
  plan.names = ring ? 0 : reserve(NAME_CACHE * 32);
  return plan.table && (ring || plan.names) ? at : 0;
}

/** Describes the pages of a ring buffer: header_page and the common fields. */
export function setPageLayout(
  at: usize,
  bigEndian: u32,
  tsOffset: u32,
  commitOffset: u32,
  commitSize: u32,
  dataOffset: u32,
  typeOffset: u32,
  pidOffset: u32,
): void {
  let plan = changetype<Plan>(at);
  plan.bigEndian = bigEndian;
  plan.tsOffset = tsOffset;
  plan.commitOffset = commitOffset;
  plan.commitSize = commitSize;
  plan.dataOffset = dataOffset;
  plan.typeOffset = typeOffset;
  plan.pidOffset = pidOffset;
}

// @ts-ignore: decorator
@inline
function hash(first8: u64, length: u32): u32 {
  let h = (first8 ^ (<u64>length << 56)) * 0x9e3779b97f4a7c15;
  return <u32>(h >> 52);
}

// @ts-ignore: decorator
@inline
export function first8Of(name: usize, length: u32): u64 {
  let raw = load<u64>(name);
  return length >= 8 ? raw : raw & ~(~(<u64>0) << (length << 3));
}

/** The plan of an event's name, 0 when the host has not described it. */
// @ts-ignore: decorator
@inline
export function findName(plan: Plan, name: usize, length: u32): usize {
  let first8 = first8Of(name, length);
  let slot = hash(first8, length);
  while (true) {
    let at = <usize>load<u32>(plan.table + (slot << 2));
    if (!at) return 0;
    let event = changetype<EventPlan>(at);
    if (
      event.nameLength == length &&
      event.first8 == first8 &&
      (length <= 8 || sameText(event.name, name, length))
    ) {
      return at;
    }
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/**
 * Adds an event under a name (text) or an id (ring buffer, `name` 0). `fields` is where the host
 * wrote `fieldCount` FieldPlans' numbers, see `addField`. Returns the EventPlan, 0: no memory.
 */
export function addEvent(
  planAt: usize,
  name: usize,
  length: u32,
  id: u32,
  kind: u32,
  fieldCount: u32,
): usize {
  let plan = changetype<Plan>(planAt);
  let at = take(<u32>offsetof<EventPlan>());
  if (!at) return 0;
  let event = changetype<EventPlan>(at);
  event.kind = kind;
  event.id = id;
  event.fieldCount = fieldCount;
  if (fieldCount) {
    event.fields = take(fieldCount * <u32>offsetof<FieldPlan>());
    if (!event.fields) return 0;
  }
  if (name) {
    event.name = take(length + 8);
    if (!event.name) return 0;
    memory.copy(event.name, name, length);
    event.nameLength = length;
    event.first8 = first8Of(event.name, length);
    let slot = hash(event.first8, length);
    while (load<u32>(plan.table + (slot << 2))) slot = (slot + 1) & (SLOTS - 1);
    store<u32>(plan.table + (slot << 2), <u32>at);
  } else {
    store<u32>(plan.table + (id << 2), <u32>at);
  }
  if (plan.last) changetype<EventPlan>(plan.last).next = at;
  else plan.first = at;
  plan.last = at;
  plan.events++;
  return at;
}

/** Text: field number `i`: `key` holds `name=` (at most 8 bytes). */
export function setTextField(
  at: usize,
  i: u32,
  key: u64,
  length: u32,
  target: u32,
  targetSize: u32,
  required: bool,
): void {
  let event = changetype<EventPlan>(at);
  let field = changetype<FieldPlan>(event.fields + i * offsetof<FieldPlan>());
  field.key = key;
  field.mask = length >= 8 ? ~(<u64>0) : ~(~(<u64>0) << (length << 3));
  field.length = length;
  field.target = target;
  field.targetSize = targetSize;
  if (required) event.required |= 1 << i;
}

/** Ring buffer: field number `i`. */
export function setRingField(
  at: usize,
  i: u32,
  source: u32,
  sourceSize: u32,
  signed: u32,
  target: u32,
  targetSize: u32,
): void {
  let event = changetype<EventPlan>(at);
  let field = changetype<FieldPlan>(event.fields + i * offsetof<FieldPlan>());
  field.source = source;
  field.sourceSize = sourceSize;
  field.signed = signed;
  field.target = target;
  field.targetSize = targetSize;
  event.bytes = max<u32>(event.bytes, source + sourceSize);
}

/**
 * Ring buffer: turns the fields into moves, sorted by size, so that decoding a record asks nothing of
 * a field (measured: half the time). Not for fields that change their size, and not big endian.
 */
export function planMoves(planAt: usize, at: usize): void {
  let event = changetype<EventPlan>(at);
  event.moves = 0;
  if (changetype<Plan>(planAt).bigEndian) return;
  let moves = take(max<u32>(event.fieldCount, 1) << 3);
  if (!moves) return;
  let next = moves;
  for (let size: u32 = 8; size; size >>= 1) {
    let count: u32 = 0;
    for (let i: u32 = 0; i < event.fieldCount; ++i) {
      let field = changetype<FieldPlan>(event.fields + i * offsetof<FieldPlan>());
      // A smaller target takes the low bytes.
      if (field.targetSize > field.sourceSize) return;
      if (field.targetSize != size) continue;
      store<u32>(next, field.source);
      store<u32>(next + 4, field.target);
      next += 8;
      ++count;
    }
    if (size == 8) event.moves8 = count;
    else if (size == 4) event.moves4 = count;
    else if (size == 2) event.moves2 = count;
    else event.moves1 = count;
  }
  event.moves = moves;
}

/** Ring buffer: a marker's text starts at this offset and ends with the record. */
export function setMarkerText(at: usize, offset: u32): void {
  let event = changetype<EventPlan>(at);
  event.textOffset = offset;
  event.bytes = max<u32>(event.bytes, offset);
}

/**
 * Text: an event that was another's so far is one of ours by the line that the host saw. Returns false
 * without memory. The fields follow, as after addEvent().
 */
export function becomeEvent(at: usize, kind: u32, fieldCount: u32): bool {
  let event = changetype<EventPlan>(at);
  event.fields = take(fieldCount * <u32>offsetof<FieldPlan>());
  if (!event.fields) return false;
  event.fieldCount = fieldCount;
  event.kind = kind;
  event.required = 0;
  event.stepCount = 0;
  event.foreign += event.count;
  event.count = 0;
  return true;
}

/** Text: only lines with this function (signature of the fields and it) are of the event. */
export function setOwn(at: usize, signature: u64): void {
  let event = changetype<EventPlan>(at);
  event.byFunction = 1;
  event.own = signature;
}

/** Lines of another's event of the same name. */
export function foreignCount(at: usize): f64 {
  return <f64>changetype<EventPlan>(at).foreign;
}

/** From now on an event is only counted. */
export function mute(at: usize): void {
  changetype<EventPlan>(at).kind = EventKind.Other;
}

/** How often an event was met. */
export function eventCount(at: usize): f64 {
  return <f64>changetype<EventPlan>(at).count;
}
