/**
 * Event records of the core, read and written as normalised events. Used by `dump`, by the NDJSON
 * format and for the few events that the host handles itself; never on the hot path.
 */

import { LOST_UNREAD } from "../../assembly/decode-abi.ts";
import {
  EVENT_CPU,
  EVENT_FLAGS,
  EVENT_HAS_VQ,
  EVENT_IP,
  EVENT_KIND,
  EVENT_LEN,
  EVENT_LOST,
  EVENT_NHEADS,
  EVENT_PID,
  EVENT_PLACE,
  EVENT_TEXT,
  EVENT_TS,
  EVENT_VQ,
  EventKind,
} from "../../assembly/event-abi.ts";
import type { NormalisedEvent } from "../model/event.ts";
import { formatPlace, type Place, quoteFound, RecordingError } from "../model/place.ts";
import type { GapSummary } from "../model/result.ts";
import { qemuEvent } from "../qemu/events.ts";
import type { Core } from "./core.ts";
import { integer } from "./integer.ts";
import { type FieldTarget, PROBES } from "./probe-fields.ts";
import { readQemuEvent, writeQemuEvent } from "./qemu-record.ts";

/** What every record has. */
export interface RecordHead {
  kind: EventKind;
  ts: bigint;
  place: number;
  pid: number;
  cpu: number;
}

/** The head of the record at `at`. */
export function readHead(core: Core, at: number): RecordHead {
  const view = core.view;
  return {
    kind: view.getUint8(at + EVENT_KIND),
    ts: view.getBigUint64(at + EVENT_TS, true),
    place: core.u64(at + EVENT_PLACE),
    pid: view.getInt32(at + EVENT_PID, true),
    cpu: view.getUint16(at + EVENT_CPU, true),
  };
}

/** The text of a marker record. */
export function markerText(core: Core, at: number): string {
  return core.utf8(
    Number(core.view.getBigUint64(at + EVENT_TEXT, true)),
    core.view.getUint32(at + EVENT_LEN, true),
  );
}

/** How many events a gap record says are lost; null: it does not say. */
function lostCount(core: Core, at: number): number | null {
  const lost = Number(core.view.getBigInt64(at + EVENT_LOST, true));
  return lost < 0 ? null : lost;
}

/** The gap record at `at`. */
export function readGap(core: Core, at: number, cpu: number, place: Place): GapSummary {
  const gap = { cpu: cpu === 0xffff ? null : cpu, lost: lostCount(core, at), place };
  const unread = core.view.getBigInt64(at + EVENT_LOST, true) === BigInt(LOST_UNREAD);
  return unread ? { ...gap, unread } : gap;
}

