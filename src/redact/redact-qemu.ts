/** Arguments of QEMU's events after the redaction, as the table of events says (src/qemu). */

import { EventKind } from "../../assembly/event-abi.ts";
import { NO_ADDRESS } from "../core/queue-record.ts";
import type { QemuTraceEvent } from "../model/event.ts";
import { PAGE_BYTES } from "../model/pages.ts";
import type { QemuEvent, Redaction } from "../qemu/event-row.ts";
import { qemuEvent } from "../qemu/events.ts";
import { isCommonConfig } from "../qemu/pci-config.ts";
import type { Mapping } from "./mapping.ts";
import { ConfigRedactor } from "./redact-config.ts";
import { PostcopyRedactor, type Redacted } from "./redact-postcopy.ts";
import { argument, ramSlot } from "./survey.ts";

type Arguments = QemuTraceEvent["args"];

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const PAGE = BigInt(PAGE_BYTES);
const COMMON_CONFIG = "virtio-pci-common";

/** Redacts the events of QEMU of one recording, in order: it keeps KVM's memory slots. */
export class QemuRedactor {
  readonly #map: Mapping;
  readonly #space: number;
  readonly #slots = new Map<number, bigint>();
  readonly #config: ConfigRedactor;
  readonly #postcopy: PostcopyRedactor;

  /** `space`: number of the process whose addresses the recording has. */
  constructor(map: Mapping, space: number) {
    this.#map = map;
    this.#space = space;
    this.#config = new ConfigRedactor((gpa) => map.gpa(gpa));
    this.#postcopy = new PostcopyRedactor(map);
  }

  /**
   * The events that take the place of this one, mostly one; none: it is left out, the replay does not
   * need it.
   */
  redact(event: QemuTraceEvent): Redacted[] {
    const row = qemuEvent(event.name);
    if (!row) return [];
    const { name } = event;
    if (name === "ram_load_loop") this.#postcopy.block(event);
    if (row.kind === EventKind.QPostcopyLoad) return this.#postcopy.load(event);
    if (row.kind === EventKind.QPlaced) return this.#postcopy.place(event);
    return this.#arguments(event, row).map((args) => ({ name, args }));
  }

  #arguments(event: QemuTraceEvent, row: QemuEvent): Arguments[] {
    if (row.slots.some((name) => row.redact[name] === "region")) {
      if (!isCommonConfig(String(event.args.name))) return [];
    }
    const slot = event.name === "kvm_set_user_memory" ? ramSlot(event) : null;
    if (slot) this.#slots.set(slot.slot, slot.gpa);
    const args: Arguments = {};
    for (const name of row.slots) {
      // Nothing is kept that the table does not name.
      args[name] = this.#argument(event, name, row.redact[name] ?? "none");
    }
    const value = row.slots.find((name) => row.redact[name] === "value");
    return value === undefined ? [args] : this.#config.write(args, argument(event, value));
  }

  #argument(event: QemuTraceEvent, name: string, how: Redaction): string | number {
    const map = this.#map;
    const given = event.args[name];
    const bits = (): bigint => argument(event, name);
    const text = String(given ?? "");
    switch (how) {
      case "keep":
        return given ?? 0;
      case "none":
      case "value":
        return nothing(event.name, name);
      case "address":
        return hex(map.user(this.#space, bits()));
      case "device":
        return map.words.device(text);
      case "gpa":
        return hex(map.gpa(bits()));
      case "host":
        return hex(map.host(bits()));
      case "tag":
        return hex(map.tag(this.#space, bits() & 0xffff_ffffn));
      case "block":
        return map.words.ramBlock(text);
      case "state":
        return map.words.state(text);
      case "listener":
        return map.words.listener(text);
      case "block-offset":
        return hex(this.#ramPage(event).offset);
      case "block-host":
        return hex(this.#ramPage(event).host);
      case "slot-page":
        return hex(this.#slotPage(event, bits()));
      case "register":
        return hex(bits() & 0xfffn);
      case "region":
        return COMMON_CONFIG;
      case "channel":
        return map.words.channel(text);
      case "mode":
        return map.words.mode(text);
      case "command":
        return map.words.command(text);
    }
  }

  /** ram_save_page calls the offset in the block `offset`, ram_load_loop calls it `addr`. */
  #ramPage(event: QemuTraceEvent): { offset: bigint; host: bigint } {
    const offset = argument(event, event.args.offset === undefined ? "addr" : "offset");
    return this.#map.ramPage(String(event.args.rbname ?? ""), offset, argument(event, "host"));
  }

  /** `offset` counts pages from the beginning of the slot. */
  #slotPage(event: QemuTraceEvent, offset: bigint): bigint {
    const base = this.#slots.get(Number(argument(event, "slot")));
    if (base === undefined) return 0n;
    const gpa = base + offset * PAGE;
    const moved = gpa < NO_ADDRESS ? this.#map.gpa(gpa) - (base & ~0xfffn) : 0n;
    return BigInt.asUintN(64, moved) / PAGE;
  }
}

/** 0, or an empty text, as `dump` writes the argument. */
function nothing(event: string, name: string): string | number {
  const text = qemuEvent(event)?.formats.find((format) => format.text.includes(`{${name}:`))?.text;
  const conversion = text?.charAt(text.indexOf(`{${name}:`) + name.length + 2);
  if (conversion === "s") return "";
  return conversion === "p" || conversion === "x" ? "0x0" : 0;
}
