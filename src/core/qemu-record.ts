/** Records of QEMU's events as `dump` prints them and NDJSON reads them back. */
import { EVENT_KIND, EVENT_SLOT, type EventKind } from "../../assembly/event-abi.ts";
import type { QemuEvent } from "../qemu/event-row.ts";
import { qemuEvent, qemuEventOfKind, slotOf } from "../qemu/events.ts";
import { type Conversion, piecesOf } from "../qemu/pattern.ts";
import type { Core } from "./core.ts";
import { integer } from "./integer.ts";

/** The conversion of each argument, over all formats of an event. */
function conversionsOf(event: QemuEvent): Map<string, Conversion> {
  const conversions = new Map<string, Conversion>();
  for (const { name, conversion } of event.formats.flatMap(({ text }) => piecesOf(text))) {
    if (name !== null && conversion !== null) conversions.set(name, conversion);
  }
  return conversions;
}

/** The text in this slot; empty when there is none. */
function slotText(core: Core, slot: number): string {
  const number = core.view.getUint32(slot, true);
  const kept = number === 0 ? 0 : core.exports.stringPtr(number);
  return kept === 0 ? "" : core.utf8(kept + 4, core.view.getUint32(kept, true));
}

/**
 * Arguments of the record at `at`, by the names of the table (events.ts), for the few events that the
 * host handles. A name that the event does not have is a bug, and throws; an argument that its
 * version did not have is 0 or empty.
 */
export class EventArguments {
  readonly #core: Core;
  readonly #at: number;
  readonly #kind: EventKind;

  constructor(core: Core, at: number) {
    this.#core = core;
    this.#at = at;
    this.#kind = core.view.getUint8(at + EVENT_KIND);
  }

  #slot(name: string): number {
    return this.#at + EVENT_SLOT + slotOf(this.#kind, name) * 8;
  }

  /** A string. */
  text(name: string): string {
    return slotText(this.#core, this.#slot(name));
  }

  /** Number under which the core keeps a string. */
  textNumber(name: string): number {
    return this.#core.view.getUint32(this.#slot(name), true);
  }

  /** An integer as it is: 64 bits. */
  bits(name: string): bigint {
    return this.#core.view.getBigUint64(this.#slot(name), true);
  }

  /** An integer that is known to be below 2^53. */
  number(name: string): number {
    return this.#core.u64(this.#slot(name));
  }
}

/** Name and arguments of the record at `at`. Several names may share a kind: the first stands. */
export function readQemuEvent(
  core: Core,
  at: number,
  kind: EventKind,
): { event: "qemu"; name: string; args: Record<string, string | number> } {
  const event = qemuEventOfKind(kind);
  if (!event) throw new Error(`bug: record of kind ${kind}`);
  const conversions = conversionsOf(event);
  const args: Record<string, string | number> = {};
  event.slots.forEach((name, slot) => {
    const conversion = conversions.get(name);
    const bits = core.view.getBigUint64(at + EVENT_SLOT + slot * 8, true);
    if (conversion === "s") args[name] = slotText(core, at + EVENT_SLOT + slot * 8);
    else if (conversion === "d") args[name] = Number(BigInt.asIntN(64, bits));
    else if (conversion === "u" && bits < 1n << 53n) args[name] = Number(bits);
    else args[name] = `0x${bits.toString(16)}`;
  });
  return { event: "qemu", name: event.name, args };
}

/** Where a string of at most 256 characters lies until the core has its own copy. */
const SCRATCH = new WeakMap<Core, number>();
const SCRATCH_BYTES = 1024;

function scratch(core: Core, bytes: Uint8Array): number {
  const at = SCRATCH.get(core) ?? core.put(new Uint8Array(SCRATCH_BYTES));
  SCRATCH.set(core, at);
  core.bytes.set(bytes, at);
  return at;
}

/** Writes the arguments of an event into the record; `fail` names the key that is wrong. */
export function writeQemuEvent(
  core: Core,
  at: number,
  object: Record<string, unknown>,
  fail: (key: string, expected: string) => never,
): void {
  const event = qemuEvent(String(object.name))!;
  const conversions = conversionsOf(event);
  const args = object.args;
  if (typeof args !== "object" || args === null) fail("args", "the arguments of the event");
  const given = args as Record<string, unknown>;
  for (const [slot, name] of event.slots.entries()) {
    const value = given[name];
    if (value === undefined) continue;
    let bits: bigint;
    if (conversions.get(name) === "s") {
      if (typeof value !== "string") fail("args", `a string ${name}`);
      const bytes = new TextEncoder().encode(String(value).slice(0, 256));
      bits = BigInt(core.exports.intern(scratch(core, bytes), bytes.length));
    } else {
      const number: bigint = integer(value, 8) ?? fail("args", `an integer ${name}`);
      bits = BigInt.asUintN(64, number);
    }
    core.view.setBigUint64(at + EVENT_SLOT + slot * 8, bits, true);
  }
}