function readField(view: DataView, at: number, field: FieldTarget): number | string {
  const p = at + field.target;
  if (field.size === 8) {
    if (!field.signed) return `0x${view.getBigUint64(p, true).toString(16)}`;
    const value = view.getBigInt64(p, true);
    // A number of JSON has 53 bits: what has more is digits.
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  if (field.size === 4) return field.signed ? view.getInt32(p, true) : view.getUint32(p, true);
  return field.size === 2 ? view.getUint16(p, true) : view.getUint8(p);
}

/** The record at `at` as a normalised event, with the fields in the order of the recipe. */
export function readEvent(core: Core, at: number, place: Place): NormalisedEvent {
  const head = readHead(core, at);
  const owner = core.exports.ownerOf(head.pid);
  const tgid = core.exports.processOf(head.pid);
  const base = {
    ts: head.ts.toString(),
    cpu: head.cpu,
    pid: head.pid,
    ...(owner > 0 ? { owner } : {}),
    ...(tgid > 0 ? { tgid } : {}),
    place: formatPlace(place),
  };
  if (head.kind === EventKind.Marker)
    return { event: "marker", ...base, text: markerText(core, at) };
  if (head.kind === EventKind.Gap) return { event: "gap", ...base, lost: lostCount(core, at) };
  if (head.kind > EventKind.Other) return { ...readQemuEvent(core, at, head.kind), ...base };
  const probe = PROBES.find((entry) => entry.kind === head.kind);
  if (!probe) throw new Error(`bug: record of kind ${head.kind}`);
  const view = core.view;
  const event: Record<string, unknown> = { event: probe.name, ...base };
  const hasVq = (view.getUint8(at + EVENT_FLAGS) & EVENT_HAS_VQ) !== 0;
  const hasHeads = view.getBigUint64(at + EVENT_NHEADS, true) !== 0n;
  for (const field of probe.fields) {
    if (probe.kind === EventKind.Pop && field.name === "vq" && !hasVq) continue;
    if (field.name.startsWith("nh") && !hasHeads) continue;
    event[field.name] = readField(view, at, field);
  }
  return event as unknown as NormalisedEvent;
}

/**
 * Functions of the drivers that an NDJSON recording may name; their number stands in EVENT_IP, above
 * IN_KERNEL where the recording says that the probe was in the kernel's function.
 */
const IOCTL_FUNCTIONS: Readonly<Record<string, string>> = {
  "vhost-scsi": "vhost_scsi_ioctl",
  "vhost-net": "vhost_net_ioctl",
  "vhost-vsock": "vhost_vsock_dev_ioctl",
  // No functions: for messages of user-space back ends that a recording has as ioctls.
  "vhost-user": "vhost_user",
  "vhost-user-scsi": "vhost_user_scsi",
  "vhost-user-blk": "vhost_user_blk",
  "vhost-user-net": "vhost_user_net",
  "vhost-user-fs": "vhost_user_fs",
};

const DRIVERS_OF_KERNEL = 3;
const IN_KERNEL = 100;

/** The probed function that an EVENT_IP of `writeEvent` means. */
export function ioctlFunction(ip: bigint): string | null {
  return Object.values(IOCTL_FUNCTIONS)[(Number(ip) % IN_KERNEL) - 1] ?? null;
}

/** The kernel's function of ioctls of a driver; null: it is none of the kernel's. */
export function kernelFunction(driver: string): string | null {
  const number = Object.keys(IOCTL_FUNCTIONS).indexOf(driver);
  return number < 0 || number >= DRIVERS_OF_KERNEL ? null : IOCTL_FUNCTIONS[driver]!;
}

/** Whether it is one of the kernel, and no driver's name alone. */
export function isKernelFunction(ip: bigint): boolean {
  return ip > BigInt(IN_KERNEL);
}

/**
 * Writes a normalised event, as JSON gave it, into the zeroed record at `at`. `line` becomes its
 * place. Throws RecordingError, naming the key that is wrong.
 */
export function writeEvent(
  core: Core,
  at: number,
  event: unknown,
  line: number,
  where: Place,
): void {
  const object = event as Record<string, unknown>;
  const fail = (key: string, expected: string): never => {
    const found = Object.hasOwn(object, key)
      ? quoteFound(JSON.stringify(object[key]) ?? "")
      : "none";
    throw new RecordingError(where, `${expected} as "${key}"`, found);
  };
  const put = (key: string, offset: number, size: number): void => {
    const value = integer(object[key], size) ?? fail(key, `an integer of ${size} bytes`);
    const bits = BigInt.asUintN(64, value);
    const view = core.view;
    if (size === 8) view.setBigUint64(at + offset, bits, true);
    else if (size === 4) view.setUint32(at + offset, Number(bits & 0xffffffffn), true);
    else if (size === 2) view.setUint16(at + offset, Number(bits & 0xffffn), true);
    else view.setUint8(at + offset, Number(bits & 0xffn));
  };
  const kindOf = (): EventKind => {
    if (object.event === "marker") return EventKind.Marker;
    if (object.event === "gap") return EventKind.Gap;
    const probe = PROBES.find((entry) => entry.name === object.event);
    if (probe) return probe.kind;
    if (object.event !== "qemu") return fail("event", "the name of an event");
    return qemuEvent(String(object.name))?.kind ?? fail("name", "an event of QEMU");
  };
  const kind = kindOf();
  put("ts", EVENT_TS, 8);
  put("cpu", EVENT_CPU, 2);
  put("pid", EVENT_PID, 4);
  noteThread(core, at, object, fail);
  core.view.setBigUint64(at + EVENT_PLACE, BigInt(line), true);
  core.view.setUint8(at + EVENT_KIND, kind);
  if (kind === EventKind.Marker) {
    if (typeof object.text !== "string") fail("text", "a string");
    const text = new TextEncoder().encode(object.text as string).subarray(0, 1024);
    const copy = core.put(text);
    core.view.setBigUint64(at + EVENT_TEXT, BigInt(copy), true);
    core.view.setUint32(at + EVENT_LEN, text.length, true);
    return;
  }
  if (kind === EventKind.Gap) {
    if (object.lost === null) core.view.setBigInt64(at + EVENT_LOST, -1n, true);
    else put("lost", EVENT_LOST, 8);
    return;
  }
  if (kind > EventKind.Other) {
    writeQemuEvent(core, at, object, fail);
    return;
  }
  const probe = PROBES.find((entry) => entry.kind === kind)!;
  for (const field of probe.fields) {
    if (field.optional && object[field.name] === undefined) continue;
    put(field.name, field.target, field.size);
  }
  if (kind === EventKind.Ioctl) writeFunction(core, at, object, fail);
  if (core.view.getBigUint64(at + EVENT_VQ, true) !== 0n) {
    core.view.setUint8(at + EVENT_FLAGS, EVENT_HAS_VQ);
  }
}

type Fail = (key: string, expected: string) => never;

/** Whose thread the event's is, where it says so. */
function noteThread(core: Core, at: number, object: Record<string, unknown>, fail: Fail): void {
  const { owner, tgid } = object;
  if (owner === undefined && tgid === undefined) return;
  const number = (key: string): number => {
    const value = integer(object[key] ?? 0, 4) ?? fail(key, "the number of a thread");
    return Number(BigInt.asIntN(32, value));
  };
  const pid = core.view.getInt32(at + EVENT_PID, true);
  core.exports.noteThread(pid, number("owner"), number("tgid"));
}

/** The driver of an ioctl, or the kernel's function that was probed. */
function writeFunction(core: Core, at: number, object: Record<string, unknown>, fail: Fail): void {
  const { driver, fn } = object;
  const functions = Object.values(IOCTL_FUNCTIONS).slice(0, DRIVERS_OF_KERNEL);
  if (fn !== undefined) {
    const number = functions.indexOf(String(fn)) + 1;
    if (number === 0) fail("fn", `one of ${functions.join(", ")}`);
    core.view.setBigUint64(at + EVENT_IP, BigInt(IN_KERNEL + number), true);
  } else if (driver !== undefined) {
    const number = Object.keys(IOCTL_FUNCTIONS).indexOf(String(driver)) + 1;
    if (number === 0) fail("driver", `one of ${Object.keys(IOCTL_FUNCTIONS).join(", ")}`);
    core.view.setBigUint64(at + EVENT_IP, BigInt(number), true);
  }
}
