/** A row of the table of QEMU's trace events (events.ts), and what its columns may say. */
import type { EventKind } from "../../assembly/event-abi.ts";
import { piecesOf } from "./pattern.ts";

/** Versions whose `trace-events-all` was read. */
export const QEMU_VERSIONS = ["7.2", "10.0", "11.1"] as const;
export type QemuVersion = (typeof QEMU_VERSIONS)[number];

/** Whose recording the replay needs the event of. */
export type Role = "source" | "destination" | "both";

/**
 * What the redaction does with an argument. keep: as it is; none: 0 or empty; address: of an object
 * in QEMU, renamed, equal stays equal; device: the name of a virtio device, kept when it is QEMU's own;
 * gpa: a guest-physical address, its page moves; host: where RAM
 * lies in QEMU, moves with all of RAM; tag: of a SCSI command, renamed; block, state: a word, kept
 * when it is QEMU's own; listener: whether it is a vhost's; block-offset, block-host: of a page that
 * is sent or received, moves with the page; slot-page: pages from the beginning of a KVM slot, the
 * same; register: offset in a device's registers; value: what is written to a register; region: name
 * of a memory region, kept when it is virtio-pci's common configuration, else the event is left out;
 * channel, mode: a word of QEMU's, else empty; command: of QMP's arguments the capabilities and the mode.
 */
export type Redaction =
  | "keep"
  | "none"
  | "address"
  | "device"
  | "gpa"
  | "host"
  | "tag"
  | "block"
  | "state"
  | "listener"
  | "block-offset"
  | "block-host"
  | "slot-page"
  | "register"
  | "value"
  | "region"
  | "channel"
  | "mode"
  | "command";

/** A format, in the notation of pattern.ts, and the versions of QEMU that have it. */
export interface EventFormat {
  versions: readonly QemuVersion[];
  text: string;
}

/** One event that the replay understands. */
export interface QemuEvent {
  name: string;
  kind: EventKind;
  /** Arguments by name, in the order of the slots of an event record. */
  slots: readonly string[];
  /** In the order in which they are tried: newest first. */
  formats: readonly EventFormat[];
  role: Role;
  /** `record --qemu-socket` switches it on. */
  recorded: boolean;
  /** What the redaction does with each argument. */
  redact: Readonly<Record<string, Redaction>>;
  /** What the replay learns from it: a clause of docs/qemu.md. */
  tells: string;
  /** File and function of QEMU that emits it. */
  source: string;
}

/** How a row is written down. */
export interface EventRow {
  name: string;
  kind: EventKind;
  /** One for all versions in which the event exists, or one each. */
  format: string | readonly EventFormat[];
  /** Versions with the event, where `format` does not say: all when left out. */
  versions?: readonly QemuVersion[];
  /** Order of the slots where the core reads them: an enum of assembly/qemu-abi.ts. */
  slots?: Readonly<Record<string, string | number>>;
  role: Role;
  recorded: boolean;
  redact: Readonly<Record<string, Redaction>>;
  tells: string;
  source: string;
}

/** The row with what follows from it: its formats as a list, its slots in order. */
export function qemuEventRow(row: EventRow): QemuEvent {
  const { format, versions = QEMU_VERSIONS, slots, ...rest } = row;
  const formats = typeof format === "string" ? [{ versions, text: format }] : format;
  const named = slots
    ? Object.keys(slots).filter((key) => typeof slots[key] === "number")
    : formats.flatMap(({ text }) => piecesOf(text).flatMap(({ name }) => name ?? []));
  return { ...rest, formats, slots: [...new Set(named)] };
}
